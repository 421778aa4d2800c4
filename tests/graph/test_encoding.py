"""A tape as JSON and back: nothing is lost, also of random and very long programs; invalid files are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import microgad as torch
from microgad import nn
from microgad.errors import MicrogadError
from microgad.graph import Tape
from microgad.testing.programs.program import execute
from microgad.testing.strategies import programs

from ..processes import run


def recorded_in_full(model, x):
    with torch.record(values=True, stats=True, time=True, source=True, replay=True, params=model) as tape:
        model(x).sum().backward()
    return tape


@pytest.fixture
def tape():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 2))
    return recorded_in_full(model, torch.rand(2, 1, 4, 4))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_tapes_of_random_programs_come_back_whole(program):
    with torch.record(replay=True, values=True) as tape:
        execute(program, torch)
    assert tape.verify()
    text = tape.to_json()
    back = Tape.from_json(text)
    assert back.to_json() == text
    assert back.verify()
    assert not tape.diff(back)
    for x, y in zip(tape.replay().results, back.replay().results, strict=True):
        assert x.array.tobytes() == y.array.tobytes()


def test_json_and_npz_give_back_all_that_a_tape_has(tape, tmp_path):
    tape.to_npz(tmp_path / "tape.npz")
    tape.to_json(tmp_path / "tape.json")
    for back in (Tape.from_npz(tmp_path / "tape.npz"), Tape.from_json(tmp_path / "tape.json")):
        assert back.to_json() == tape.to_json()
        assert str(back) == str(tape)
        assert not tape.diff(back)
        assert back.verify()
        assert (back.op(0).stats, back.op(0).seconds) == (tape.op(0).stats, tape.op(0).seconds)
        assert back["0.weight"].gradient == tape["0.weight"].gradient
        np.testing.assert_array_equal(back.op(1).values[0], tape.op(1).values[0])


def test_the_json_is_standard_json(tape):
    def no_constant(name):
        raise AssertionError(name)

    plain = json.loads(tape.to_json(), parse_constant=no_constant)
    assert plain["ops"]["rows"] == len(tape)


@pytest.mark.parametrize(
    "asked", ["Tape.from_json(sys.argv[1]).verify()", "formula('FakeQuantize')"], ids=["a tape", "a formula"]
)
def test_another_process_knows_operations_that_it_has_not_loaded(asked, tmp_path):
    x = torch.ones(2, requires_grad=True)
    with torch.record(replay=True) as tape:
        x = torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255)
        torch.distributions.Gamma(x, x).rsample().sum().backward()
    tape.to_json(tmp_path / "tape.json")
    code = f"import sys; from microgad.graph import Tape, formula; assert {asked}"
    done = run("-c", code, str(tmp_path / "tape.json"))
    assert done.returncode == 0, done.stderr


def test_nan_and_infinity_come_back():
    with torch.record() as tape:
        torch.ones(1) * float("nan") + float("-inf")
    values = [op.inputs[1].value for op in Tape.from_json(tape.to_json())]
    assert str(values) == "[nan, -inf]"


def test_a_tape_of_a_graph_comes_back():
    x = torch.ones(2, requires_grad=True)
    tape = (x.exp() * x).sum().graph().tape
    assert str(Tape.from_json(tape.to_json())) == str(tape)


def test_settings_that_are_functions_cannot_be_written():
    x = torch.ones(2, requires_grad=True)
    with torch.record(replay=True) as tape:
        x.exp()
    tape.op(0).recipe.settings["f"] = print
    with pytest.raises(MicrogadError, match="to_json: a builtin_function_or_method can't be written"):
        tape.to_json()


def changed(path, value):
    """A function that sets the entry at a path of the parsed JSON to a value."""

    def change(plain):
        *parents, last = path
        for key in parents:
            plain = plain[key]
        plain[last] = value

    return change


def with_function(module, name):
    """A function that makes the parsed JSON name another class as the Function of its first operation."""
    return changed(["ops", "recipe", "of", 0, "Recipe", 0], {"class": [module, name]})


def with_settings(settings):
    """A function that gives the first operation in the parsed JSON other settings."""
    return changed(["ops", "recipe", "of", 0, "Recipe", 1], settings)


INVALID = {
    "an unknown format": (changed(["microgad tape"], 99), "a tape of format 1, got 99"),
    "no ops": (lambda plain: plain.pop("ops"), "not a valid tape"),
    "another module's class": (with_function("subprocess", "Popen"), "there is no Function subprocess.Popen"),
    "a class that is no Function": (with_function("microgad.ops.support.out", "into"), "there is no Function"),
    "a module that isn't loaded": (with_function("antigravity", "Function"), "there is no Function antigravity"),
    "a recipe without a function": (changed(["ops", "recipe", "of", 0, "Recipe", 0], "print"), "not a valid recipe"),
    "a method as a setting": (with_settings({"dict": [["forward", 1]]}), "not a valid recipe"),
    "more rows than there are": (changed(["ops", "rows"], 10**12), "Op.number, got 9"),
    "rows that are no number": (changed(["ops", "rows"], "5"), "Op.number, got 9"),
    "a column that is missing": (lambda plain: plain["ops"].pop("name"), "not a valid tape: KeyError"),
    "a column that no Op has": (changed(["ops", "color"], []), "unknown fields of Op: color"),
    "a name that is a number": (changed(["ops", "name", "pool", 0], 5), "name must be str"),
    "a shape that is negative": (
        changed(["ops", "shapes", "pool", 0], [{"tuple": [-1]}]), "shapes must be"),
    "a number that is text": (changed(["ops", "number", 0], "x"), "number must be int"),
    "a place that isn't there": (changed(["ops", "name", "at", 0], 99), "out of range for"),
    "a place from the end": (changed(["ops", "name", "at", 0], -1), "out of range for"),
    "inputs that aren't counted": (changed(["ops", "inputs", "counts", 0], 9), "counts don't add up"),
    "a source that isn't there": (changed(["ops", "inputs", "of", "source", 0], 10**9), "doesn't come before it"),
    "a result that isn't there": (
        lambda plain: plain["results"].__setitem__("index", [7] * plain["results"]["rows"]), "there is no result 7"),
    "a repeated number": (lambda plain: changed(["ops", "number", 0], plain["ops"]["number"][1])(plain), "same number"),
    "an array of objects": (changed(["arrays", 0, 0], "|O"), "array can't have the dtype"),
    "an array that is too short": (changed(["arrays", 0, 1], [10**9]), "can't have .* bytes"),
    "an array whose size wraps around": (changed(["arrays", 0, 1], [2**32, 2**32]), "can't have .* bytes"),
    "an array of impossible strides": (changed(["arrays", 0, 2], [1, 2, 3, 4, 5]), "can't have the strides"),
    "an array that isn't base64": (changed(["arrays", 0, 3], "%%%"), "not a valid tape"),
    "an unknown kind of value": (changed(["ops", "values", "of", 0], {"eval": "1"}), "not a valid tape"),
    "a value of no kind": (with_settings({"dict": [["axis", {}]]}), "not a valid tape"),
    "a dtype that there isn't": (with_settings({"dict": [["to", {"dtype": "int7"}]]}), "not a valid tape"),
    "a device that there isn't": (with_settings({"dict": [["to", {"device": "tpu"}]]}), "not a valid tape"),
}  # fmt: skip


@pytest.mark.parametrize("fault", INVALID)
def test_invalid_files_are_refused(tape, fault):
    change, message = INVALID[fault]
    plain = json.loads(tape.to_json())
    change(plain)
    with pytest.raises(MicrogadError, match=f"^from_json: .*{message}") as error:
        Tape.from_json(json.dumps(plain))
    assert isinstance(error.value, ValueError)


def test_errors_name_the_function_that_read_the_file(tape, tmp_path):
    plain = json.loads(tape.to_json())
    text = json.dumps({**plain, "microgad tape": 99, "arrays": []})
    np.savez(tmp_path / "tape.npz", tape=np.frombuffer(text.encode(), np.uint8))
    with pytest.raises(MicrogadError, match=r"^from_npz: expected a tape of format 1, got 99"):
        Tape.from_npz(tmp_path / "tape.npz")


SORTING = "microgad.ops.reduction.sorting"
INVALID_CALLS = {  # of a Call, which field is set to what
    "another module's function": (0, {"function": ["os", "system"]}, "os isn't a module of microgad's operations"),
    "what a module imports": (0, {"function": [SORTING, "np"]}, "isn't a function whose calls are recorded"),
    "a private function": (0, {"function": [SORTING, "_index_of_median"]}, "isn't a function whose calls"),
    "another method": (0, {"method": "register_hook"}, "register_hook isn't a function whose calls are recorded"),
    "a class": (0, {"class": ["microgad.ops.reduction.picking", "Pick"]}, "sort isn't a function whose calls"),
    "text": (0, "print", "sort isn't a function whose calls are recorded"),
    "an operation that isn't there": (5, [10**9], "has an operation that there isn't"),
    "an argument that isn't there": (7, {"tuple": [{"Read": [10**9, 0, None, False]}]}, "there is no result 0 of"),
    "a result that isn't there": (10, {"dict": [[0, 10**9]]}, "no operation or source"),
}


@pytest.mark.parametrize("fault", INVALID_CALLS)
def test_invalid_calls_are_refused(fault):
    field, value, message = INVALID_CALLS[fault]
    plain = json.loads(torch.trace(lambda x: (x * 2).sort()[0], torch.ones(2)).to_json())
    plain["calls"][0]["Call"][field] = value
    with pytest.raises(MicrogadError, match=message):
        Tape.from_json(json.dumps(plain))


def test_files_of_earlier_versions_have_no_calls_and_links():
    plain = json.loads(torch.trace(lambda x: (x * 2).sort()[0], torch.ones(2)).to_json())
    del plain["calls"], plain["links"]
    for of in plain["ops"]["recipe"]["of"]:
        del of["Recipe"][8:]
    assert Tape.from_json(json.dumps(plain)).verify()


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"microgad tape": 1}', "{]", '{"a":' * 100_000], ids=["{", "{}", "a number", "{]", "deep"]
)
def test_files_that_hold_no_tape_are_refused(text, tmp_path):
    with pytest.raises(MicrogadError, match="from_json: not a valid tape"):
        Tape.from_json(text)
    (tmp_path / "x.npz").write_text(text)
    with pytest.raises(MicrogadError, match="from_npz: not a valid tape"):
        Tape.from_npz(tmp_path / "x.npz")


def test_modules_named_by_a_file_are_not_imported():
    """A file may name only modules of microgad; no other is even searched for."""
    import sys

    Tape.from_json(torch.trace(torch.exp, torch.ones(1)).to_json())  # a first reading, which imports what it needs
    before = set(sys.modules)
    for module in ("this", "microgad.ops.nowhere", "microgad.__main__", "microgad.ops.support.out; import this"):
        plain = json.loads(torch.trace(torch.exp, torch.ones(1)).to_json())
        with_function(module, "Exp")(plain)
        with pytest.raises(MicrogadError, match="from_json: there is no"):
            Tape.from_json(json.dumps(plain))
    assert not {name for name in set(sys.modules) - before if not name.startswith("microgad.ops")}


@pytest.mark.parametrize("kind", ["chain", "graph"])
def test_very_long_tapes_come_back(kind, pytestconfig, tmp_path):
    n = 1_000_000 if pytestconfig.getoption("--thorough") else 5_000
    rng = np.random.default_rng(0)
    x = torch.ones(1, requires_grad=True)
    tensors = [x]
    for i in range(n):
        other = tensors[rng.integers(max(0, i - 100), i + 1)] if kind == "graph" else 1.0
        tensors.append(tensors[-1] * other)
    tape = tensors[-1].graph().tape
    del tensors
    assert repr(tape).startswith(f"<Tape: {n:,} operations, 1 leaf")
    tape.to_json(tmp_path / "tape.json")
    back = Tape.from_json(tmp_path / "tape.json")
    assert repr(back) == repr(tape)
    assert back.ops == tape.ops

"""`tape.diff`: it finds a planted difference of two tapes at the right operation, in random graphs too."""

from __future__ import annotations

import dataclasses
import random
import time

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.graph.queries.diff import differing

SHAPE = (2, 3)
UNARY = {
    "tanh": torch.tanh,
    "exp": lambda x: (x * 0).exp(),
    "sigmoid": torch.sigmoid,
    "flip": lambda x, dims=0: x.flip(dims),
    "roll": lambda x, dims=0: x.roll(1, dims),
    "softmax": lambda x, dims=0: x.softmax(dims),
}
BINARY = {"add": torch.add, "mul": torch.mul, "maximum": torch.maximum}


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    x: int  # index of an operand among the two inputs and the results before
    z: int
    dims: int
    off: float = 0.0  # what is added to the first element


def random_steps(rng):
    """The steps of a random graph: each reads inputs or results before it."""
    names = [*UNARY, *BINARY]
    n = rng.randint(3, 25)
    return [Step(rng.choice(names), rng.randrange(i + 2), rng.randrange(i + 2), rng.randrange(2)) for i in range(n)]


def run(steps, extra=None, **level):
    """The tape of a graph, and the index of each step's last operation on it."""
    tensors = [torch.arange(6.0).reshape(SHAPE) / 7, torch.linspace(-1, 1, 6).reshape(SHAPE).requires_grad_()]
    indices = []
    with torch.record(**level) as tape:
        for i, step in enumerate(steps):
            x = tensors[step.x]
            if step.name in BINARY:
                y = BINARY[step.name](x, tensors[step.z])
            elif step.name in ("flip", "roll", "softmax"):
                y = UNARY[step.name](x, step.dims)
            else:
                y = UNARY[step.name](x)
            if extra == i:
                y = y.abs()
            if step.off:
                y.array.flat[0] += np.float32(step.off)
                tape.op(-1).values[0].flat[0] += np.float32(step.off)
            tensors.append(y)
            indices.append(len(tape) - 1)
    return tape, indices


def planted(rng, steps):
    """The steps with one of them changed, the index of that step, and the kind of the difference."""
    at = rng.randrange(len(steps))
    step = steps[at]
    kinds = ["values"]
    if step.name in ("flip", "roll", "softmax"):
        kinds.append("settings")
    if step.name in BINARY and at:
        kinds.append("inputs")
    kind = rng.choice(kinds)
    if kind == "settings":
        changed = dataclasses.replace(step, dims=1 - step.dims)
    elif kind == "inputs":
        changed = dataclasses.replace(step, z=(step.z + rng.randint(1, at + 1)) % (at + 2))
    else:
        changed = dataclasses.replace(step, off=rng.choice([1e-3, -0.5, 1e30]))
    return [*steps[:at], changed, *steps[at + 1 :]], at, kind


def test_a_planted_difference_is_found_at_the_right_operation(pytestconfig):
    for seed in range(1000 if pytestconfig.getoption("--thorough") else 150):
        rng = random.Random(seed)
        steps = random_steps(rng)
        other, at, kind = planted(rng, steps)
        mine, indices = run(steps, values=True)
        theirs, _ = run(other, values=True)
        assert not mine.diff(run(steps, values=True)[0])
        first = mine.diff(theirs).first
        assert first is not None, f"seed {seed}"
        assert first.mine is mine.op(indices[at]), f"seed {seed}: {first}"
        assert first.kind == kind, f"seed {seed}: {first}"


def test_an_operation_that_only_one_tape_has_is_found(pytestconfig):
    for seed in range(200 if pytestconfig.getoption("--thorough") else 60):
        rng = random.Random(seed)
        steps = random_steps(rng)
        at = rng.randrange(len(steps))
        mine, indices = run(steps)
        theirs, _ = run(steps, extra=at)
        found = mine.diff(theirs).differences
        assert [x.theirs for x in found if x.kind == "added"] == [theirs.op(indices[at] + 1)], f"seed {seed}"
        assert found[0].kind == "added", f"seed {seed}: {found[0]}"
        reverse = theirs.diff(mine).differences
        assert [x.mine for x in reverse if x.kind == "missing"] == [theirs.op(indices[at] + 1)], f"seed {seed}"


def test_operations_between_two_that_only_one_tape_has_are_paired():
    x = torch.ones(3)
    with torch.record() as mine:
        x.exp().tanh().sin().sum()
    with torch.record() as theirs:
        x.exp().abs().tanh().sin().neg().sum()
    found = mine.diff(theirs)
    assert [x.theirs.name for x in found.differences if x.kind == "added"] == ["Abs", "Neg"]
    assert [(a.name, b.name) for a, b in found.pairs] == [(name, name) for name in ("Exp", "Tanh", "Sin", "Sum")]


def test_an_operation_that_only_one_tape_has_comes_after_a_difference_before_it():
    x = torch.ones(3)
    with torch.record() as mine:
        (x * 2).sum()
    with torch.record() as theirs:
        (x * 3).abs().sum()
    assert [x.kind for x in mine.diff(theirs).differences] == ["inputs", "added", "inputs"]


def test_tapes_without_values_are_compared_by_digests():
    a = torch.trace(torch.exp, torch.tensor([1.0, 2.0]))
    b = torch.trace(torch.exp, torch.tensor([1.0, 2.5]))
    assert [x.kind for x in a.diff(b).differences] == ["values", "values"]
    assert not a.diff(torch.trace(torch.exp, torch.tensor([1.0, 2.0])))


def test_a_difference_is_measured_in_ulps():
    x = np.float32(1.0)
    tapes = []
    for value in (x, np.nextafter(np.nextafter(x, np.float32(2)), np.float32(2))):
        with torch.record(values=True) as tape:
            torch.tensor([3.0, float(value)]).clone()
        tapes.append(tape)
    assert tapes[0].diff(tapes[1]).first.ulps == 2
    assert not tapes[0].diff(tapes[1], rtol=1e-6)
    tiny = np.finfo(np.float32).smallest_subnormal
    assert tape_of(np.array([-tiny])).diff(tape_of(np.array([tiny]))).first.ulps == 2


def test_two_seeds_differ_at_the_first_draw():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    x = torch.ones(2, 3)
    tapes = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        tapes.append(torch.trace(model, x))
    first = tapes[0].diff(tapes[1]).first
    assert (first.mine.name, first.kind) == ("Dropout", "settings")
    assert "noise" in str(first)


def tape_of(array):
    with torch.record(values=True) as tape:
        torch.tensor(array).clone()
    return tape


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([-np.inf, 1.0], [-np.inf, 2.0]),  # a mask's infinity isn't the largest value
        ([2**60, 0], [2**60 + 1, 0]),  # equal after conversion to float64
        (np.array([1e-320, 1e300]), np.array([2e-320, 1e300])),  # the ratio of difference and largest value underflows
        ([1.0, np.nan], [np.nan, np.nan]),
    ],
)
def test_small_differences_and_those_of_nan_and_infinity_are_found(mine, theirs):
    assert tape_of(mine).diff(tape_of(theirs)).first.kind == "values"
    assert tape_of(theirs).diff(tape_of(mine)).first.kind == "values"
    assert not tape_of(mine).diff(tape_of(mine))


def test_rtol_is_relative_to_the_largest_finite_value():
    assert not tape_of([-np.inf, 1.0]).diff(tape_of([-np.inf, 1.0 + 1e-6]), rtol=1e-5)
    assert tape_of([-np.inf, 1.0]).diff(tape_of([-np.inf, 1.1]), rtol=1e-5)
    assert not tape_of([np.nan, 1.0]).diff(tape_of([np.nan, 1.0 + 1e-6]), rtol=1e-5)


def test_values_of_scalar_sources_are_compared():
    def read(number):
        with torch.record() as tape:
            torch.tensor(number).clone()
        return tape

    assert read(np.nan).diff(read(1.0))
    assert read(1.0).diff(read(np.nan))
    assert not read(np.nan).diff(read(np.nan))
    assert not read(1.0).diff(read(1.0 + 1e-6), rtol=1e-5)


def test_one_tensor_instead_of_two_is_a_difference_in_both_directions():
    x, y = torch.ones(2), torch.ones(2)
    with torch.record() as two:
        x * y
    with torch.record() as one:
        x * x
    assert two.diff(one).first.message == one.diff(two).first.message == "b is another constant than before"


def test_a_number_instead_of_a_tensor_is_a_difference():
    x, y = torch.ones(2), torch.ones(2)
    with torch.record() as number:
        x * 2
    with torch.record() as tensor:
        x * y
    assert number.diff(tensor).first.message == "b is 2, in the other constant"
    assert tensor.diff(number).first.message == "b is constant, in the other 2"
    with torch.record() as alone:
        nn.functional.linear(x, torch.eye(2))
    with torch.record() as biased:
        nn.functional.linear(x, torch.eye(2), y)
    assert alone.diff(biased).first.message == "bias is None, in the other constant bias"


def test_another_result_of_an_operation_is_a_difference():
    tapes = [torch.trace(lambda x, i=i: x.chunk(2)[i].exp(), torch.zeros(4)) for i in (0, 1)]
    words = tapes[0].diff(tapes[1]).first.message.split(", ")
    assert [w.partition(" at ")[0] for w in words if "result" in w] == [
        "x comes from result 0 of Split", "in the other from result 1 of Split"
    ]  # fmt: skip


def test_without_settings_only_first_results_are_compared():
    two, three = (torch.trace(lambda x, sizes=sizes: x.split(sizes), torch.zeros(4)) for sizes in ([2, 2], [2, 1, 1]))
    assert two.diff(three)
    assert not two.diff(three, settings=False)


def test_index_arrays_are_compared():
    tapes = [torch.trace(lambda x, i=i: x[i], torch.zeros(3)) for i in ([0, 1], [1, 0])]
    assert tapes[0].diff(tapes[1]).first.message == "index, an array (2,), has other values in the other"


@pytest.mark.parametrize(
    ("first", "last", "count"), [(lambda x: x.cos().cos(), torch.tanh, 3), (torch.cos, torch.exp, 2 * 10_002)]
)
def test_long_tapes_are_compared_quickly(first, last, count):
    def chain(first, last):
        with torch.record() as tape:
            x = first(torch.ones(1))
            for _ in range(10_000):
                x = x * 1
            last(x)
        return tape

    mine, theirs = chain(torch.sin, torch.tanh), chain(first, last)
    started = time.process_time()
    assert sum(x.kind in ("missing", "added") for x in mine.diff(theirs).differences) == count
    assert time.process_time() - started < 4  # takes 0.2 s; a full alignment of both tapes took 15 s


def test_float32_is_compared_with_float64():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.ones(2, 3)
    with torch.record(values=True, replay=True, params=model) as single:
        model(x)
    with torch.record(values=True, params=model) as double:
        single.replay(dtype="float64")
    assert single.diff(double).first.kind == "dtypes"
    assert not single.diff(double, rtol=1e-6, dtypes=False)
    assert single.diff(double, rtol=1e-12, dtypes=False).first.mine is single.op(0)
    casts = [torch.trace(lambda x, d=d: x.to(d).exp(), torch.arange(3)) for d in (torch.float32, torch.float64)]
    assert casts[0].diff(casts[1])
    assert not casts[0].diff(casts[1], dtypes=False)


def test_differing_gives_numbers_of_operations_to_mark():
    a, b = (torch.trace(lambda x, n=n: (x * n).exp(), torch.ones(1)) for n in (2.0, 3.0))
    assert list(differing(a.diff(b))) == [a.op(0).number, a.op(1).number]
    assert str(a.diff(b)).startswith("first × Mul at ")
    assert a.diff(b).first.message == "b is 2.0, in the other 3.0"


def test_a_tape_is_compared_with_one_captured_from_pytorch():
    theirs = pytest.importorskip("torch")
    from microgad.graph import Tape
    from microgad.graph.torch_capture import capture

    def model(nn, eps=1e-5):
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, eps=eps), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3),
            nn.Sigmoid(),
        )  # fmt: skip

    ours = model(nn).eval()
    x = torch.rand(2, 1, 6, 6)
    with torch.record(values=True, params=ours) as mine:
        ours(x)
    for eps in (1e-5, 1e-2):
        reference = model(theirs.nn, eps).eval()
        reference.load_state_dict({name: theirs.tensor(p.numpy()) for name, p in ours.state_dict().items()})
        tape = Tape.from_json(capture(reference, theirs.tensor(x.numpy())).to_json())
        found = mine.diff(tape, rtol=1e-5, settings=False)
        assert len(found.pairs) == len(mine) == len(tape) == 7
        if eps == 1e-5:
            assert not found, str(found)
        else:
            assert found.first.mine.path == "1"
            assert found.first.kind == "values"


def test_a_replay_is_compared_after_recording_it():
    tape = torch.trace(nn.Linear(3, 2), torch.ones(1, 3))
    with pytest.raises(TypeError, match=r"expected a Tape, got Replay. To compare a replay.* microgad.record\(\)"):
        tape.diff(tape.replay())
    with torch.record(values=True) as again:
        tape.replay()
    assert not tape.diff(again)

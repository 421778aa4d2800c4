"""microgad's own functions name an argument of a wrong type, before they do anything."""

from __future__ import annotations

import io

import numpy as np
import pytest

import microgad as torch
from microgad import graph, testing, training

TAPE = torch.trace(lambda x: (x * 3).exp().sum(), torch.ones(2))
CALLS = {
    "record": ("values", lambda x: torch.record(values=x)),
    "Graph": ("tape", lambda x: graph.Graph(x)),
    "draw": ("collapse", lambda x: TAPE.draw(collapse=x)),
    "mark": ("mark", lambda x: TAPE.draw(mark=x)),
    "page": ("title", lambda x: TAPE.page(title=x)),
    "steps": ("steps", lambda x: TAPE.page(steps=x)),
    "diff": ("rtol", lambda x: TAPE.diff(TAPE, rtol=x)),
    "table": ("sort", lambda x: TAPE.table(sort=x)),
    "tree": ("depth", lambda x: TAPE.tree(depth=x)),
    "replay": ("edits", lambda x: TAPE.replay(edits=x)),
    "gradient": ("edits", lambda x: TAPE.gradient("Sum", "Mul", edits=x)),
    "from_json": ("text", lambda x: graph.Tape.from_json(x)),
    "to_json": ("path", lambda x: TAPE.to_json(x)),
    "from_npz": ("path", lambda x: graph.Tape.from_npz(x)),
    "to_npz": ("path", lambda x: TAPE.to_npz(x)),
    "why_no_grad": ("tape", lambda x: graph.why_no_grad(torch.ones(1), None, x)),
    "memory": ("tape", lambda x: graph.memory(x)),
    "first_bad": ("tape", lambda x: graph.first_bad(x)),
    "formula": ("name", lambda x: graph.formula(x)),
    "make_dot": ("var", lambda x: graph.make_dot(x)),
    "draw_dot": ("root", lambda x: graph.draw_dot(x)),
    "draw_graph": ("model", lambda x: graph.draw_graph(x, input_size=(1, 2))),
    "summary": ("model", lambda x: graph.summary(x)),
    "col_names": ("col_names", lambda x: graph.summary(torch.nn.ReLU(), col_names=x)),
    "dtypes": ("dtypes", lambda x: graph.summary(torch.nn.ReLU(), (1, 2), dtypes=x)),
    "fit": ("model", lambda x: training.fit(x, [], [], lambda y, t: y, 1)),
    "evaluate": ("model", lambda x: training.evaluate(x, [], lambda y, t: y)),
    "predict": ("inputs", lambda x: training.predict(torch.nn.ReLU(), x)),
    "compare": ("variants", lambda x: training.compare(x)),
    "EarlyStopping": ("patience", lambda x: training.EarlyStopping(x)),
    "threshold": ("threshold", lambda x: training.EarlyStopping(threshold=x)),
    "Checkpoint": ("parts", lambda x: training.Checkpoint("a", x, [], {})),
    "check_op": ("kinks", lambda x: testing.check_op(torch.exp, kinks=x)),
    "order": ("order", lambda x: testing.check_op(torch.exp, order=x)),
    "vjp": ("vjp", lambda x: testing.check_op(torch.exp, vjp=x)),
    "reference": ("reference", lambda x: testing.check_op(torch.exp, reference=x)),
    "settings": ("settings", lambda x: testing.check_op(torch.exp, settings=x)),
    "check_module": ("causal", lambda x: testing.check_module(torch.nn.ReLU(), causal=x)),
    "check_grads": ("f", lambda x: testing.check_grads(x, [])),
    "modes": ("modes", lambda x: testing.check_grads(torch.exp, [], modes=x)),
    "check_engine": ("against", lambda x: testing.check_engine(against=x)),
}


@pytest.mark.parametrize(("argument", "call"), CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("wrong", [object(), 2.5j])
def test_an_argument_of_a_wrong_type_is_named(argument, call, wrong):
    with pytest.raises(TypeError, match=rf"argument '{argument}' must be .*, not {type(wrong).__name__}"):
        call(wrong)


@pytest.mark.parametrize(
    "check",
    [
        lambda **options: testing.check_op(torch.exp, **options),
        lambda **options: testing.check_module(torch.nn.ReLU(), **options),
    ],
)
def test_a_wrong_option_is_not_blamed_on_the_operation(check):
    with pytest.raises(ValueError, match="kinks must be one of move, accept"):
        check(kinks="a")


def test_a_patience_or_threshold_that_is_no_number():
    with pytest.raises(TypeError, match="'patience' must be int"):
        training.EarlyStopping(float("nan"))
    with pytest.raises(ValueError, match="threshold >= 0"):
        training.EarlyStopping(threshold=float("nan"))


def test_a_tolerance_that_is_no_number():
    with pytest.raises(ValueError, match="rtol must be at least 0, got nan"):
        TAPE.diff(TAPE, rtol=float("nan"))


def test_an_npz_file_that_could_not_be_written_is_as_it_was(tmp_path, monkeypatch):
    TAPE.to_npz(tmp_path / "tape.npz")
    before = (tmp_path / "tape.npz").read_bytes()

    def fail(*args, **kwargs):
        args[0].write(b"a part")
        raise MemoryError

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(MemoryError):
        TAPE.to_npz(tmp_path / "tape.npz")
    assert (tmp_path / "tape.npz").read_bytes() == before


def test_other_types_that_are_meant_to_work(tmp_path):
    TAPE.draw(collapse="0")
    TAPE.to_npz(tmp_path / "tape.npz")
    training.Progress(file=io.StringIO())
    testing.check_grads(torch.exp, torch.ones(1, dtype=torch.float64, requires_grad=True), modes="rev")

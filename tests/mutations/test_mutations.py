"""The property tests catch faults that are planted in the library: a few of them, or six hundred with --thorough."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from types import FunctionType
from unittest.mock import patch

import pytest

import microgad as torch
from microgad.ops.elementwise import Neg

from . import judge
from .__main__ import reach
from .collection import THOROUGH, chosen, faults_at
from .fault import Fault
from .judge import caught, explanation, real
from .misses import MISSES
from .operators import mutants
from .targets import entries_of, functions

GATE = 16  # faults, in less than 20 seconds
FEW = 120  # inputs that show, without --thorough, whether a fault that isn't caught changes anything


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        faults = chosen(THOROUGH if metafunc.config.getoption("--thorough") else GATE)
        metafunc.parametrize("fault", faults, ids=lambda fault: fault.name)


def test_the_likely_mistake_is_right_for_four_of_five_faults(pytestconfig):
    """Faults of the named kinds are diagnosed from the example that hypothesis shrinks to."""
    thorough = pytestconfig.getoption("--thorough")
    faults = [fault for fault in chosen(THOROUGH) if fault.pattern][:: 5 if thorough else 80]
    answers = [(fault.name, fault.pattern, explanation(fault)) for fault in faults]
    answers = [(name, pattern, mistake) for name, pattern, mistake in answers if mistake is not None]
    wrong = [(name, mistake) for name, pattern, mistake in answers if not re.search(pattern, mistake)]
    assert len(answers) >= len(faults) // 2
    assert len(wrong) <= len(answers) / 5, wrong


def test_a_fault_is_caught_or_changes_nothing(fault, pytestconfig):
    inputs = None
    if not pytestconfig.getoption("--thorough"):
        inputs, fault = FEW, replace(fault, entries=fault.entries[:2])
    assert not real(fault, inputs) or caught(fault) is not None or fault.name in MISSES


def test_each_derivative_of_the_library_has_a_fault():
    assert reach(chosen(THOROUGH)) == 0


def test_planting_restores_every_class():
    """After the context of a planted fault, every class is as it was before."""
    before = {cls: (dict(vars(cls)), cls.inputs) for cls in functions()}
    for fault in chosen(THOROUGH)[::20]:
        with fault.plant():
            pass
    for cls, (attributes, inputs) in before.items():
        methods = {name: x for name, x in attributes.items() if isinstance(x, FunctionType)}
        assert {name: vars(cls)[name] for name in methods} == methods
        assert vars(cls).get("transposed") is attributes.get("transposed")
        assert cls.inputs == inputs


def test_a_fault_is_planted_only_within_its_context():
    fault = next(fault for fault in faults_at("Neg.grad_x") if fault.name == "sign: Neg.grad_x: wrapped")
    x = torch.tensor([1.0], requires_grad=True)
    with fault.plant():
        assert torch.autograd.grad(-x, x)[0].tolist() == [1.0]
    assert torch.autograd.grad(-x, x)[0].tolist() == [-1.0]
    assert real(fault, FEW) == "first: other numbers"
    assert "`derivatives`" in str(caught(fault))
    assert explanation(fault).startswith("a sign")


def less_half(a, b):
    return a - b / 2


def test_each_mutant_of_a_function_has_one_change():
    found = [(kind, FunctionType(code, {})(8.0, 6.0)) for kind, _, code in mutants(less_half)]
    assert found == [
        ("sign", -5), ("factor 2", 10),
        ("operation", 11), ("dropped term", 8), ("dropped term", 3), ("operands exchanged", -5),
        ("operation", -4), ("dropped factor", 2), ("dropped factor", 6), ("operands exchanged", pytest.approx(23 / 3)),
        ("off by one", 6), ("off by one", 2),
    ]  # fmt: skip


def test_a_fault_that_changes_nothing_is_not_real():
    assert real(Fault("none", "", "", nullcontext, entries_of(Neg)), FEW) == ""


def test_a_fault_that_hangs_the_library_is_caught(monkeypatch):
    """The example hangs again when hypothesis runs it again."""

    def hang(*_):
        while True:
            pass

    monkeypatch.setattr(judge, "TIME_LIMIT", 0.5)
    assert caught(Fault("hangs", "", "", lambda: patch.object(Neg, "forward", hang), entries_of(Neg)[:1])) is not None

"""Every optimizer of optim_db but SparseAdam."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import torch
from torch.testing._internal.common_optimizers import (
    OptimizerErrorEnum,
    _get_optim_inputs_including_global_cliquey_kwargs,
    optim_db,
)

import microgad

from .twins import Twins, converted, quietly, swapped

INFOS = {info.name: info for info in optim_db if info.name != "SparseAdam"}
STEPS = 10
# What ten steps with optim_db's arguments don't come to: averages that have begun, momenta that have grown, bounds.
MORE: dict[str, list[dict[str, Any]]] = {
    "ASGD": [{"t0": 3, "alpha": 0.5, "lambd": 0.3, "lr": 0.1}],
    "Adafactor": [{"eps": (0.5, 0.1), "lr": 0.5}],
    "NAdam": [{"momentum_decay": 0.7, "lr": 0.1}],
    "RAdam": [{"betas": (0.5, 0.9), "lr": 0.1}, {"betas": (0.5, 0.3), "lr": 0.1}],
    "Rprop": [{"step_sizes": (0.008, 0.02), "etas": (0.9, 1.9)}],
}
each = pytest.mark.parametrize("name", INFOS)
quiet = pytest.mark.filterwarnings("ignore")


def configurations(name: str, dtype: str) -> list[Any]:
    """All sets of arguments; in float32 also with foreach and fused, which change nothing here, on and off."""
    found = _get_optim_inputs_including_global_cliquey_kwargs("cpu", None, INFOS[name], skip=("differentiable",))
    plain = [each.kwargs for each in INFOS[name].optim_inputs_func("cpu")] + MORE.get(name, [])
    switched = [each.kwargs for each in found if not isinstance(each.kwargs.get("lr"), torch.Tensor)]
    return plain + switched * (dtype == "float32")


def dtypes(name: str) -> list[str]:
    return ["float32", "float64", *(["complex64", "complex128"] if INFOS[name].supports_complex else [])]


@each
def test_steps(name: str) -> None:
    """A parameter without gradient in the fourth step keeps its value and its state."""
    for dtype in dtypes(name):
        for options in configurations(name, dtype):
            twins = Twins(name, options, dtype)
            for t in range(STEPS):
                twins.step(skipped=1 if t == 3 else None)
                twins.check()


@each
@quiet
def test_schedules(name: str) -> None:
    for rules in INFOS[name].scheduler_inputs:
        for lr in (0.05, torch.tensor(0.05, dtype=torch.float64)):
            if name == "LBFGS" and isinstance(lr, torch.Tensor):
                continue  # torch's keeps the learning rate itself for the last step's length, and schedules write in it
            twins = Twins(name, {"lr": lr})
            twins.schedule(rules)
            for _ in range(2 * STEPS):
                twins.step()
                twins.check()


@each
def test_state_goes_both_ways(name: str) -> None:
    """Each goes on from the other's state to the same values."""
    for options in INFOS[name].optim_inputs_func("cpu"):
        for dtype in dtypes(name):
            twins = Twins(name, options.kwargs, dtype)
            for _ in range(3):
                twins.step()
            mine, other = copy.deepcopy(twins.mine.state_dict()), copy.deepcopy(twins.other.state_dict())
            twins.mine.load_state_dict(converted(other, microgad.from_numpy))
            twins.other.load_state_dict(converted(mine, torch.from_numpy))
            for p, q in zip(twins.ours, twins.theirs, strict=True):
                a, b = p.array.copy(), q.detach().numpy().copy()
                p.array[...], q.data[...] = b, torch.from_numpy(a)
            for _ in range(3):
                twins.step()
                twins.check()


@each
def test_groups_and_names(name: str) -> None:
    def named(params: Any, lib: Any) -> Any:
        return [{"params": [("first", params[0])]}, {"params": [*zip("abcd", params[1:], strict=False)], "lr": 0.02}]

    def grouped(params: Any, lib: Any) -> Any:
        return [{"params": params[0]}, {"params": params[1:], "lr": 0.02}]

    for make in (grouped, named) if INFOS[name].supports_param_groups else ():
        twins = Twins(name, {"lr": 0.1}, make=make)
        assert repr(twins.mine) == repr(twins.other)
        for _ in range(3):
            twins.step()
            twins.check()


@each
def test_a_group_added_later(name: str) -> None:
    if INFOS[name].supports_param_groups:
        twins = Twins(name, {}, make=lambda params, lib: params[:1])
        twins.step()
        twins.mine.add_param_group({"params": twins.ours[1:], "lr": 0.3})
        twins.other.add_param_group({"params": twins.theirs[1:], "lr": 0.3})
        for _ in range(3):
            twins.step()
            twins.check()


@each
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies(name: str, copied: Any) -> None:
    twins = Twins(name, {})
    twins.step()
    if name == "LBFGS":
        pytest.skip("torch's copies of it have lost their parameters")
    twins.mine, twins.other = copied(twins.mine), copied(twins.other)
    twins.ours, twins.theirs = twins.mine.param_groups[0]["params"], twins.other.param_groups[0]["params"]
    twins.step()
    twins.check()


@each
def test_arguments(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(lib.optim, name)).parameters.values() for lib in (microgad, torch))
    assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in theirs]


@each
def test_errors(name: str) -> None:
    """By the same class (a warning is one), in words that optim_db gives."""
    for case in INFOS[name].optim_error_inputs_func("cpu", torch.float32):
        given = case.optimizer_error_input
        params = [torch.nn.Parameter(torch.ones(2, 2))] if given.params is None else given.params

        def program(
            lib: Any, params: Any, kwargs: Any, late: bool = case.error_on is OptimizerErrorEnum.STEP_ERROR
        ) -> None:
            optimizer = getattr(lib.optim, name)(params, **kwargs)
            if late:
                optimizer.step()

        ours = quietly(program, microgad, swapped(params), swapped(given.kwargs))
        assert isinstance(ours, case.error_type), (given.desc, ours)
        assert pytest.raises(case.error_type, match=case.error_regex), given.desc
        with pytest.raises(case.error_type, match=case.error_regex):
            raise ours

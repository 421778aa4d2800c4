"""Every optimizer of optim_db except SparseAdam gives torch's steps, state, schedules, copies and errors."""

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

from .pairs import OptimizerPair, as_microgad, converted, first_error_or_warning

INFOS = {info.name: info for info in optim_db if info.name != "SparseAdam"}
STEPS = 10
FEWER_STEPS = 2  # with switches that choose torch's implementation: the first makes the state, the second uses it
# Options with which ten steps reach what optim_db's don't: averages that have started, large momenta, bounds.
MORE_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "ASGD": [{"t0": 3, "alpha": 0.5, "lambd": 0.3, "lr": 0.1}],
    "Adafactor": [{"eps": (0.5, 0.1), "lr": 0.5}],
    "NAdam": [{"momentum_decay": 0.7, "lr": 0.1}],
    "RAdam": [{"betas": (0.5, 0.9), "lr": 0.1}, {"betas": (0.5, 0.3), "lr": 0.1}],
    "Rprop": [{"step_sizes": (0.008, 0.02), "etas": (0.9, 1.9)}],
}
each = pytest.mark.parametrize("name", INFOS)
ignore_warnings = pytest.mark.filterwarnings("ignore")


def configurations(name: str, dtype: str) -> list[tuple[dict[str, Any], int]]:
    """All sets of arguments and the steps for each.

    In float32 also those with foreach and fused, which microgad ignores.
    """
    found = _get_optim_inputs_including_global_cliquey_kwargs("cpu", None, INFOS[name], skip=("differentiable",))
    plain = [each.kwargs for each in INFOS[name].optim_inputs_func("cpu")] + MORE_OPTIONS.get(name, [])
    switched = [each.kwargs for each in found if "fused" in each.kwargs]
    switched = [options for options in switched if not isinstance(options.get("lr"), torch.Tensor)]
    switched += [{"foreach": True}] * ("foreach" in INFOS[name].supported_impls)  # PyTorch's inputs on a CPU lack it
    more = [(options, FEWER_STEPS) for options in switched] if dtype == "float32" else []
    return [(options, STEPS) for options in plain] + more


def dtypes(name: str) -> list[str]:
    return ["float32", "float64", *(["complex64", "complex128"] if INFOS[name].supports_complex else [])]


@each
def test_steps_give_torchs_parameters_and_state(name: str, pytestconfig: pytest.Config) -> None:
    """A parameter without gradient in the fourth step keeps its value and its state."""
    least = STEPS if pytestconfig.getoption("--thorough") else 0
    for dtype in dtypes(name):
        for options, steps in configurations(name, dtype):
            pair = OptimizerPair(name, options, dtype)
            for t in range(max(steps, least)):
                pair.step(skipped=1 if t == 3 else None)
                pair.check()


@each
@ignore_warnings
def test_schedulers_give_torchs_learning_rates(name: str) -> None:
    for rules in INFOS[name].scheduler_inputs:
        for lr in (0.05, torch.tensor(0.05, dtype=torch.float64)):
            if name == "LBFGS" and isinstance(lr, torch.Tensor):
                continue  # torch's state holds the learning rate Tensor itself, which schedulers write to
            pair = OptimizerPair(name, {"lr": lr})
            pair.schedule(rules)
            for _ in range(2 * STEPS):
                pair.step()
                pair.check()


@each
def test_each_library_continues_from_the_others_state_dict(name: str, pytestconfig: pytest.Config) -> None:
    """After they load each other's state_dict and parameters, further steps agree."""
    found = dtypes(name)
    for options in INFOS[name].optim_inputs_func("cpu"):
        for dtype in found if pytestconfig.getoption("--thorough") else (found[0], found[-1]):  # both precisions
            pair = OptimizerPair(name, options.kwargs, dtype)
            for _ in range(3):
                pair.step()
            mine, other = (copy.deepcopy(o.state_dict()) for o in (pair.ours, pair.theirs))
            pair.ours.load_state_dict(converted(other, microgad.from_numpy))
            pair.theirs.load_state_dict(converted(mine, torch.from_numpy))
            for p, q in zip(pair.our_params, pair.their_params, strict=True):
                a, b = p.array.copy(), q.detach().numpy().copy()
                p.array[...], q.data[...] = b, torch.from_numpy(a)
            for _ in range(3):
                pair.step()
                pair.check()


@each
def test_parameter_groups_and_named_parameters(name: str) -> None:
    def named(params: Any, lib: Any) -> Any:
        return [{"params": [("first", params[0])]}, {"params": [*zip("abcd", params[1:], strict=False)], "lr": 0.02}]

    def grouped(params: Any, lib: Any) -> Any:
        return [{"params": params[0]}, {"params": params[1:], "lr": 0.02}]

    for make in (grouped, named) if INFOS[name].supports_param_groups else ():
        pair = OptimizerPair(name, {"lr": 0.1}, make=make)
        assert repr(pair.ours) == repr(pair.theirs)
        for _ in range(3):
            pair.step()
            pair.check()


@each
def test_add_param_group(name: str) -> None:
    if INFOS[name].supports_param_groups:
        pair = OptimizerPair(name, {}, make=lambda params, lib: params[:1])
        pair.step()
        pair.ours.add_param_group({"params": pair.our_params[1:], "lr": 0.3})
        pair.theirs.add_param_group({"params": pair.their_params[1:], "lr": 0.3})
        for _ in range(3):
            pair.step()
            pair.check()


@each
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_deepcopy_and_pickle(name: str, copied: Any) -> None:
    pair = OptimizerPair(name, {})
    pair.step()
    if name == "LBFGS":
        pytest.skip("torch's copies of it lose their parameters")
    pair.ours, pair.theirs = copied(pair.ours), copied(pair.theirs)
    optimizers = pair.ours, pair.theirs
    pair.our_params, pair.their_params = (o.param_groups[0]["params"] for o in optimizers)
    pair.step()
    pair.check()


@each
def test_signature_is_torchs(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(lib.optim, name)).parameters.values() for lib in (microgad, torch))
    assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in theirs]


@each
def test_errors_have_torchs_class_and_message(name: str) -> None:
    """The error or warning has the class and message that optim_db expects."""
    for case in INFOS[name].optim_error_inputs_func("cpu", torch.float32):
        inputs = case.optimizer_error_input
        params = [torch.nn.Parameter(torch.ones(2, 2))] if inputs.params is None else inputs.params

        def program(
            lib: Any, params: Any, kwargs: Any, in_step: bool = case.error_on is OptimizerErrorEnum.STEP_ERROR
        ) -> None:
            optimizer = getattr(lib.optim, name)(params, **kwargs)
            if in_step:
                optimizer.step()

        ours = first_error_or_warning(program, microgad, as_microgad(params), as_microgad(inputs.kwargs))
        assert isinstance(ours, case.error_type), (inputs.desc, ours)
        with pytest.raises(case.error_type, match=case.error_regex):
            raise ours

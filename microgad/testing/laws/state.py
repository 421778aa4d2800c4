"""Laws of a module's state, checked on copies of it: parameters, modes, state_dict, copies, pickling."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import backend
from ...errors import FROM_FORWARD, DtypeError
from ...function import AccumulateGrad
from ...generator import default_generator
from ...gradients import backward
from ...nn import Module
from ...pytree import tree_leaves
from ...tensor import Tensor
from ..calls import max_abs, nodes_behind
from .assertions import ROUNDINGS, assert_agree
from .module_case import ModuleCase

STEP = 0.25  # the learning rate of a training step


def registered(case: ModuleCase) -> None:
    """Every Tensor that requires grad, or that the results depend on, is an input, a parameter or a buffer."""
    module = copy.deepcopy(case.module).train(case.training)
    known = [*case.given, *module.parameters()]
    try:
        outs = case.run(module)
    except DtypeError as error:
        raise AssertionError(
            f"{error}. `.double()` converted the module, but only what is registered in it: is a parameter, or "
            "a module, in a plain list, or is a Tensor made in forward?"
        ) from error
    for node in nodes_behind(outs):
        tensor = node.tensor() if isinstance(node, AccumulateGrad) else None
        if tensor is not None and not any(tensor is x for x in known):
            raise AssertionError(
                f"a Tensor {tuple(tensor.shape)} that requires grad is neither an input nor one of the parameters "
                f"({', '.join(case.function.names) or 'there are none'}): is it, or its module, in a plain list?"
            )
    for i, (name, tensor) in enumerate(_plain_attributes(case.module)):
        other = copy.deepcopy(case.module).train(case.training)
        _change(_plain_attributes(other)[i][1], 1)
        try:
            changed = case.run(other)
        except FROM_FORWARD:  # such as an index that is out of range now
            continue
        if not all(np.array_equal(y.array, z.array, equal_nan=True) for y, z in zip(changed, outs, strict=True)):
            raise AssertionError(
                f"the results depend on {name}, a Tensor {tuple(tensor.shape)} that is no parameter and no buffer: "
                "state_dict leaves it out, .double() and .to() don't convert it: use nn.Parameter or register_buffer"
            )


def _plain_attributes(module: Module) -> list[tuple[str, Tensor]]:
    """Return the Tensors among the attributes of a module and its parts, also in lists and dicts, with their names."""
    known = [*module.parameters(), *module.buffers()]
    return [
        (f"{path}.{name}" if path else name, x)
        for path, part in module.named_modules()
        for name, value in vars(part).items()
        if name not in ("_parameters", "_buffers", "_modules")
        for x in tree_leaves(value)
        if isinstance(x, Tensor) and not any(x is y for y in known)
    ]


def modes(case: ModuleCase) -> None:
    """train() followed by eval() restores the results. In eval mode nothing is drawn, and no buffer changes."""
    module = copy.deepcopy(case.module).eval()
    buffers = _bytes(module.buffers())
    first = case.run(module)
    drawn = default_generator.snapshot()
    case.start_draws()
    if (default_generator.snapshot() != drawn).any():
        raise AssertionError("in eval mode it draws random numbers: does it pass `self.training` on?")
    if _bytes(module.buffers()) != buffers:
        raise AssertionError("in eval mode a call changes a buffer")
    for mode in (True, False):
        module.train(mode)
        others = [name or "the module" for name, part in module.named_modules() if part.training is not mode]
        if others:
            raise AssertionError(f"train({mode}) leaves {', '.join(others)} in the other mode")
    _same(case.run(module), first, "after train() and eval()")


def state_dict(case: ModuleCase) -> None:
    """Loading a state_dict into a copy that was trained since restores the results."""
    module = copy.deepcopy(case.module).eval()
    expected = case.run(module)
    other = copy.deepcopy(module)
    _train(case, other)
    other.load_state_dict(module.state_dict())
    _same(case.run(other.eval()), expected, "with the state_dict loaded")


def deepcopy(case: ModuleCase) -> None:
    """A deep copy has the same results, and training it leaves the original as it was."""
    module = copy.deepcopy(case.module).eval()
    expected = case.run(module)
    other = copy.deepcopy(module)
    _same(case.run(other), expected, "of a deep copy")
    before = _bytes([*module.parameters(), *module.buffers()])
    _train(case, other)
    if _bytes([*module.parameters(), *module.buffers()]) != before:
        raise AssertionError("training a deep copy changes the original's parameters or buffers")
    if any(p.grad is not None for p in module.parameters()):
        raise AssertionError("training a deep copy gives the original's parameters gradients")
    _same(case.run(module), expected, "of the original, after a deep copy was trained,")


def pickles(case: ModuleCase) -> None:
    """If the module can be pickled, the unpickled one has the same results. If it can't, the report says so."""
    module = copy.deepcopy(case.module).eval()
    try:
        data = pickle.dumps(module)
    except Exception as error:  # it has a lambda, or its class is defined in a function
        case.not_checked[pickles.__name__] = f"{case.module.__class__.__name__} can't be pickled: {error}"
        return
    _same(case.run(pickle.loads(data)), case.run(module), "after pickle")


def zero_grad(case: ModuleCase) -> None:
    """After zero_grad() a backward pass gives the same gradients as the first one."""
    module = copy.deepcopy(case.module).train(case.training)
    parameters = dict(module.named_parameters())
    buffers = [b.array.copy() for b in module.buffers()]  # on which the result may depend
    _backward(case.run(module))
    first = {name: p.grad.array.copy() for name, p in parameters.items() if p.grad is not None}
    module.zero_grad()
    for name, p in parameters.items():
        if p.grad is not None and max_abs(p.grad.array):
            raise AssertionError(f"after zero_grad() {name} has the gradient {p.grad.array}")
    for b, before in zip(module.buffers(), buffers, strict=True):
        b.array[...] = before
    _backward(case.run(module))
    for name, g in first.items():
        again = parameters[name].grad
        if again is None:
            raise AssertionError(f"after zero_grad() backward gives {name} no gradient")
        assert_agree(again.array, g, _tolerance(g), f"after zero_grad() the gradient of {name}")


def _train(case: ModuleCase, module: Module) -> None:
    """Take a training step in which every parameter and every saved buffer changes."""
    mode = module.training
    _backward(case.run(module.train(case.training)))
    trained = list(module.parameters())
    for p in trained:
        _change(p, STEP * (1 if p.grad is None else 1 + p.grad.array))
    for b in module.state_dict().values():
        if not any(b.array is p.array for p in trained):
            _change(b, 1)
    module.train(mode)


def _change(x: Tensor, by: Any) -> None:
    """Change every element: floats by `by`, integers by 1, booleans to their opposite."""
    x.array[...] = ~x.array if x.array.dtype.kind == "b" else x.array - (by if x.array.dtype.kind in "fc" else 1)


def _backward(outs: Sequence[Tensor]) -> None:
    losses = [y.sum() for y in outs if y.requires_grad]
    if losses:
        backward(losses)


def _bytes(tensors: Any) -> list[bytes]:
    return [backend.to_numpy(t.array).tobytes() for t in tensors]


def _same(found: Sequence[Tensor], expected: Sequence[Tensor], how: str) -> None:
    for k, (y, z) in enumerate(zip(found, expected, strict=True)):
        assert_agree(y.array, z.array, _tolerance(z.array), f"{how} output {k}")


def _tolerance(x: Any) -> float:
    return ROUNDINGS * 2.0**-52 * max_abs(x)

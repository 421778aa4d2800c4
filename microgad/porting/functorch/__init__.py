"""The package functorch: torch.func under its old names, and modules as functions of their parameters."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ... import func as _func
from ...errors.notices import warn
from ...nn import Module
from ...nn.stateless import functional_call as _functional_call
from ...ops.movement import stack as _stack
from ...tensor import Tensor
from ..torch_modules.version import __version__ as __version__

Tensors = tuple[Tensor, ...]


def _deprecated(new: str) -> Callable[[Callable[..., Any]], Any]:
    """Make a decorator of functions whose calls warn, as PyTorch does, that `new` replaces them."""

    def decorated(f: Callable[..., Any]) -> Any:
        @functools.wraps(f)
        def called(*args: Any, **kwargs: Any) -> Any:
            message = f"`functorch.{f.__name__}` is deprecated as of PyTorch 2.0. Please use `{new}` instead"
            warn(message, FutureWarning)
            return f(*args, **kwargs)

        return called

    return decorated


grad, grad_and_value, vjp, jvp, jacrev, jacfwd, hessian, functionalize = (
    _deprecated(f"torch.func.{f.__name__}")(f)
    for f in (
        _func.grad, _func.grad_and_value, _func.vjp, _func.jvp, _func.jacrev, _func.jacfwd, _func.hessian,
        _func.functionalize,
    )
)  # fmt: skip
vmap = _deprecated("torch.vmap")(_func.vmap)


class FunctionalModuleWithBuffers(Module):
    """A module as a function of its parameters and buffers. Source: functorch.FunctionalModuleWithBuffers."""

    def __init__(self, stateless_model: Module) -> None:
        super().__init__()
        self.stateless_model = stateless_model
        self.param_names = tuple(name for name, _ in stateless_model.named_parameters())
        self.buffer_names = tuple(name for name, _ in stateless_model.named_buffers())

    def forward(self, params: Iterable[Tensor], buffers: Iterable[Tensor], *args: Any, **kwargs: Any) -> Any:
        state = dict(zip((*self.param_names, *self.buffer_names), (*params, *buffers), strict=False))
        return _functional_call(self.stateless_model, state, args, kwargs)


class FunctionalModule(FunctionalModuleWithBuffers):
    """A module without buffers as a function of its parameters. Source: functorch.FunctionalModule."""

    def forward(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> Any:
        return super().forward(params, (), *args, **kwargs)


def _state(model: Module, disable_autograd_tracking: bool = False) -> tuple[Module, Tensors, Tensors]:
    """Return a copy of the module with the copy's parameters and buffers."""
    copied = copy.deepcopy(model)
    params = tuple(copied.parameters())
    if disable_autograd_tracking:
        for p in params:
            p.requires_grad_(False)
    return copied, params, tuple(copied.buffers())


@_deprecated("torch.func.functional_call")
def make_functional_with_buffers(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[FunctionalModuleWithBuffers, Tensors, Tensors]:
    """Return func(params, buffers, *inputs) with copies of both. Source: functorch.make_functional_with_buffers.

    >>> import warnings
    >>> from microgad.porting.functorch import make_functional_with_buffers
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     func, params, buffers = make_functional_with_buffers(nn.BatchNorm1d(2, affine=False).eval())
    >>> func(params, [buffers[0] + 3, *buffers[1:]], torch.ones(1, 2)).round()
    tensor([[-2., -2.]])
    """
    copied, params, buffers = _state(model, disable_autograd_tracking)
    return FunctionalModuleWithBuffers(copied), params, buffers


@_deprecated("torch.func.functional_call")
def make_functional(model: Module, disable_autograd_tracking: bool = False) -> tuple[FunctionalModule, Tensors]:
    """Return func(params, *inputs) with copies of the module's parameters. Source: functorch.make_functional.

    Raises RuntimeError for a module that has buffers.

    >>> import warnings
    >>> from microgad.porting.functorch import make_functional
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     func, (weight,) = make_functional(nn.Linear(2, 1, bias=False))
    >>> func([torch.ones_like(weight)], torch.tensor([3.0, 4.0]))
    tensor([7.])
    """
    if next(model.buffers(), None) is not None:
        raise RuntimeError(
            "make_functional(model): `model` has buffers. Please use make_functional_with_buffers(model) instead."
        )
    copied, params, _ = _state(model, disable_autograd_tracking)
    return FunctionalModule(copied), params


@_deprecated("torch.func.stack_module_state")
def combine_state_for_ensemble(models: Sequence[Module]) -> tuple[FunctionalModuleWithBuffers, Tensors, Tensors]:
    """Return one function and the stacked states of models, for vmap. Source: functorch.combine_state_for_ensemble.

    Raises RuntimeError if there are no models, or if they differ in class or in training mode.

    >>> import warnings
    >>> from microgad.porting.functorch import combine_state_for_ensemble
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     func, params, _ = combine_state_for_ensemble([nn.Linear(2, 3) for _ in range(5)])
    >>> torch.vmap(func, (0, 0, None))(params, (), torch.ones(4, 2)).shape
    torch.Size([5, 4, 3])
    """
    if len(models) == 0:
        raise RuntimeError("combine_state_for_ensemble: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("combine_state_for_ensemble: Expected all models to have the same training/eval mode.")
    if len(set(map(type, models))) > 1:
        raise RuntimeError("combine_state_for_ensemble: Expected all models to be of the same class.")
    copies, params, buffers = zip(*map(_state, models), strict=True)
    stacked = [tuple(_stack(same).detach() for same in zip(*states, strict=True)) for states in (params, buffers)]
    return FunctionalModuleWithBuffers(copies[0]), stacked[0], stacked[1]

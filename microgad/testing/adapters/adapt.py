"""adapt: turn anything that has a derivative into a callable on Tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ... import autograd
from ...errors import ArgumentError, DtypeError
from ...function import Function
from ...nn import Module
from .from_numpy import numpy_function
from .from_torch import torch_function
from .names import is_from, name_of, without_partials


def adapt(target: Any, vjp: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return `target` as a callable on Tensors.

    - For a subclass of Function or of autograd.Function, its `apply`.
    - For a subclass of torch.autograd.Function, a torch.nn.Module or a function of torch, its `torch_function`. Wrap
      functions of your own that call torch in `torch_function` yourself.
    - For a NumPy function with `vjp`, its derivative, an operation that computes with the two. `vjp(grad, *args)` gets
      the gradient of the result (a tuple for several results) and the arguments of the function, keyword arguments
      included. It returns a gradient for each array among these, None if there is none, or a tuple with one for every
      positional argument. For complex arrays that is grad · f'(z), as in a Function, without a conjugate.
    - For a functools.partial of one of these classes, a partial of its `apply`.
    - Any other callable, such as a Module or a function on Tensors, is returned unchanged.

    A vjp that uses only NumPy functions known to Tensors and reads only its arguments is recorded under create_graph,
    and so has derivatives itself. For any other vjp the second derivative raises RuntimeError.

    Raises TypeError if `target` can't be called. Raises ValueError if it is a class of which an instance is needed, a
    module whose parameters aren't float64, or has a derivative of its own besides `vjp`. When the callable is
    differentiated, it raises RuntimeError if `vjp` returns a wrong number of gradients or one of a wrong shape, and
    TypeError if one isn't floating-point.

    >>> def cube(x): return x**3
    >>> cubed = adapt(cube, vjp=lambda grad, x: grad * 3 * x**2)
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> torch.autograd.grad(cubed(x).sum(), x)
    (tensor([ 3., 12.]),)
    """
    if not callable(target) or isinstance(target, Function):
        raise DtypeError(f"expected a function, a Function or a Module to check, got {type(target).__name__}")
    _refuse_single_precision(target)
    if vjp is not None:
        if isinstance(target, (type, Module)) or is_from(target, "torch"):
            raise ArgumentError(f"{name_of(target)} has a derivative of its own: vjp is for NumPy functions")
        return numpy_function(target, vjp)
    if isinstance(target, functools.partial) and isinstance(target.func, type):
        return functools.partial(adapt(target.func), *target.args, **target.keywords)
    if is_from(target, "torch"):
        return torch_function(target)
    if isinstance(target, type):
        if not issubclass(target, (Function, autograd.Function)):
            raise ArgumentError(f"{target.__name__} is a class: pass an instance of it")
        return target.apply
    return target


def _refuse_single_precision(target: Any) -> None:
    """Raise ArgumentError for a module, microgad's or torch's, with parameters that aren't float64."""
    module = getattr(without_partials(target), "__self__", without_partials(target))
    if isinstance(module, Module) or (is_from(module, "torch") and hasattr(module, "named_parameters")):
        for name, p in () if isinstance(module, type) else module.named_parameters():
            if p.is_floating_point() and str(p.dtype) != "torch.float64":
                raise ArgumentError(
                    f"{name_of(target)}: its parameter {name} is {p.dtype}, but derivatives are checked in float64. "
                    "Pass module.double()"
                )

"""Turn torch functions into functions on Tensors, with torch's derivatives. Only this file imports PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from ... import backend
from ...errors import ArgumentError, DtypeError, GraphError
from ...generator import default_generator
from ...pytree import tree_leaves
from ...tensor import Tensor
from .foreign import Arguments, arrays_of, as_tuple, named_after, node_class, packed, unpacked


def torch_function(f: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function on torch's tensors, or a subclass of torch.autograd.Function, into a function on Tensors.

    Tensors and arrays, also those in lists, tuples and dicts, are passed to `f` as torch tensors of the same shape and
    dtype on the CPU; other arguments are passed unchanged. The tensors that `f` returns, nested or not, become one
    Tensor or a flat tuple, or arrays if all inputs are arrays. Derivatives of every order are torch's. Random draws in
    `f` continue microgad's default generator, whose stream equals torch's.

    The parameters of a torch.nn.Module are constants (make it `.double()` to check it in float64). To check their
    gradients as well, make them arguments:

        def call(x, *parameters):
            return torch.func.functional_call(module, dict(zip(names, parameters)), (x,))

        names = [name for name, _ in module.named_parameters()]
        check_grads(call, (x, *module.parameters()))

    Raises ModuleNotFoundError without PyTorch, ValueError if `f` is a class of which an instance is needed, and
    RuntimeError if torch has no derivative.
    """
    torch = _torch()
    function: Any = f
    if isinstance(f, type):
        if not issubclass(f, torch.autograd.Function):
            raise ArgumentError(f"{f.__name__} is a class: pass an instance of it")
        function = function.apply
    cls = node_class(f, _OfTorch)

    def called(*args: Any, **settings: Any) -> Any:
        arrays = arrays_of(args, settings)
        wants = tuple(isinstance(x, Tensor) and x.requires_grad for x in arrays)
        call = _Call(function, Arguments(args, settings), default_generator.snapshot(), wants)
        results = cls.apply(*arrays, call=call)
        default_generator.set_state(call.end)
        if type(results) is tuple and any(wants):
            results = tuple(y if on else y.detach() for y, on in zip(results, call.on_graph, strict=True))
        return unpacked(results)

    return named_after(f, called, "torch")


class _OfTorch:
    """Forward and derivative of the Functions that `torch_function` makes."""

    call: _Call | _Gradients
    needs: tuple[bool, ...]
    apply: ClassVar[Callable[..., Any]]

    def forward(self, *inputs: Any) -> Any:
        with _torch().random.fork_rng(devices=[]):
            results = self.call(*(_to_torch(x, want) for x, want in zip(inputs, self.call.wants, strict=True)))
        where = inputs[0] if inputs else None
        # Copied, since a result may be an input.
        return packed(tuple(backend.like(np.array(y.numpy(force=True)), where) for y in results))

    def grad_inputs(self, grad: Any, *inputs: Any) -> tuple[Any, ...]:
        grads = as_tuple(grad)
        call = _Gradients(type(self).__name__, self.call, len(grads), self.needs)
        found = iter(as_tuple(type(self).apply(*grads, *inputs, call=call)))
        return tuple(next(found) if need else None for need in self.needs)


class _Call:
    """A call of a torch function as a function of its tensors, with the same random draws each time."""

    end: Any  # the generator's state after the call
    on_graph: tuple[bool, ...]  # which results require grad

    def __init__(self, function: Callable[..., Any], arguments: Arguments, start: Any, wants: tuple[bool, ...]) -> None:
        self.function, self.arguments, self.start, self.wants = function, arguments, start, wants

    def __call__(self, *tensors: Any) -> tuple[Any, ...]:
        torch = _torch()
        args, settings = self.arguments.filled(tensors)
        torch.set_rng_state(torch.from_numpy(self.start))
        results = self.function(*args, **settings)
        self.end = torch.get_rng_state().numpy()
        found = tuple(y for y in tree_leaves(results) if isinstance(y, torch.Tensor))
        if not found:
            raise DtypeError(f"it returned a {type(results).__name__}, expected torch's tensors")
        self.on_graph = tuple(y.requires_grad for y in found)
        return found

    def __str__(self) -> str:
        return str(self.arguments)


class _Gradients:
    """The gradients of a call, as a function of the gradients of its results and of its inputs."""

    def __init__(self, name: str, call: _Call | _Gradients, results: int, needs: tuple[bool, ...]) -> None:
        self.name, self.call, self.results, self.needs = name, call, results, needs
        self.wants = (False,) * (results + len(needs))

    def __call__(self, *tensors: Any) -> tuple[Any, ...]:
        torch = _torch()
        grads, given = tensors[: self.results], tensors[self.results :]
        recorded = any(t.requires_grad for t in tensors)
        with torch.enable_grad():
            wanted = [x.requires_grad_() for x, need in zip(given, self.needs, strict=True) if need]
            pairs = [(y, g) for y, g in zip(self.call(*given), grads, strict=True) if y.requires_grad]
            if not pairs:
                return tuple(map(torch.zeros_like, wanted))
            outputs, seeds = zip(*pairs, strict=True)
            if recorded:  # torch reports a missing second derivative only for seeds on the graph
                seeds = tuple(g.view_as(g).requires_grad_() for g in seeds)
            try:
                found = torch.autograd.grad(
                    outputs, wanted, seeds, create_graph=recorded, allow_unused=True, materialize_grads=True
                )
            except RuntimeError as error:
                raise GraphError(f"torch gives no gradient of {self.name}: {error}") from error
        if recorded and _ends_in_an_error(found):
            raise GraphError(
                f"torch gives no second derivative of {self.name}: a backward on the way is once_differentiable. Check "
                "the first derivative alone (order=1)"
            )
        return tuple(found)

    def __str__(self) -> str:
        return f"gradients of {self.call}"


def _ends_in_an_error(tensors: Sequence[Any]) -> bool:
    """Whether the graph has an Error node, torch's mark of a missing derivative, which `grad` may bypass."""
    seen, stack = set(), [t.grad_fn for t in tensors]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            if node.name() == "torch::autograd::Error":
                return True
            seen.add(node)
            stack += [before for before, _ in node.next_functions]
    return False


def _to_torch(x: Any, requires_grad: bool) -> Any:
    """Return a torch tensor on the same memory, so that a function that writes into its inputs is detected."""
    array = backend.to_numpy(x)
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy()  # torch supports neither
    return _torch().from_numpy(array).requires_grad_(requires_grad)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        if error.name != "torch":  # it is there, but something that it needs isn't
            raise
        raise ModuleNotFoundError(
            "to check functions on torch's tensors, PyTorch has to be installed: pip install torch", name="torch"
        ) from None

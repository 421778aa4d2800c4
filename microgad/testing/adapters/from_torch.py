"""Functions on torch's tensors as functions on Tensors, with torch's derivatives. Only they import PyTorch."""

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
from .foreign import Arguments, arrays_of, named_after, node_class, packed, several, unpacked


def torch_function(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function on torch's tensors, or a subclass of torch.autograd.Function, as a function on Tensors.

    Tensors and arrays, also those in lists, tuples and dicts, reach `f` as torch's tensors of the same shape and dtype
    on the CPU, other arguments as they are. The tensors that `f` returns, nested or not, come back as one Tensor or a
    flat tuple; as arrays, if only arrays went in. Derivatives of every order are torch's, and `f` draws from microgad's
    default generator, whose stream is torch's.

    The parameters of a torch.nn.Module are constants (make it `.double()` to check it in float64). To check their
    gradients as well, make them arguments:

        def call(x, *parameters):
            return torch.func.functional_call(module, dict(zip(names, parameters)), (x,))

        names = [name for name, _ in module.named_parameters()]
        check_grads(call, (x, *module.parameters()))

    Raises ModuleNotFoundError where there is no PyTorch, ValueError where `f` is a class to make an instance of, and
    RuntimeError where torch has no derivative.
    """
    torch = _torch()
    function: Any = f
    if isinstance(f, type):
        if not issubclass(f, torch.autograd.Function):
            raise ArgumentError(f"{f.__name__} is a class whose instances can be checked: hand in one of them")
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
    """What the nodes do."""

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
        grads = several(grad)
        call = _Gradients(type(self).__name__, self.call, len(grads), self.needs)
        found = iter(several(type(self).apply(*grads, *inputs, call=call)))
        return tuple(next(found) if need else None for need in self.needs)


class _Call:
    """A function of torch's tensors, the other arguments given. It makes the same draws each time."""

    end: Any  # where the draws left the stream
    on_graph: tuple[bool, ...]  # which results torch can differentiate

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

    def __str__(self) -> str:  # how pictures show it
        return str(self.arguments)


class _Gradients:
    """The gradients of a call, as a call themselves: of the gradients of its results, and of its inputs."""

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
            if recorded:  # only of gradients that are on the graph does torch say that they can't be differentiated
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

    def __str__(self) -> str:  # how pictures show it
        return f"gradients of {self.call}"


def _ends_in_an_error(tensors: Sequence[Any]) -> bool:
    """Whether the graph has a node that stands for a missing derivative: torch.autograd.grad goes around it."""
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
    """On the same memory, so that a function that writes into its inputs is found out."""
    array = backend.to_numpy(x)
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy()  # torch has neither
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

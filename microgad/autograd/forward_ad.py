"""Forward-mode differentiation: dual Tensors, which carry a tangent. Source: torch.autograd.forward_ad.

Operations are recorded as for backward, and `unpack_dual` computes the tangent of a result by the double-backward
trick. So forward mode needs no derivatives of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from .. import errors, gradients, state
from ..backend import owner
from ..backend.memory_layout import geometry
from ..engine import leaves
from ..engine.paths import reachable
from ..function import AccumulateGrad, Function, numbers
from ..lazy import define_getattr as _define_getattr
from ..ops.elementwise import Flat
from ..state.contexts import binding, decorate
from ..tensor import Tensor
from ..view_writes.registry import base_of, live_views
from .forward_mode import ForwardObserver, gradient_edges
from .function import Function as CustomFunction
from .functional import jvp_of, on_memory_of

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

F = TypeVar("F", bound=Callable[..., Any])


class UnpackedDualTensor(NamedTuple):
    """A value and its tangent, which is None if it has none. Source: torch.autograd.forward_ad.UnpackedDualTensor.

    >>> torch.autograd.forward_ad.UnpackedDualTensor(torch.tensor(3.0), None)
    UnpackedDualTensor(primal=tensor(3.), tangent=None)
    """

    primal: Tensor
    tangent: Tensor | None


class _Dual(NamedTuple):
    """The graph node of a Tensor that `make_dual` has made, and its tangent.

    The Tensor gets another node when it is written to. `grad` takes this as an input, as it does a GradientEdge.
    """

    node: Function
    output_nr: int
    tangent: Tensor
    on_graph: bool  # whether the primal requires grad


class dual_level:
    """A block, or decorated function, in which Tensors may carry tangents. Only one level can be entered at a time.

    In the block operations are recorded, and so are gradients of dual Tensors, since tangents are found from the graph.
    What depends on nothing else that requires grad doesn't require grad, and leaves the graph when the block ends; if
    the block is entered under `no_grad`, no result requires grad, and parameters may be written to. Results computed in
    a `no_grad` block inside have tangents, but no gradients. Raises RuntimeError for a level within a level. Source:
    torch.autograd.forward_ad.dual_level.

    >>> from microgad.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(torch.tensor(3.0), torch.tensor(1.0))
    ...     forward_ad.unpack_dual(x * x).tangent
    tensor(6.)
    """

    def __enter__(self) -> int:
        if gradients.dual_level.get() is not None:
            raise errors.GraphError("Nested forward mode AD is not supported at the moment")
        self.duals: dict[float, _Dual] = {}  # by the node's number
        self._bare: set[float] = set()  # the numbers of nodes that are known to depend on nothing but duals
        self.records_all = state.current().grad_enabled
        # Later nodes are those of results that don't require grad.
        self._last = math.inf if self.records_all else next(numbers)
        self._results = _Results(state.current().observer)
        self._modes = ExitStack()
        self._modes.enter_context(state.scope(grad_enabled=True, observer=self._results))
        gradients.dual_level.set(self)
        return 0

    def __exit__(self, *_: object) -> None:
        self._modes.close()  # an error if this block hasn't begun; then nothing changes
        gradients.dual_level.set(None)
        for tensor in self._results.recorded():
            if not self.requires_grad(tensor):
                tensor.node = None

    def __call__(self, function: F) -> F:
        return decorate(type(self), function)

    def add(self, node: Function, tangent: Tensor, on_graph: bool) -> None:
        """Note that a Tensor with the given node is a dual."""
        self.duals[node.number] = _Dual(node, 0, tangent, on_graph)

    def written(self, tensor: Tensor, dual: _Dual) -> None:
        """After a write to a dual Tensor, write its new tangent into the Tensor that was given as its tangent.

        Results from before the write get a copy of the old one. What requires grad keeps its graph, and is left alone.
        """
        with state.scope(observer=None, grad_enabled=True):
            changed = unpack_dual(tensor).tangent
            if self.requires_grad(tensor) or (changed is not None and changed.node is not None):
                return
            self.duals[dual.node.number] = dual._replace(tangent=dual.tangent.clone())
            node = on_memory_of(tensor, tensor.detach().requires_grad_()).node
            tensor._rebind(node)
            self.add(node, dual.tangent, False)
        with state.scope(observer=None, grad_enabled=False):
            dual.tangent.copy_(0 if changed is None else changed)

    def duals_of(self, tensor: Tensor) -> list[_Dual]:
        """Return the duals that a Tensor depends on."""
        oldest = min(self.duals, default=math.inf)
        seen = reachable([tensor.node], oldest, _WithoutTangent.node_class)
        return [dual for number, dual in self.duals.items() if number in seen]

    def reaches(self, outputs: Sequence[Tensor], grad_outputs: Any) -> bool:
        """Whether an output or its gradient depends on a dual."""
        gradients = grad_outputs if isinstance(grad_outputs, (list, tuple)) else (grad_outputs,)
        return any(self.duals_of(x) for x in (*outputs, *gradients) if x is not None)

    def requires_grad(self, tensor: Tensor) -> bool:
        """Whether a recorded Tensor depends on Tensors that require grad, apart from the duals."""
        node = tensor.node
        later = node is not None and node.number > self._last
        if later and node.number not in self.duals and type(node) is not AccumulateGrad:
            return False
        oldest, seen, stack = min(self.duals, default=math.inf), set[float](), [node]
        while stack:
            node = stack.pop()
            if node is None or isinstance(node, _OnlyTangent.node_class):
                continue
            if node.number in seen or node.number in self._bare:
                continue
            seen.add(node.number)
            if (dual := self.duals.get(node.number)) is not None:
                if dual.on_graph:
                    return True
            elif node.number < oldest or type(node) is AccumulateGrad:
                return True
            else:
                stack += gradient_edges(node)
        self._bare |= seen
        return False

    def set_requires_grad(self, tensor: Tensor, wanted: bool) -> Function | None:
        """Return the node of a leaf Tensor after `requires_grad_(wanted)`; a tangent stays."""
        tangent = unpack_dual(tensor).tangent
        node: Function | None = leaves.set_requires_grad(tensor, wanted)
        if tangent is not None:
            node = node or on_memory_of(tensor, tensor.detach().requires_grad_()).node
            self.add(node, tangent, wanted)
        return node

    def check_roots(self, tensors: Sequence[Tensor]) -> None:
        """Raise RuntimeError if a backward pass is to start from what only depends on duals."""
        for i, x in enumerate(tensors):
            if getattr(x, "node", None) is not None and not self.requires_grad(x):
                raise errors.GraphError(f"element {i} of tensors does not require grad and does not have a grad_fn")

    @staticmethod
    def printed_tangent(tensor: Tensor) -> Tensor | None:
        """Return a Tensor's tangent, for printing."""
        with state.scope(observer=None):
            return unpack_dual(tensor).tangent

    @staticmethod
    def constant(gradient: Tensor | None) -> Tensor | None:
        """Let a gradient keep its tangent, but nothing else that makes it differentiable."""
        return gradient if gradient is None or gradient.node is None else _OnlyTangent.apply(gradient)


def enter_dual_level() -> int:
    """Enter a level, as `dual_level` does for a block. Source: torch.autograd.forward_ad.enter_dual_level.

    >>> from microgad.autograd import forward_ad
    >>> level = forward_ad.enter_dual_level()
    >>> x = forward_ad.make_dual(torch.tensor(3.0), torch.tensor(1.0))
    >>> forward_ad.unpack_dual(x.exp().log()).tangent
    tensor(1.)
    >>> forward_ad.exit_dual_level()
    """
    return dual_level().__enter__()


def exit_dual_level(*, level: int | None = None) -> None:
    """Leave the level that `enter_dual_level` entered. Raises RuntimeError outside of a level.

    Source: torch.autograd.forward_ad.exit_dual_level.

    >>> from microgad.autograd import forward_ad
    >>> _ = forward_ad.enter_dual_level()
    >>> forward_ad.exit_dual_level()
    """
    if (now := gradients.dual_level.get()) is None:
        raise errors.GraphError("Trying to exit a forward AD level that was not entered")
    now.__exit__()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """Return `tensor` as a dual Tensor with a tangent of the same shape. Writes to it are seen in both.

    But they leave `tangent` as it is if it lies otherwise in memory than `tensor`, or if one of the two requires grad.

    Raises RuntimeError outside of a level and if either has a tangent already, ValueError if the two differ in shape or
    aren't floating-point or complex. Source: torch.autograd.forward_ad.make_dual.

    >>> from microgad.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    ...     forward_ad.unpack_dual(x.sum() * x).tangent
    tensor([4., 2.])
    """
    now = gradients.dual_level.get()
    if now is None:
        raise errors.GraphError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, x in (("primal", tensor), ("tangent", tangent)):
        if not (x.is_floating_point() or x.is_complex()):
            raise errors.ArgumentError(f"Expected {name} to be floating point or complex, but got: {x.dtype}")
        if _duals_of(x):
            raise errors.GraphError(
                f"make_dual: Setting a forward grad that itself has a forward gradient at the same level is not "
                f"supported, but the {name} has one."
            )
    if tuple(tensor.shape) != tuple(tangent.shape):
        raise errors.ShapeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    with state.scope(grad_enabled=True):
        on_graph = tensor.node is not None
        dual = tensor.view_as(tensor) if on_graph else on_memory_of(tensor, tensor.detach().requires_grad_())
    now.add(dual.node, tangent, on_graph)
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Return a Tensor's value and its tangent. Both can be differentiated if they depend on Tensors that require grad.

    Source: torch.autograd.forward_ad.unpack_dual.

    >>> from microgad.autograd import forward_ad
    >>> forward_ad.unpack_dual(torch.tensor(3.0))
    UnpackedDualTensor(primal=tensor(3.), tangent=None)
    """
    duals = _duals_of(tensor)
    if not duals:
        return UnpackedDualTensor(tensor, None)
    primal = _WithoutTangent.apply(tensor) if tensor.requires_grad else tensor.detach()
    for dual in duals:
        if dual.node is tensor.node:
            return UnpackedDualTensor(primal, dual.tangent)
    differentiable = tensor.requires_grad or any(dual.tangent.node is not None for dual in duals)
    with binding(_computing_tangent, True), binding(gradients.dual_level, None):
        (tangent,) = jvp_of([tensor], duals, [dual.tangent for dual in duals], differentiable)
    if not differentiable:
        return UnpackedDualTensor(primal, tangent)
    if tangent.node is None:
        tangent = Flat.apply(tangent, tensor)  # of a linear function: the tangent's derivative is 0, but exists
    return UnpackedDualTensor(primal, _WithoutTangent.apply(tangent))


class _Results(ForwardObserver):
    """Knows the Tensors that were recorded in a level, while they live, and lets them be overwritten."""

    def __init__(self, outer: Any) -> None:
        super().__init__(outer)
        # By id, since Tensors are compared element by element.
        self._made: WeakValueDictionary[int, Tensor] = WeakValueDictionary()
        self._written: dict[int, tuple[Tensor, _Dual]] = {}  # duals that are being written to, by id

    def write(self, tensor: Tensor) -> None:
        """Note that a dual is about to be written to."""
        super().write(tensor)
        base = base_of(tensor)
        now = gradients.dual_level.get()
        dual = now.duals.get(base.node.number) if now and base.node else None
        if dual and dual.tangent.node is None and _lie_alike(base.array, dual.tangent.array):
            self._written[id(base)] = base, dual

    def records(self, inputs: Sequence[Any]) -> bool:
        """In a level under no_grad, only what depends on duals is recorded."""
        now = gradients.dual_level.get()
        dual = now is None or now.records_all or any(now.duals_of(x) for x in inputs if isinstance(x, Tensor))
        return dual and super().records(inputs)

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Note the results of an operation."""
        super().forward(node, inputs, out)
        for x in out if type(out) is tuple else (out,):
            self._made[id(x)] = x
        if self._written and (now := gradients.dual_level.get()):
            for base, dual in [*self._written.values()]:
                if base.node is not dual.node:
                    del self._written[id(base)]
                    now.written(base, dual)

    def recorded(self) -> list[Tensor]:
        """Return the Tensors that have a node, which writes may also have given to their bases and those' views."""
        bases = {id(base): base for base in map(base_of, self._made.values())}
        return [x for base in bases.values() for x in (base, *live_views(base)) if x.node is not None]


def _lie_alike(a: Any, b: Any) -> bool:
    """Whether arrays lie in the same place of equally large memories. PyTorch copies a tangent that doesn't."""
    return geometry(a) == geometry(b) and owner(a).nbytes // a.itemsize == owner(b).nbytes // b.itemsize


class _WithoutTangent(CustomFunction):
    """A value or tangent that has gradients, but no tangent of its own. Both go through `backward`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor | None:
        return None if _computing_tangent.get() else grad


class _OnlyTangent(CustomFunction):
    """A gradient that has a tangent, but no gradients of its own. It is no view of the one that has."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor | None:
        return grad if _computing_tangent.get() else None


# Whether the backward pass that runs computes a tangent.
_computing_tangent: ContextVar[bool] = ContextVar("computing tangent", default=False)


def _duals_of(tensor: Tensor) -> list[_Dual]:
    """Return the duals of the current level that a Tensor depends on; none outside of a level."""
    now = gradients.dual_level.get()
    return [] if now is None else now.duals_of(tensor)


_define_getattr(globals())

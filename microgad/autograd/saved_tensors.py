"""Hooks on the Tensors saved for backward: they are packed by a user's functions, moved to the CPU, or copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from .. import state
from ..function import Function
from ..grad_fn.saved_values import PackedByHooks, has
from ..tensor import Tensor
from .function_hooks import remove_observer

# The error message of `disable_saved_tensors_hooks`, where that is active.
disabled: ContextVar[str] = ContextVar("saved tensors hooks disabled", default="")


class saved_tensors_hooks:
    """In a block, pass Tensors that are saved for backward through `pack_hook`, and back through `unpack_hook`.

    `pack_hook(tensor)` may return any object, from which `unpack_hook` makes a Tensor of the same shape and dtype. Of
    nested blocks the innermost counts. If `pack_hook` returns a copy, writing to the saved Tensor later is no error.
    Source: torch.autograd.graph.saved_tensors_hooks.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), lambda values: torch.tensor(values)):
    ...     y = x * x
    >>> y.sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if message := disabled.get():
            raise RuntimeError(message)
        if not (callable(self.pack_hook) and callable(self.unpack_hook)):
            raise TypeError(f"saved_tensors_hooks: expected two functions, got {self.pack_hook}, {self.unpack_hook}")
        state.variable.set(state.changed(observer=PackingObserver(state.current().observer, self)))

    def __exit__(self, *_: object) -> None:
        for observer in state.observers():  # not found in a backward pass, which has its own observers
            if isinstance(observer, PackingObserver) and observer.hooks is self:
                remove_observer(observer)
                break


class save_on_cpu(saved_tensors_hooks):
    """In a block, keep Tensors saved for backward in the CPU's memory; with pin_memory always as copies.

    Source: torch.autograd.graph.save_on_cpu.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> with torch.autograd.graph.save_on_cpu():
    ...     y = x * x
    >>> torch.autograd.grad(y, x)
    (tensor(6.),)
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(
            lambda t: (t.device, t.cpu().clone() if pin_memory else t.cpu()), lambda packed: packed[1].to(packed[0])
        )


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[CopyingObserver]:
    """In a block, write to Tensors that were saved for backward in it: what was saved is copied before the first write.

    The block's object has a method `clear`, which forgets what has been saved so far.
    Source: torch.autograd.graph.allow_mutation_on_saved_tensors.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     y = x * 1
    ...     z = y * y
    ...     _ = y.zero_()
    >>> torch.autograd.grad(z.sum(), x)
    (tensor([2., 4.]),)
    """
    observer = CopyingObserver(state.current().observer)
    with state.scope(observer=observer):
        yield observer


class CopyingObserver(state.Observer):
    """An observer that copies what operations have saved for backward before its memory is written to."""

    takes_batches = True

    def __init__(self, outer: Any) -> None:
        self.outer = outer
        self.saved: dict[int, tuple[Any, WeakSet[Function]]] = {}  # by id of version counter: it, and who saved it
        self.clear = self.saved.clear

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Note the version counters of what an operation has saved."""
        super().forward(node, inputs, out)
        for counter in getattr(node, "versions", ())[::2]:
            self.saved.setdefault(id(counter), (counter, WeakSet()))[1].add(node)

    def write(self, tensor: Tensor) -> None:
        """Copy what was saved of a Tensor's memory."""
        super().write(tensor)
        _, nodes = self.saved.pop(id(tensor._version_counter), (None, ()))
        with state.scope(observer=self.outer, grad_enabled=False):
            for node in nodes:
                if type(node.kept) is list:  # neither freed nor packed
                    node.kept = packed = PackedByHooks(node.kept)
                    for i in range(len(packed.values)):
                        packed.pack(i, Tensor.clone, lambda copy: copy, {})
                    node.versions = ()


class PackingObserver(state.Observer):
    """An observer that packs what each recorded operation saves for backward."""

    takes_batches = True

    def __init__(self, outer: Any, hooks: saved_tensors_hooks) -> None:
        self.outer, self.hooks = outer, hooks

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Pack an operation's saved values. `pack_hook` gets the very input objects, as it may look for Parameters."""
        super().forward(node, inputs, out)
        kept = getattr(node, "kept", None)
        if kept and innermost() is self:
            with state.scope(observer=self.outer, grad_enabled=False, deriving=False):
                node.kept = packed = PackedByHooks(kept)
                results = out if type(out) is tuple else (out,)
                made = [Tensor._wrap(x.array, x.node) for x in results]
                others = [x for x in inputs if isinstance(x, Tensor) and all(x is not y for y in results)]
                given = {id(x.array): x for x in (*made, *others)}
                order = list(range(len(kept)))
                if node.plan.inputs == (0, 1) and any(has(node, name) for name in ("other", "mat2", "exponent")):
                    order[:2] = 1, 0  # PyTorch packs in alphabetical order, `self` after these
                for i in order:
                    packed.pack(i, self.hooks.pack_hook, self.hooks.unpack_hook, given)
                for x in made:
                    x.node = None  # the hook may have returned it: the node would hold itself
                if not packed.shares_memory(kept):
                    node.versions = ()  # the packed form shares no memory, so later writes don't matter


def innermost() -> PackingObserver | None:
    """Return the observer of the innermost active hooks, or None."""
    return next((observer for observer in state.observers() if isinstance(observer, PackingObserver)), None)

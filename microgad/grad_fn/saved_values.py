"""The values that a node keeps for backward: read under PyTorch's names, and packed by a user's hooks.

>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> y = x.pow(2)
>>> y.grad_fn._saved_self is x, y.grad_fn._saved_exponent
(True, 2)
>>> x.exp().grad_fn._saved_result
tensor([2.7183, 7.3891], grad_fn=<ExpBackward0>)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, errors, state
from .. import function as core
from ..engine import versions
from ..engine.paths import producer
from ..errors.wording import FREED
from ..function import AccumulateGrad, Function, Packed
from ..function.naming import node_name
from ..lazy import LazyModule
from ..pytree import tree_leaves
from . import torch_names

if TYPE_CHECKING:
    from ..batching import array as batched
else:
    batched = LazyModule("microgad.batching.array")

# Types of objects that share no memory with arrays.
_SHARES_NO_MEMORY = (type(None), int, float, complex, str, bytes, np.generic, PathLike, backend.device)


def has(node: Function, name: str) -> bool:
    """Whether some derivative of a node's operation reads the value of this name."""
    return _find_input(producer(node)[0], name) is not None


def read(node: Function, name: str) -> Any:
    """Return a kept value as a Tensor at its place in the graph, or a number; None if this node doesn't need it.

    Raises AttributeError if there is no value of that name, RuntimeError if it was freed or written to.
    """
    node = producer(node)[0]
    at = _position(node, name, "_saved_")
    if node.kept is None:
        raise errors.GraphError(f"{node_name(node)}: {FREED}")
    if at is None:
        return None
    counter = _check_version(node, at)
    kept = node.kept
    if isinstance(kept, PackedByHooks):
        value = kept.one(at)
    else:
        value = kept.unpack()[at] if isinstance(kept, Packed) else kept[at]
    if not backend.is_array(value):
        return core.Tensor._wrap(np.asarray(value)) if name == "other" else value
    edge = node if at == len(node.plan.inputs) else node.edges[node.plan.inputs[at]]
    leaf = edge.tensor() if type(edge) is AccumulateGrad else None
    if leaf is not None and leaf.array is value:
        return leaf
    found = core.Tensor._wrap(value, edge)
    found._version_counter = counter
    return found


def raw(node: Function, name: str) -> SavedTensor:
    """Return the object by which hooks are put on a kept value. Raises AttributeError if there is no such name."""
    node = producer(node)[0]
    return SavedTensor(node, _position(node, name, "_raw_saved_"))


class SavedTensor:
    """A value that a node keeps, as `grad_fn._raw_saved_self`. Source: torch._C._autograd.SavedTensor."""

    def __init__(self, node: Function, at: int | None) -> None:
        self._node, self._at = node, at

    def register_hooks(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        """Keep `pack_hook(tensor)` instead of the Tensor; `unpack_hook` turns it back into one when backward needs it.

        Raises RuntimeError if the value is freed, not a Tensor, or has hooks already, TypeError if a hook isn't
        callable.

        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> y = x.exp()
        >>> y.grad_fn._raw_saved_result.register_hooks(lambda t: t.tolist(), lambda values: torch.tensor(values))
        >>> y.sum().backward()
        >>> x.grad
        tensor([2.7183, 7.3891])
        """
        node, at = self._node, self._at
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                raise TypeError(f"register_hooks(): expected two functions, got {type(hook).__name__}")
        kept = node.kept
        if kept is None:
            raise errors.GraphError("register_hooks: the saved tensor has been freed by backward")
        ours = isinstance(kept, PackedByHooks)
        if (isinstance(kept, Packed) and not ours) or (ours and at in kept.hooks):
            raise errors.GraphError("register_hooks: the saved tensor has hooks already, and there is only one pair")
        if at is None or not backend.is_array(kept.values[at] if ours else kept[at]):
            raise errors.GraphError("register_hooks: what is saved is no Tensor")
        packed = kept if ours else PackedByHooks(kept)
        with state.scope(grad_enabled=False):
            packed.pack(at, pack_hook, unpack_hook, {})
        node.kept = packed


class PackedByHooks(Packed):
    """The kept values of a node, some of them packed by a user's hooks."""

    def __init__(self, kept: Sequence[Any]) -> None:
        super().__init__()
        self.values = list(kept)
        self.hooks: dict[int, tuple[Callable[[Any], Any], Any]] = {}  # of arrays: unpack_hook, (shape, dtype)

    def pack(
        self, i: int, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any], given: Mapping[int, Any]
    ) -> None:
        """Replace value i by `pack_hook`'s result. The hook gets the Tensor in `given` that has this array."""
        if not (backend.is_array(self.values[i]) or type(self.values[i]) is tuple):
            return

        def packed(array: Any) -> Any:
            if hasattr(array.shape, "levels"):  # under vmap hooks see all slices
                tensor = core.Tensor._wrap(array.innermost)
            else:
                tensor = given.get(id(array), core.Tensor._wrap(array))
            version = tensor._version
            value = pack_hook(tensor)
            if tensor._version != version:
                raise errors.GraphError(
                    "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook "
                    "cannot be modified by in-place operations as this can lead to unexpected side-effects: clone it"
                )
            return value

        facts = _of_each(self.values[i], lambda a: (a.shape, a.dtype))
        self.values[i], self.hooks[i] = _of_each(self.values[i], packed), (unpack_hook, facts)

    def shares_memory(self, kept: Sequence[Any]) -> bool:
        """Whether the packed values may share memory with what was kept; objects of unknown types may."""
        owners = {_memory(x) for x in tree_leaves(kept) if backend.is_array(x)}
        for value in tree_leaves(self.values):
            x = value.array if isinstance(value, core.Tensor) else value
            if _memory(x) in owners if backend.is_array(x) else not isinstance(x, _SHARES_NO_MEMORY):
                return True
        return False

    def one(self, i: int) -> Any:
        """Unpack value i. Raises RuntimeError if the hook returns another shape or dtype."""
        value = self.values[i]
        if i not in self.hooks:
            return value
        unpack, facts = self.hooks[i]
        with state.scope(grad_enabled=False, deriving=False):
            if type(facts) is list:
                return tuple(_checked(unpack, part, fact) for part, fact in zip(value, facts, strict=True))
            return _checked(unpack, value, facts)

    def unpack(self) -> list[Any]:
        """Unpack all values, in the order in which they were packed."""
        values = list(self.values)
        for i in self.hooks:
            values[i] = self.one(i)
        return values


def _find_input(node: Function, name: str) -> str | None:
    """Return our name of the input that PyTorch calls so, or "out"; None if no derivative reads such a value."""
    cls, inputs = type(node), type(node).inputs
    composite = torch_names.of_composite(node.path)
    if not inputs or cls.variadic or composite not in (None, torch_names.name_of(cls)):
        return None  # a part of one PyTorch operation that is several here
    known: dict[str, str] = torch_names.declared(cls, "saved_names", {})
    own = known.get(name)
    if own is None:
        own = _default_input(inputs, name, several=type(node.shape) is list)
        if own in known.values():
            return None
    methods = [f for f in (*cls.derivatives, cls.joint, cls.decomposed) if f is not None]
    return own if any(own in cls.reads(f) for f in methods) else None


def _default_input(inputs: tuple[str, ...], name: str, several: bool) -> str | None:
    """Find an input by its own name, or by the usual meaning of `result`, `self` and `other`."""
    if name in inputs:
        return name
    if name == "result":
        return None if several else "out"
    if name == "self":
        return inputs[0] if inputs[0] in ("x", "a") else None
    return inputs[1] if name == "other" and inputs[1:] in (("b",), ("y",)) else None


def _position(node: Function, name: str, lead: str) -> int | None:
    """Return a value's position in `kept`; None if this node doesn't keep it."""
    own = _find_input(node, name)
    if own is None:
        raise AttributeError(f"{node_name(node)!r} object has no attribute '{lead}{name}'")
    plan = node.plan
    if own == "out":
        return len(plan.inputs) if plan.out else None
    place = node.inputs.index(own)
    return plan.inputs.index(place) if place in plan.inputs else None


def _check_version(node: Function, at: int) -> Any:
    """Return the version counter of a kept value if it is known. Raises RuntimeError if the value was written to."""
    seen, plan = node.versions, node.plan
    if len(seen) != 2 * (len(plan.inputs) + plan.out):  # numbers have no counters
        versions.check_all(node)
        return None
    counter, then = seen[2 * at : 2 * at + 2]
    if counter[0] != then:
        versions.check(node, counter, then)
    return counter


def _checked(unpack: Callable[[Any], Any], value: Any, fact: Any) -> Any:
    """Unpack a value, and return its array, checked against the shape and dtype of the one that was packed."""
    if type(fact) is not tuple:
        return value
    tensor = unpack(value)
    if not isinstance(tensor, core.Tensor):
        raise TypeError(
            f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(tensor).__name__}"
        )
    array, (shape, dtype) = tensor.array, fact
    if levels := getattr(shape, "levels", ()):
        array, shape = batched.on_levels(array, levels), (*(level.count for level in levels[::-1]), *shape)
    if tensor.array.shape != shape or array.dtype.kind != dtype.kind:
        raise errors.GraphError(
            f"unpack_hook: expected shape {shape} and dtype {dtype}, got {tensor.array.shape} and {array.dtype}"
        )
    return array if array.dtype == dtype else array.astype(dtype)  # the hooks may use fewer bits


def _memory(x: Any) -> int:
    """Return the id of the array that owns an array's memory."""
    return id(backend.owner(getattr(x, "innermost", x)))


def _of_each(x: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a function to an array, or to each of a tuple of them; return anything else as it is."""
    if type(x) is tuple:
        return [_of_each(part, change) for part in x]
    return change(x) if backend.is_array(x) else x

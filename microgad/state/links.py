"""What ties a Tensor to others: its base, its views, its gradient, its hooks. Most Tensors have no such tie."""

from __future__ import annotations

import weakref
from _thread import RLock  # the one of threading, without its import, which takes a millisecond
from typing import Any, TypeAlias

Tensor: TypeAlias = Any


class Links:
    """A Tensor's links. The class attributes are those of a Tensor that has none.

    They aren't in the Tensor's `__dict__`: that is the program's, which may copy it to another Tensor.
    """

    base: Tensor | None = None  # the Tensor that this one is a view of
    chain: tuple[Any, ...] | None = None  # of views: its source's chain and the operation that made it, see `steps_to`
    writes: int = 0  # of a view: the number of writes to its memory from before it was made, see `versions.tracked`
    views: list[weakref.ref[Tensor]] | None = None  # references to a base's views, some of them dead
    max_views: int = 6  # the length of `views` above which `view_of` drops the dead ones
    outdated: Any = None  # the other views of a base, not read since it was written to: a WeakValueDictionary by id
    data_of: weakref.ref[Any] | None = None  # whose `.data` it is: then the regions of its writes are remembered
    grad: Tensor | None = None
    retainer: Any = None  # the handle of the hook that retain_grad has registered
    post_accumulate_grad_hooks: dict[int, Any] | None = None
    idle_leaf: Any = None  # the node of a leaf whose requires_grad is switched off
    mirror: Any = None  # of an inference tensor that is a conjugate: its Mirror (see view_writes), which has to live


NO_LINKS = Links()  # of all Tensors without any, so that these cost no memory; never written to
_making = RLock()  # held while a Tensor gets links of its own: several threads may give it some


def own_links(tensor: Tensor) -> Links:
    """Return the links of a Tensor, to be written to."""
    if tensor._links is NO_LINKS:
        with _making:
            if tensor._links is NO_LINKS:
                tensor._links = Links()
    return tensor._links

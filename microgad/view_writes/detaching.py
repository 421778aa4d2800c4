"""`detach` as observers see it."""

from __future__ import annotations

from typing import Any

from .. import state
from ..function import Function
from ..type_aliases import Tensor


class Detach(Function):
    """A node that tells observers of `detach`: the result shares memory and is not on the graph."""

    may_share = True

    def forward(self, x: Any) -> Any:
        return x


def notify_detached(tensor: Tensor, result: Tensor) -> None:
    """Tell the observer, if there is one, that `result` is `tensor` detached."""
    observer = state.current().observer
    if observer is not None:
        node = Detach()
        observer.begin(node, (tensor,))
        observer.forward(node, (tensor,), result)

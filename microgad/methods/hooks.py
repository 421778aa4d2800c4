"""Hooks on a Tensor's gradient, and `retain_grad`."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .. import errors
from ..backend.memory_formats import contiguous_format
from ..engine import node_hooks
from ..engine.hooks import RemovableHandle
from ..function import AccumulateGrad
from ..type_aliases import Tensor


class Hooks:
    """Methods that register hooks on gradients, or retain gradients."""

    __slots__ = ()

    @property
    def _post_accumulate_grad_hooks(self: Tensor) -> dict[int, Any] | None:
        """The hooks of `register_post_accumulate_grad_hook`, by their handles' ids; None if there never was one."""
        return self._links.post_accumulate_grad_hooks

    @_post_accumulate_grad_hooks.setter
    def _post_accumulate_grad_hooks(self: Tensor, hooks: dict[int, Any] | None) -> None:
        self._own_links().post_accumulate_grad_hooks = hooks

    @property
    def _backward_hooks(self: Tensor) -> dict[int, Any] | None:
        """The hooks of `register_hook`, by their handles' ids; None if there never was one, or if None was assigned."""
        return self.node and self.node.hooks

    @_backward_hooks.setter
    def _backward_hooks(self: Tensor, hooks: dict[int, Any] | None) -> None:
        if self.node is not None:
            self.node.hooks = hooks
            if hooks:
                node_hooks.calling.add(self.node)

    def retain_grad(self: Tensor) -> None:
        """Store the gradient in `.grad`, in row-major order, although this Tensor isn't a leaf.

        Raises RuntimeError unless it requires grad.
        """
        if not self.requires_grad:
            raise errors.GraphError("can't retain_grad on Tensor that has requires_grad=False")
        if self.is_leaf or self.retains_grad:
            return
        weak = weakref.ref(self)

        def keep(grad: Tensor) -> None:
            if grad is not None and (tensor := weak()) is not None:
                held = tensor.grad
                tensor.grad = grad.clone(memory_format=contiguous_format) if held is None else held + grad

        self._own_links().retainer = node_hooks.add_hook(self.node, keep, last=1)

    @property
    def retains_grad(self: Tensor) -> bool:
        """Whether `retain_grad` was called."""
        return self._links.retainer is not None

    def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook` with the gradient of this Tensor; a Tensor that it returns replaces the gradient.

        Raises RuntimeError unless it requires grad.

        >>> x = torch.tensor(1.0, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> (2 * x).backward()
        >>> x.grad
        tensor(20.)
        """
        if not self.requires_grad:
            raise errors.GraphError("cannot register a hook on a tensor that doesn't require gradient")
        # No gradient reaches a view made under no_grad.
        return node_hooks.add_hook(self.node or AccumulateGrad(self), hook)

    def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call `hook` with this leaf each time its gradient has been added to `.grad`.

        Raises RuntimeError unless it is a leaf that requires grad.
        """
        if type(self.node) is not AccumulateGrad:
            raise errors.GraphError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        return RemovableHandle(self._accumulation_hooks(), hook)

    def _accumulation_hooks(self: Tensor) -> dict[int, Any]:
        node_hooks.calling.add(self.node)
        links = self._own_links()
        if links.post_accumulate_grad_hooks is None:
            links.post_accumulate_grad_hooks = {}
        return links.post_accumulate_grad_hooks

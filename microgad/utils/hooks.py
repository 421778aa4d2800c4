"""torch.utils.hooks: the handles of hooks."""

from ..engine.hooks import RemovableHandle as RemovableHandle

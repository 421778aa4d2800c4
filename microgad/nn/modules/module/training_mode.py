"""Context manager that puts a model into training or evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import Module


@contextmanager
def training_mode(model: Any, training: bool | None) -> Iterator[None]:
    """Put a module and all its descendants into training (or evaluation) mode for the duration of a block.

    With `training` None, or if `model` is not a Module, the block starts with the modes as they are. In any case each
    module leaves the block in the mode that it had before.

    >>> from microgad.nn.modules.module.training_mode import training_mode
    >>> model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
    >>> with training_mode(model, False):
    ...     print([module.training for module in model])
    [False, False]
    >>> [module.training for module in model]
    [True, False]
    """
    before = [(module, module.training) for module in model.modules()] if isinstance(model, Module) else []
    try:
        if before and training is not None:
            model.train(training)
        yield
    finally:
        for module, was in before:
            module.training = was

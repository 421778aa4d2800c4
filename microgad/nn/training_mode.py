"""A model in training or in evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .module import Module


@contextmanager
def training_mode(model: Any, training: bool | None) -> Iterator[None]:
    """In a block, a module and all in it in a mode; None leaves them as they are, as what is no module is left.

    After it each of them is in the mode that it was in before, which needn't be the same for all.

    >>> from microgad.nn.training_mode import training_mode
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

"""Summaries for TensorBoard that libraries write themselves. Source: torch.utils.tensorboard.summary."""

from __future__ import annotations

import importlib
from typing import Any

from ...lazy import define_getattr as _define_getattr
from ...utils.tensorboard import _plain


def hparams(hparam_dict: Any = None, metric_dict: Any = None, hparam_domain_discrete: Any = None) -> Any:
    """Return tensorboardX's three summaries of hyperparameters and metrics; `hparam_domain_discrete` is left out."""
    return importlib.import_module("tensorboardX.summary").hparams(_plain(hparam_dict), _plain(metric_dict))


_define_getattr(globals())

"""Describe what determines the results of a run, so that a checkpoint can tell whether it belongs to the run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import length_hint
from typing import Any

from .. import backend
from ..generator import default_generator
from ..nn import Module
from ..optim import Optimizer
from .evaluate import Loss, device_of


def run_settings(
    model: Module, data: Any, optimizers: Sequence[Optimizer], loss: Loss, sets: Mapping[str, Any], stop: Any,
    schedulers: Sequence[Any],
) -> dict[str, str]:  # fmt: skip
    """Return descriptions of a run's model, data, optimizers, loss, schedulers, stopping, seed and device.

    >>> model = nn.Linear(2, 1)
    >>> data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(3, 2), torch.ones(3, 1)), 2)
    >>> optimizers = [torch.optim.SGD(model.parameters())]
    >>> settings = run_settings(model, data, optimizers, F.mse_loss, {"held_out": [1, 2]}, None, [])
    >>> settings["model"], settings["loss"], settings["data"], settings["held_out"]
    ('Linear(in_features=2, out_features=1, bias=True)', 'mse_loss', '3 samples (2ec9af77), 2 batches', '2 samples')
    """
    shapes = (f"{name} {tuple(p.shape)} {p.dtype}" for name, p in model.named_parameters())
    settings = {
        "model": repr(model),
        "parameters": "\n".join(shapes),
        "optimizer": "\n".join(map(repr, optimizers)),
        "scheduler": "\n".join(f"{type(each).__name__} {each.state_dict()}" for each in schedulers),
        "loss": _loss(loss),
        "data": f"{_samples(data)}, {length_hint(data)} batches",
        "seed": str(default_generator.initial_seed()),
        "stop": repr(stop),
        "device": str(device_of(model)),
        **{name: _samples(data) for name, data in sets.items()},
    }
    return {name: re.sub(r" at 0x[0-9a-f]+", "", text) for name, text in settings.items()}


def _loss(loss: Loss) -> str:
    """Return the name of a loss function, or the repr of a module with attributes such as label_smoothing."""
    held = getattr(loss, "__dict__", {})
    plain = {name: value for name, value in held.items() if isinstance(value, (int, float, str))}
    return getattr(loss, "__qualname__", f"{loss!r} {plain}")


def _samples(data: Any) -> str:
    """Return the number of samples and, if they are Tensors, a checksum of them."""
    import zlib

    data = getattr(data, "dataset", data)
    tensors = data if isinstance(data, tuple) else getattr(data, "tensors", ())
    if not tensors:
        return f"{length_hint(data)} samples"
    checksum = 0
    for tensor in tensors:
        checksum = zlib.crc32(backend.to_numpy(tensor.contiguous().array), checksum)
    return f"{len(tensors[0])} samples ({checksum:08x})"

"""MixUp and CutMix, which mix the images of a batch and their labels."""

from __future__ import annotations

import math
from typing import Any

from ...distributions import Beta
from ...errors import ArgumentError, ShapeError
from ...nn.functional import one_hot
from ...ops import creation
from ...tensor import Tensor
from ...utils._pytree import tree_flatten, tree_unflatten
from ..base import random_int
from ..images import is_pil
from .base import Transform
from .images import like, query_size


def _labels(sample: Any) -> Any:
    """Find the labels in a sample: the second of a pair, or the entry of a dict that is named like labels."""
    found = sample[1] if isinstance(sample, (tuple, list)) else sample
    if isinstance(found, dict):
        names = sorted((name for name in found if "label" in name.lower()), key=lambda name: name.lower() != "labels")
        found = found[names[0]] if names else None
    return found


class _BatchMix(Transform):
    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default") -> None:
        super().__init__()
        self.alpha, self.num_classes = float(alpha), num_classes
        self._dist = Beta(creation.tensor([alpha]), creation.tensor([alpha]))
        self._getter: Any = labels_getter if callable(labels_getter) else _labels

    def mix(self, images: Tensor, params: dict[str, Any]) -> Tensor:
        """Mix images (N, C, H, W) by what was drawn: `lam` is the weight of each image's own part."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = tree_flatten(sample)
        if any(map(is_pil, flat)):
            raise ArgumentError(f"{type(self).__name__}: PIL images can't be mixed, only a batch of Tensors")
        labels = self._checked_labels(sample)
        chosen = self._needs_transform_list(flat)
        params = self.make_params([x for x, needed in zip(flat, chosen, strict=True) if needed]) | {"labels": labels}
        changed = [
            self.transform(x, params) if needed or x is labels else x for x, needed in zip(flat, chosen, strict=True)
        ]
        return tree_unflatten(changed, spec)

    def _checked_labels(self, sample: Any) -> Tensor:
        name, labels = type(self).__name__, self._getter(sample)
        if not isinstance(labels, Tensor) or labels.ndim not in (1, 2):
            raise ArgumentError(f"{name}: The labels are expected to be a Tensor (N,) or (N, C), not {labels!r}")
        if labels.ndim == 1 and self.num_classes is None:
            raise ArgumentError(f"{name}: num_classes must be passed if the labels are index-based (1D)")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ShapeError(
                f"{name}: num_classes is {self.num_classes}, but the labels have {labels.shape[1]} columns"
            )
        return labels

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"lam": float(self._dist.sample(()).item())}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        labels = params["labels"]
        if inpt is labels:
            wide = one_hot(labels, self.num_classes or -1) if labels.ndim == 1 else labels
            return _mixed(wide if wide.is_floating_point() else wide.float(), params["lam"])
        if inpt.ndim != 4 or len(inpt) != len(labels):
            wanted = f"({len(labels)}, C, H, W), as the labels are"
            raise ShapeError(f"{type(self).__name__}: images {tuple(inpt.shape)}, expected {wanted}")
        return like(self.mix(inpt, params), inpt)


def _mixed(x: Tensor, own: float) -> Tensor:
    """Mix each entry with the previous one."""
    return x.roll(1, 0).mul_(1.0 - own).add_(x.mul(own))


class MixUp(_BatchMix):
    """Mix each image (N, C, H, W) and label with the previous one, with a weight drawn from Beta(alpha, alpha).

    Labels: (N,) of num_classes, or (N, C). Raises ValueError for others. Labels alone are mixed too.
    Zhang et al. (2017).
    Source: torchvision.transforms.v2.MixUp.

    >>> images, labels = torch.transforms.v2.MixUp(num_classes=3)(torch.ones(2, 3, 4, 4), torch.arange(2))
    >>> labels.sum(1)
    tensor([1., 1.])
    """

    def mix(self, images: Tensor, params: dict[str, Any]) -> Tensor:
        return _mixed(images, params["lam"])


class CutMix(_BatchMix):
    """Replace a region of each image (N, C, H, W) by the previous one's, and mix labels by area: Yun et al. (2019).

    Labels: (N,) of num_classes, or (N, C). Raises ValueError for others, TypeError without images.
    Source: torchvision.transforms.v2.CutMix.

    >>> images, labels = torch.transforms.v2.CutMix(num_classes=3)(torch.zeros(2, 3, 4, 4), torch.tensor([0, 2]))
    >>> labels.sum(1)
    tensor([1., 1.])
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        own = super().make_params(flat_inputs)["lam"]
        height, width = query_size(flat_inputs)
        x, y = (random_int(0, n) for n in (width, height))
        half = 0.5 * math.sqrt(1.0 - own)
        dx, dy = int(half * width), int(half * height)
        left, top, right, bottom = max(x - dx, 0), max(y - dy, 0), min(x + dx, width), min(y + dy, height)
        return {"box": (left, top, right, bottom), "lam": 1.0 - (right - left) * (bottom - top) / (width * height)}

    def mix(self, images: Tensor, params: dict[str, Any]) -> Tensor:
        left, top, right, bottom = params["box"]
        found = images.clone()
        found[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
        return found

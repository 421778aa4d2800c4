"""AutoAugment, RandAugment, TrivialAugmentWide and AugMix with the random draws of version 2."""

from __future__ import annotations

from typing import Any

from ...errors import DtypeError
from ...ops.creation import linspace
from ...ops.random import rand, randint
from ...tensor import Tensor
from ...utils._pytree import tree_flatten, tree_unflatten
from .. import autoaugment as v1
from ..base import tensor_fill
from ..conversion import max_value
from ..images import parse_interpolation
from . import functional as F
from .base import Transform, to_v2
from .images import like


class _Augmentation(Transform, v1._Augmentation):
    """Base of the augmentations: signs are drawn as numbers, and Solarize's magnitudes are fractions of white."""

    repr_names = ""
    interpolation: Any
    augmented: Any  # version 1's forward, or what replaces it

    def forward(self, *inputs: Any) -> Any:
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        at = [i for i, needed in enumerate(self._needs_transform_list(flat)) if needed]
        if len(at) != 1:
            raise DtypeError(f"{type(self).__name__}: the sample has {len(at)} images, expected one")
        flat[at[0]] = like(self.augmented(flat[at[0]]), flat[at[0]])
        return tree_unflatten(flat, spec)

    def _random_index(self, n: int) -> int:
        return int(randint(n, ()).item())

    def _random_sign(self) -> bool:
        return bool((rand(()) <= 0.5).item())

    def _augmentation_space(self, bins: int, *bounds: Any) -> Any:
        return super()._augmentation_space(bins, *bounds) | {"Solarize": (linspace(1.0, 0.0, bins).tolist(), False)}

    def _apply_to_image(self, img: Any, name: str, magnitude: float) -> Any:
        if name == "Solarize":
            magnitude *= max_value(img.dtype) if isinstance(img, Tensor) else 255.0
        mode = parse_interpolation(self.interpolation, type(self).__name__)
        return v1._apply(img, name, magnitude, mode, tensor_fill(self.fill, img), F)


def _augmented(self: Any, image: Any) -> Any:
    space = self._policy_space(image)
    for name, p, which in self.policies[self._random_index(len(self.policies))]:
        if (rand(()) <= p).item():
            image = self._apply_with_magnitude(image, space, name, which)
    return image


AutoAugment = to_v2(
    v1.AutoAugment,
    "interpolation fill policy",
    base=_Augmentation,
    body={"augmented": _augmented},
    interpolation="nearest",
)
RandAugment = to_v2(
    v1.RandAugment,
    "interpolation fill num_ops magnitude num_magnitude_bins",
    base=_Augmentation,
    body={"augmented": v1.RandAugment.forward},
    interpolation="nearest",
)
TrivialAugmentWide = to_v2(
    v1.TrivialAugmentWide,
    "interpolation fill num_magnitude_bins",
    base=_Augmentation,
    body={"augmented": v1.TrivialAugmentWide.forward},
    interpolation="nearest",
)
AugMix = to_v2(
    v1.AugMix,
    "interpolation fill severity mixture_width chain_depth alpha all_ops",
    base=_Augmentation,
    body={"augmented": v1.AugMix.forward},
    interpolation="bilinear",
)

"""Random transforms of pixel values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ArgumentError, DtypeError
from ..ops.random import rand, randperm
from ..tensor import Tensor
from . import functional as F
from .base import RandomApplyTransform, ReprTransform, uniform
from .images import NUMERIC_TYPES, parse_size

Range = tuple[float, float] | None


class ColorJitter(ReprTransform):
    """Change brightness, contrast, saturation and hue randomly, in random order.

    A number x gives factors from max(0, 1 - x) to 1 + x (for the hue, shifts from -x to x); two numbers are the range.
    Raises TypeError for anything else, ValueError for factors < 0 and hues outside of -0.5 to 0.5.
    Source: torchvision.transforms.ColorJitter.

    >>> torch.transforms.ColorJitter(brightness=0.5, hue=(0, 0.1))
    ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=(0.0, 0.1))
    """

    repr_names = "brightness contrast saturation hue"

    changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        super().__init__()
        self.brightness = _factors(brightness, "brightness")
        self.contrast = _factors(contrast, "contrast")
        self.saturation = _factors(saturation, "saturation")
        self.hue = _factors(hue, "hue", center=0, least=-0.5, most=0.5)

    @staticmethod
    def get_params(
        brightness: Range, contrast: Range, saturation: Range, hue: Range
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """Draw an order of the four changes, and a factor for each, or None."""
        order = randperm(4)
        b, c, s, h = (None if x is None else uniform(*x) for x in (brightness, contrast, saturation, hue))
        return order, b, c, s, h

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        for i in order.tolist():
            if factors[i] is not None:
                img = self.changes[i](img, factors[i])
        return img


def _factors(x: Any, name: str, center: float = 1, least: float = 0, most: float = float("inf")) -> Range:
    if isinstance(x, NUMERIC_TYPES):
        if x < 0:
            raise ArgumentError(f"If {name} is a single number, it must be non negative, not {x}")
        low, high = center - float(x), center + float(x)
        low = max(low, 0.0) if center else low
    elif isinstance(x, (tuple, list)) and len(x) == 2:
        low, high = float(x[0]), float(x[1])
    else:
        raise DtypeError(f"{name} should be a single number or a list/tuple with length 2, not {x!r}")
    if not least <= low <= high <= most:
        raise ArgumentError(f"{name} values should be between {(least, most)}, but got {[low, high]}")
    return None if low == high == center else (low, high)


class RandomGrayscale(RandomApplyTransform):
    """Convert to grayscale with probability p, keeping the channels. Source: torchvision.transforms.RandomGrayscale.

    >>> torch.transforms.RandomGrayscale(p=1.0)(torch.zeros(3, 2, 2)).shape
    torch.Size([3, 2, 2])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def change(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, F.get_image_num_channels(img))


class GaussianBlur(ReprTransform):
    """Blur by a Gaussian with a sigma drawn from (low, high), or a given one.

    Raises ValueError for an even kernel_size and sigmas <= 0. Source: torchvision.transforms.GaussianBlur.

    >>> torch.transforms.GaussianBlur(3)(torch.zeros(1, 4, 4)).shape
    torch.Size([1, 4, 4])
    """

    repr_names = "kernel_size sigma"

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = parse_size(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(n <= 0 or n % 2 == 0 for n in self.kernel_size):
            raise ArgumentError(f"Kernel size value should be an odd and positive number, not {kernel_size}")
        if isinstance(sigma, NUMERIC_TYPES):
            sigma = (sigma, sigma)
        if not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise ArgumentError(f"sigma should be a single number or a list/tuple with length 2, not {sigma!r}")
        if not 0.0 < sigma[0] <= sigma[1]:
            raise ArgumentError(f"sigma values should be positive and of the form (min, max), not {sigma}")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Draw a sigma for `gaussian_blur`."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])


class _RandomFunction(RandomApplyTransform):
    """Base of transforms that call `function` with the image and the attributes in `repr_names` other than p.

    Version 2 replaces some functions. The draw is compared with p as a Python number, which differs from a comparison
    of Tensors in the last bit of p.
    """

    between = ","
    function: Callable[..., Any]

    def forward(self, img: Any) -> Any:
        return self.change(img) if rand(1).item() < self.p else img

    def change(self, img: Any) -> Any:
        return self.function(img, *(getattr(self, name) for name in self.repr_names.split() if name != "p"))


class RandomInvert(_RandomFunction):
    """Invert an image with probability p. Source: torchvision.transforms.RandomInvert.

    >>> torch.transforms.RandomInvert(p=1.0)(torch.ones(1, 1, 1)).item()
    0.0
    """

    function = staticmethod(F.invert)


class RandomPosterize(_RandomFunction):
    """Keep the highest bits of each value with probability p. Source: torchvision.transforms.RandomPosterize.

    >>> torch.transforms.RandomPosterize(bits=2)
    RandomPosterize(bits=2,p=0.5)
    """

    repr_names, function = "bits p", staticmethod(F.posterize)

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits


class RandomSolarize(_RandomFunction):
    """Invert values from a threshold on with probability p. Source: torchvision.transforms.RandomSolarize.

    >>> torch.transforms.RandomSolarize(threshold=128)
    RandomSolarize(threshold=128,p=0.5)
    """

    repr_names, function = "threshold p", staticmethod(F.solarize)

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold


class RandomAdjustSharpness(_RandomFunction):
    """Blur (0) or sharpen (2) with probability p. Source: torchvision.transforms.RandomAdjustSharpness.

    >>> torch.transforms.RandomAdjustSharpness(sharpness_factor=2)
    RandomAdjustSharpness(sharpness_factor=2,p=0.5)
    """

    repr_names, function = "sharpness_factor p", staticmethod(F.adjust_sharpness)

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor


class RandomAutocontrast(_RandomFunction):
    """Stretch values to the whole range with probability p. Source: torchvision.transforms.RandomAutocontrast.

    >>> torch.transforms.RandomAutocontrast(p=1.0)(torch.tensor([[[0.25, 0.75]]])).tolist()
    [[[0.0, 1.0]]]
    """

    function = staticmethod(F.autocontrast)


class RandomEqualize(_RandomFunction):
    """Equalize the histogram with probability p. Source: torchvision.transforms.RandomEqualize.

    >>> torch.transforms.RandomEqualize()
    RandomEqualize(p=0.5)
    """

    function = staticmethod(F.equalize)

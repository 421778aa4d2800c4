"""Transforms that draw what values become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ArgumentError, DtypeError
from ..ops.random import rand, randperm
from ..tensor import Tensor
from . import functional as F
from .base import Shown, Sometimes, uniform
from .images import NUMBERS, pair

Range = tuple[float, float] | None


class ColorJitter(Shown):
    """Brightness, contrast, saturation and hue changed, in an order that is drawn.

    Each by a factor from 1 - x to 1 + x (of the hue: moved by -x to x), or of two numbers from one to the other.
    Raises TypeError of anything else, ValueError of factors < 0, and of hues outside of -0.5 to 0.5.
    Source: torchvision.transforms.ColorJitter.

    >>> torch.transforms.ColorJitter(brightness=0.5, hue=(0, 0.1))
    ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=(0.0, 0.1))
    """

    shown = "brightness contrast saturation hue"

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
        """An order of the four, and a factor for each, None where it is not asked for."""
        order = randperm(4)
        b, c, s, h = (None if x is None else uniform(*x) for x in (brightness, contrast, saturation, hue))
        return order, b, c, s, h

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                img = adjust[i](img, factors[i])
        return img


def _factors(x: Any, name: str, center: float = 1, least: float = 0, most: float = float("inf")) -> Range:
    if isinstance(x, NUMBERS):
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


class RandomGrayscale(Sometimes):
    """In shades of grey, in as many channels, with probability p. Source: torchvision.transforms.RandomGrayscale.

    >>> torch.transforms.RandomGrayscale(p=1.0)(torch.zeros(3, 2, 2)).shape
    torch.Size([3, 2, 2])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def change(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, F.get_image_num_channels(img))


class GaussianBlur(Shown):
    """Blurred by a Gaussian of a sigma that is drawn from (low, high), or one that is given.

    Raises ValueError of an even kernel_size, and of sigmas <= 0. Source: torchvision.transforms.GaussianBlur.

    >>> torch.transforms.GaussianBlur(3)(torch.zeros(1, 4, 4)).shape
    torch.Size([1, 4, 4])
    """

    shown = "kernel_size sigma"

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(n <= 0 or n % 2 == 0 for n in self.kernel_size):
            raise ArgumentError(f"Kernel size value should be an odd and positive number, not {kernel_size}")
        if isinstance(sigma, NUMBERS):
            sigma = (sigma, sigma)
        if not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise ArgumentError(f"sigma should be a single number or a list/tuple with length 2, not {sigma!r}")
        if not 0.0 < sigma[0] <= sigma[1]:
            raise ArgumentError(f"sigma values should be positive and of the form (min, max), not {sigma}")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A sigma for `gaussian_blur`."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])


class _Often(Sometimes):
    """A function of the image and of what is shown but p; version 2 has its own of some.

    Its draw is compared as a Python number, not as a Tensor: what differs is the last bit of p.
    """

    between = ","
    function: Callable[..., Any]

    def forward(self, img: Any) -> Any:
        return self.change(img) if rand(1).item() < self.p else img

    def change(self, img: Any) -> Any:
        return self.function(img, *(getattr(self, name) for name in self.shown.split() if name != "p"))


class RandomInvert(_Often):
    """The negative of an image, with probability p. Source: torchvision.transforms.RandomInvert.

    >>> torch.transforms.RandomInvert(p=1.0)(torch.ones(1, 1, 1)).item()
    0.0
    """

    function = staticmethod(F.invert)


class RandomPosterize(_Often):
    """Of each byte the highest bits alone, with probability p. Source: torchvision.transforms.RandomPosterize.

    >>> torch.transforms.RandomPosterize(bits=2)
    RandomPosterize(bits=2,p=0.5)
    """

    shown, function = "bits p", staticmethod(F.posterize)

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits


class RandomSolarize(_Often):
    """Inverted from a threshold on, with probability p. Source: torchvision.transforms.RandomSolarize.

    >>> torch.transforms.RandomSolarize(threshold=128)
    RandomSolarize(threshold=128,p=0.5)
    """

    shown, function = "threshold p", staticmethod(F.solarize)

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold


class RandomAdjustSharpness(_Often):
    """Blurred (0) or sharpened (2), with probability p. Source: torchvision.transforms.RandomAdjustSharpness.

    >>> torch.transforms.RandomAdjustSharpness(sharpness_factor=2)
    RandomAdjustSharpness(sharpness_factor=2,p=0.5)
    """

    shown, function = "sharpness_factor p", staticmethod(F.adjust_sharpness)

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor


class RandomAutocontrast(_Often):
    """Values spread over the whole range, with probability p. Source: torchvision.transforms.RandomAutocontrast.

    >>> torch.transforms.RandomAutocontrast(p=1.0)(torch.tensor([[[0.25, 0.75]]])).tolist()
    [[[0.0, 1.0]]]
    """

    function = staticmethod(F.autocontrast)


class RandomEqualize(_Often):
    """Values made about as frequent as each other, with probability p. Source: torchvision.transforms.RandomEqualize.

    >>> torch.transforms.RandomEqualize()
    RandomEqualize(p=0.5)
    """

    function = staticmethod(F.equalize)

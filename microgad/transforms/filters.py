"""Filters over neighboring pixels: Gaussian blur and sharpness."""

from __future__ import annotations

from typing import Any

from ..dtypes import float32
from ..errors import ArgumentError, DtypeError
from ..nn import functional as nn
from ..ops import creation
from ..tensor import Tensor
from .color import blend, enhance_pil, require_not_negative
from .conversion import pil_to_tensor, to_pil_image
from .geometry import to_batch
from .images import is_tensor_image


def _filter2d(img: Tensor, kernel: Tensor, padding: list[int]) -> Tensor:
    """Convolve each channel with a kernel (H, W), with reflection at the edges."""
    batch, from_batch = to_batch(img, kernel.dtype)
    batch = nn.pad(batch, padding, mode="reflect") if any(padding) else batch
    channels = batch.shape[-3]
    return from_batch(nn.conv2d(batch, kernel.expand(channels, 1, *kernel.shape), groups=channels))


def _gaussian_kernel(size: int, sigma: float, like: Tensor) -> Tensor:
    half = (size - 1) * 0.5
    dtype = like.dtype if like.is_floating_point() else float32
    x = creation.linspace(-half, half, size, dtype=dtype, device=like.device)
    weights = (-0.5 * (x / sigma).pow(2)).exp()
    return weights / weights.sum()


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blur by a Gaussian truncated to `kernel_size`, from which `sigma` follows by default; each is a number or (x, y).

    Raises TypeError for other types, ValueError for even sizes, a sigma <= 0 and other lengths.
    Source: torchvision.transforms.functional.gaussian_blur.

    >>> image = torch.zeros(1, 5, 5)
    >>> image[0, 2, 2] = 1
    >>> torch.transforms.functional.gaussian_blur(image, 3, 0.5)[0, 2]
    tensor([0.0000, 0.0838, 0.6193, 0.0838, 0.0000])
    """
    if not isinstance(kernel_size, (int, list, tuple)):
        raise DtypeError(f"gaussian_blur: kernel_size is {type(kernel_size).__name__}, expected an int or two")
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else [*kernel_size]
    if len(sizes) != 2 or any(n % 2 == 0 or n < 0 for n in sizes):
        raise ArgumentError(
            f"gaussian_blur: kernel_size is {kernel_size}, expected two numbers that are odd and positive"
        )
    if sigma is None:
        sigma = [n * 0.15 + 0.35 for n in sizes]
    if not isinstance(sigma, (int, float, list, tuple)):
        raise DtypeError(f"gaussian_blur: sigma is {type(sigma).__name__}, expected a number or two")
    sigmas = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else [*sigma] * (2 if len(sigma) == 1 else 1)
    if len(sigmas) != 2 or any(s <= 0.0 for s in sigmas):
        raise ArgumentError(f"gaussian_blur: sigma is {sigma}, expected two numbers > 0")
    image = img if is_tensor_image(img, "gaussian_blur") else pil_to_tensor(img)
    across, down = (_gaussian_kernel(n, s, image) for n, s in zip(sizes, sigmas, strict=True))
    half = [n // 2 for n in sizes]
    blurred = _filter2d(image, down[:, None] @ across[None], [half[0], half[0], half[1], half[1]])
    return blurred if isinstance(img, Tensor) else to_pil_image(blurred, img.mode)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Change the sharpness. Factor 0 gives a blurred image, 1 the image, 2 doubles its sharpness.

    Raises TypeError unless img is an image, ValueError for a factor < 0 if it is a Tensor.
    Source: torchvision.transforms.functional.adjust_sharpness.

    >>> torch.transforms.functional.adjust_sharpness(torch.ones(1, 3, 3), 2).sum()
    tensor(9.)
    """
    if not is_tensor_image(img, "adjust_sharpness", channels=True):
        return enhance_pil(img, "Sharpness", sharpness_factor)
    require_not_negative("adjust_sharpness", "sharpness_factor", sharpness_factor)
    if min(img.shape[-2:]) <= 2:
        return img
    blurred = img.clone()
    blurred[..., 1:-1, 1:-1] = smoothed(img)
    return blend(img, blurred, sharpness_factor)


def smoothed(img: Tensor) -> Tensor:
    """Return the inside of an image, (..., H - 2, W - 2): means of 3 × 3 pixels, with the middle one five times."""
    kernel = creation.ones(3, 3, dtype=img.dtype if img.is_floating_point() else float32, device=img.device)
    kernel[1, 1] = 5.0
    return _filter2d(img, kernel / kernel.sum(), [])

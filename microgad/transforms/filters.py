"""Each pixel with its neighbours: blurred, sharpened."""

from __future__ import annotations

from typing import Any

from ..dtypes import float32
from ..errors import ArgumentError, DtypeError
from ..nn import functional as nn
from ..ops import creation
from ..tensor import Tensor
from .color import _enhanced, blend, not_negative
from .conversion import pil_to_tensor, to_pil_image
from .geometry import batched
from .images import is_tensor_image


def _filtered(img: Tensor, kernel: Tensor, padding: list[int]) -> Tensor:
    """Each channel convolved with a kernel (H, W), the image reflected at its edges."""
    batch, back = batched(img, kernel.dtype)
    batch = nn.pad(batch, padding, mode="reflect") if any(padding) else batch
    channels = batch.shape[-3]
    return back(nn.conv2d(batch, kernel.expand(channels, 1, *kernel.shape), groups=channels))


def _bell(size: int, sigma: float, like: Tensor) -> Tensor:
    half = (size - 1) * 0.5
    dtype = like.dtype if like.is_floating_point() else float32
    x = creation.linspace(-half, half, size, dtype=dtype, device=like.device)
    weights = (-0.5 * (x / sigma).pow(2)).exp()
    return weights / weights.sum()


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blurred by a Gaussian of sigma, cut to kernel_size; each for both, or (x, y). sigma follows from the size.

    TypeError of what is no image or number, ValueError of an even size, a sigma <= 0, other lengths.
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
    across, down = (_bell(n, s, image) for n, s in zip(sizes, sigmas, strict=True))
    half = [n // 2 for n in sizes]
    blurred = _filtered(image, down[:, None] @ across[None], [half[0], half[0], half[1], half[1]])
    return blurred if isinstance(img, Tensor) else to_pil_image(blurred, img.mode)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """0: blurred, 1: as it is, 2: twice as sharp. TypeError of what is no image, ValueError of a factor < 0.

    Source: torchvision.transforms.functional.adjust_sharpness.

    >>> torch.transforms.functional.adjust_sharpness(torch.ones(1, 3, 3), 2).sum()
    tensor(9.)
    """
    if not is_tensor_image(img, "adjust_sharpness", channels=True):
        return _enhanced(img, "Sharpness", sharpness_factor)
    not_negative("adjust_sharpness", "sharpness_factor", sharpness_factor)
    if min(img.shape[-2:]) <= 2:
        return img
    kernel = creation.ones(3, 3, dtype=img.dtype if img.is_floating_point() else float32, device=img.device)
    kernel[1, 1] = 5.0
    blurred = img.clone()
    blurred[..., 1:-1, 1:-1] = _filtered(img, kernel / kernel.sum(), [])
    return blend(img, blurred, sharpness_factor)

"""From images to tensors: the transforms of `torchvision.transforms` that a NumPy image needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ArgumentError, DtypeError, ShapeError
from .lazy import absent as _absent
from .ops import creation
from .tensor import Tensor


class Compose:
    """Call `transforms` one after the other; `torchvision.transforms.Compose`.

    >>> import numpy as np
    >>> from microgad.transforms import Compose, Normalize, ToTensor
    >>> transform = Compose([ToTensor(), Normalize((0.5,), (0.25,))])
    >>> transform(np.full((2, 2), 255, np.uint8)).tolist()
    [[[2.0, 2.0], [2.0, 2.0]]]
    >>> transform
    Compose(
        ToTensor()
        Normalize(mean=(0.5,), std=(0.25,))
    )
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self) -> str:
        return "\n".join(["Compose(", *(f"    {transform}" for transform in self.transforms), ")"])


class ToTensor:
    """An image, (H, W) or (H, W, C), to a (C, H, W) Tensor; `torchvision.transforms.ToTensor`.

    uint8 becomes float32 in [0, 1]; other dtypes keep dtype and range.

    Raises:
        DtypeError (a TypeError): not a NumPy array (microgad does without PIL).
        ShapeError (a ValueError): neither 2 nor 3 dimensions.

    >>> import numpy as np
    >>> from microgad.transforms import ToTensor
    >>> image = ToTensor()(np.array([[0, 51, 255]], np.uint8))
    >>> tuple(image.shape), round(image[0, 0, 1].item(), 6)
    ((1, 1, 3), 0.2)
    """

    def __call__(self, pic: NDArray[Any]) -> Tensor:
        if not isinstance(pic, np.ndarray):
            raise DtypeError(f"ToTensor: pic is {type(pic).__name__}, expected a NumPy array: np.asarray(pic)")
        if pic.ndim not in (2, 3):
            raise ShapeError(f"ToTensor: pic has {pic.ndim} dimensions {pic.shape}, expected (H, W) or (H, W, C)")
        planes = pic[None] if pic.ndim == 2 else pic.transpose(2, 0, 1)  # (H, W) | (H, W, C) -> (C, H, W)
        if planes.dtype == np.uint8:
            return creation.from_numpy(np.divide(planes, 255, dtype=np.float32, order="C"))
        return creation.from_numpy(planes.copy())

    def __repr__(self) -> str:
        return "ToTensor()"


class Normalize:
    """(image - mean) / std, channel by channel; `torchvision.transforms.Normalize`.

    Args:
        mean, std: one number for each channel, or a single one for all.
        inplace: write into the image that is given.

    The image is a floating-point Tensor (..., C, H, W).

    Raises:
        DtypeError (a TypeError): not a Tensor, or not of floating point.
        ShapeError (a ValueError): fewer than 3 dimensions, or not as many channels as numbers.
        ArgumentError (a ValueError): a zero in `std`.

    >>> import microgad
    >>> from microgad.transforms import Normalize
    >>> Normalize(mean=(0.5, 1.0), std=(0.5, 2.0))(microgad.ones(2, 1, 1)).tolist()
    [[[1.0]], [[0.0]]]
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        if 0 in np.ravel(std):
            raise ArgumentError(f"Normalize: std is {std}, expected no zero: the image is divided by it")
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def __call__(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, Tensor):
            raise DtypeError(f"Normalize: image is {type(tensor).__name__}, expected a Tensor: ToTensor() makes one")
        if not tensor.is_floating_point():
            raise DtypeError(f"Normalize: image is {tensor.dtype}, expected floating point: ToTensor() makes float32")
        if tensor.ndim < 3:
            raise ShapeError(f"Normalize: image has shape {tuple(tensor.shape)}, expected (..., C, H, W)")
        mean, std = self._like(tensor, "mean"), self._like(tensor, "std")
        if self.inplace:
            return tensor.sub_(mean).div_(std)
        return (tensor - mean) / std

    def _like(self, image: Tensor, name: str) -> Tensor:
        """Mean or std, (C,) -> (C, 1, 1), with the image's dtype and device."""
        column = np.reshape(getattr(self, name), (-1, 1, 1))
        values = creation.tensor(column, dtype=image.dtype, device=image.device)
        if len(values) not in (1, image.shape[-3]):
            raise ShapeError(
                f"Normalize: {name} has {len(values)} numbers, but the image {image.shape[-3]} channels "
                f"(shape {tuple(image.shape)})"
            )
        return values

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


class Lambda:
    """Any function as a transform; `torchvision.transforms.Lambda`.

    Raises:
        DtypeError (a TypeError): `lambd` cannot be called.

    >>> import numpy as np
    >>> from microgad.transforms import Lambda
    >>> Lambda(lambda image: image.reshape(-1))(np.zeros((2, 3))).shape
    (6,)
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise DtypeError(f"Lambda: lambd is {type(lambd).__name__}, expected a function")
        self.lambd = lambd

    def __call__(self, image: Any) -> Any:
        return self.lambd(image)

    def __repr__(self) -> str:
        return "Lambda()"


_absent(globals())

"""Transforms without random draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dtypes import dtype as Dtype
from ..errors import ArgumentError, DtypeError, ShapeError
from ..tensor import Tensor
from . import functional as F
from .base import ReprTransform
from .geometry import PADDING_MODES, parse_padding
from .images import NUMERIC_TYPES, InterpolationMode, parse_interpolation, parse_size


class _ReprByName:
    """Base of transforms whose repr is the name without arguments."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToTensor(_ReprByName):
    """Convert a PIL image or an array (H, W[, C]) to a Tensor (C, H, W). Source: torchvision.transforms.ToTensor.

    uint8 becomes the default dtype, in [0, 1]; other dtypes and ranges are kept. Raises TypeError for anything else,
    ValueError for an array of other dimensions.

    >>> image = torch.transforms.ToTensor()(np.array([[0, 51, 255]], np.uint8))
    >>> tuple(image.shape), round(image[0, 0, 1].item(), 6)
    ((1, 1, 3), 0.2)
    """

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)


class PILToTensor(_ReprByName):
    """Convert a PIL image to a Tensor (C, H, W) of the same values. Source: torchvision.transforms.PILToTensor.

    Raises TypeError for anything else.

    >>> from PIL import Image
    >>> torch.transforms.PILToTensor()(Image.new("L", (2, 1), 9)).tolist()
    [[[9, 9]]]
    """

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)


class ToPILImage:
    """Convert a Tensor (C, H, W) or an array (H, W, C) to a PIL image. Source: torchvision.transforms.ToPILImage.

    Raises TypeError and ValueError as functional.to_pil_image does.

    >>> torch.transforms.ToPILImage()(torch.zeros(3, 4, 5)).mode
    'RGB'
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(ReprTransform):
    """Convert a Tensor to another dtype and its range. Source: torchvision.transforms.ConvertImageDtype.

    Raises as functional.convert_image_dtype does.

    >>> torch.transforms.ConvertImageDtype(torch.uint8)(torch.tensor([0.0, 1.0])).tolist()
    [0, 255]
    """

    def __init__(self, dtype: Dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class Normalize(ReprTransform):
    """Return (image - mean) / std for each channel of a floating-point Tensor (..., C, H, W).

    `mean` and `std` hold one number for each channel, or a single one for all. With `inplace` the result is written to
    the input. Raises TypeError for anything but a floating-point Tensor, ValueError for fewer than 3 dimensions, for
    another number of channels, and for a zero in `std`. Source: torchvision.transforms.Normalize.

    >>> torch.transforms.Normalize(mean=(0.5, 1.0), std=(0.5, 2.0))(torch.ones(2, 1, 1)).tolist()
    [[[1.0]], [[0.0]]]
    """

    repr_names = "mean std"

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        if not isinstance(std, Tensor) and 0 in np.ravel(std):
            raise ArgumentError(f"Normalize: std is {std}, expected no zero: the image is divided by it")
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)


class Lambda(_ReprByName):
    """Use any function as a transform. Raises TypeError if it can't be called. Source: torchvision.transforms.Lambda.

    >>> torch.transforms.Lambda(lambda image: image.reshape(-1))(np.zeros((2, 3))).shape
    (6,)
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise DtypeError(f"Lambda: lambd is {type(lambd).__name__}, expected a function")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class Resize(ReprTransform):
    """Resize to a size, an int for the shorter edge or (h, w). Source: torchvision.transforms.Resize.

    Raises TypeError for a size that is neither, ValueError for a sequence of another length.

    >>> torch.transforms.Resize(8)(torch.zeros(3, 16, 20)).shape
    torch.Size([3, 8, 10])
    """

    repr_names = "size interpolation max_size antialias"

    def __init__(
        self,
        size: Any,
        interpolation: Any = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise DtypeError(f"Resize: size is {type(size).__name__}, expected an int or a sequence")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ArgumentError(f"Resize: size has {len(size)} numbers, expected 1 or 2")
        self.size, self.max_size, self.antialias = size, max_size, antialias
        self.interpolation = parse_interpolation(interpolation, "Resize")

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class _Crop(ReprTransform):
    repr_names = "size"

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = parse_size(size)


class CenterCrop(_Crop):
    """Crop the center to a size, an int for both edges or (h, w). Source: torchvision.transforms.CenterCrop.

    Raises ValueError for a size of more than two numbers.

    >>> torch.transforms.CenterCrop(2)(torch.arange(16).reshape(1, 4, 4)).tolist()
    [[[5, 6], [9, 10]]]
    """

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)


class Pad(ReprTransform):
    """Pad an image: see functional.pad. Source: torchvision.transforms.Pad.

    Raises TypeError for padding other than numbers and sequences, ValueError for other lengths and modes.

    >>> torch.transforms.Pad(1)(torch.ones(1, 1, 1)).tolist()
    [[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
    """

    repr_names = "padding fill padding_mode"

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        parse_padding(padding, "Pad")
        if not isinstance(fill, (*NUMERIC_TYPES, tuple, list)):
            raise DtypeError(f"Pad: fill is {type(fill).__name__}, expected a number or a tuple")
        if padding_mode not in PADDING_MODES:
            raise ArgumentError(f"Pad: padding_mode is {padding_mode!r}, expected one of {', '.join(PADDING_MODES)}")
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class FiveCrop(_Crop):
    """Crop the four corners and the center, as a tuple. Source: torchvision.transforms.FiveCrop.

    Raises ValueError if the size is larger than the image.

    >>> len(torch.transforms.FiveCrop(2)(torch.zeros(1, 4, 4)))
    5
    """

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.five_crop(img, self.size)


class TenCrop(_Crop):
    """FiveCrop of an image and of its flipped image, as a tuple. Source: torchvision.transforms.TenCrop.

    Raises ValueError if the size is larger than the image.

    >>> len(torch.transforms.TenCrop(2)(torch.zeros(1, 4, 4)))
    10
    """

    repr_names = "size vertical_flip"

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.ten_crop(img, self.size, self.vertical_flip)


class Grayscale(ReprTransform):
    """Convert to grayscale, in 1 channel or repeated in 3. Source: torchvision.transforms.Grayscale.

    >>> torch.transforms.Grayscale()(torch.zeros(3, 2, 2)).shape
    torch.Size([1, 2, 2])
    """

    repr_names = "num_output_channels"

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)


class LinearTransformation(ReprTransform):
    """Return (flattened image - mean_vector) @ transformation_matrix in the image's shape, for example for whitening.

    Raises ValueError if the sizes of matrix, vector and image don't match.
    Source: torchvision.transforms.LinearTransformation.

    >>> torch.transforms.LinearTransformation(2 * torch.eye(2), torch.ones(2))(torch.ones(1, 1, 2)).tolist()
    [[[0.0, 0.0]]]
    """

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        matrix, vector = transformation_matrix, mean_vector
        if matrix.shape[0] != matrix.shape[1]:
            raise ShapeError(f"transformation_matrix should be square. Got {tuple(matrix.shape)}")
        if vector.shape[0] != matrix.shape[0]:
            raise ShapeError(
                f"mean_vector has {vector.shape[0]} numbers, but transformation_matrix {tuple(matrix.shape)}"
            )
        for what in ("device", "dtype"):
            a, b = getattr(matrix, what), getattr(vector, what)
            if a != b:
                raise ArgumentError(f"transformation_matrix and mean_vector should be of one {what}. Got {a} and {b}")
        self.transformation_matrix, self.mean_vector = matrix, vector

    def forward(self, tensor: Tensor) -> Tensor:
        n = tensor.shape[-3] * tensor.shape[-2] * tensor.shape[-1]
        if n != len(self.transformation_matrix):
            raise ShapeError(
                f"LinearTransformation: the image {tuple(tensor.shape)} has {n} values, but transformation_matrix "
                f"{tuple(self.transformation_matrix.shape)}"
            )
        flat = tensor.reshape(-1, n) - self.mean_vector
        return (flat @ self.transformation_matrix.to(flat.dtype)).reshape(tensor.shape)

    def __repr__(self) -> str:
        matrix, mean = self.transformation_matrix.tolist(), self.mean_vector.tolist()
        return f"{type(self).__name__}(transformation_matrix={matrix}, mean_vector={mean})"

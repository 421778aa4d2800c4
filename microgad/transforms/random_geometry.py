"""Random geometric transforms: flips, rotations, affine, perspective and elastic maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError, DtypeError
from ..ops import movement
from ..ops.random import rand
from ..tensor import Tensor
from . import functional as F
from .base import (
    RandomApplyTransform,
    ReprTransform,
    parse_fill,
    parse_range,
    random_int,
    require_sequence,
    tensor_fill,
    uniform,
)
from .images import InterpolationMode, parse_interpolation


class RandomHorizontalFlip(RandomApplyTransform):
    """Flip left and right with probability p. Source: torchvision.transforms.RandomHorizontalFlip.

    >>> torch.transforms.RandomHorizontalFlip(p=1.0)(torch.tensor([[1, 2, 3]])).tolist()
    [[3, 2, 1]]
    """

    def change(self, img: Any) -> Any:
        return F.hflip(img)


class RandomVerticalFlip(RandomApplyTransform):
    """Flip top and bottom with probability p. Source: torchvision.transforms.RandomVerticalFlip.

    >>> torch.transforms.RandomVerticalFlip(p=1.0)(torch.tensor([[1], [2]])).tolist()
    [[2], [1]]
    """

    def change(self, img: Any) -> Any:
        return F.vflip(img)


class RandomRotation(ReprTransform):
    """Rotate by a random angle from -degrees to degrees, or in the range of two numbers.

    expand: enlarge the result to contain the whole image. Raises TypeError or ValueError for other arguments.
    Source: torchvision.transforms.RandomRotation.

    >>> torch.transforms.RandomRotation(10)(torch.zeros(1, 4, 5)).shape
    torch.Size([1, 4, 5])
    """

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.interpolation = parse_interpolation(interpolation, "RandomRotation")
        self.degrees = parse_range(degrees, "degrees")
        if center is not None:
            require_sequence(center, "center")
        self.center, self.expand, self.fill = center, expand, parse_fill(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Draw an angle for `rotate`."""
        return uniform(*degrees)

    def forward(self, img: Any) -> Any:
        fill, angle = tensor_fill(self.fill, img), self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        said = f"degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}"
        return f"{type(self).__name__}({said}{center}, fill={self.fill})"


class RandomAffine(ReprTransform):
    """Rotate and optionally translate by fractions of the size, scale, and shear by degrees, all randomly.

    Raises TypeError or ValueError for arguments of other types or out of range.
    Source: torchvision.transforms.RandomAffine.

    >>> torch.transforms.RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1))
    RandomAffine(degrees=[-10.0, 10.0], translate=(0.1, 0.1), scale=(0.9, 1.1))
    """

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.interpolation = parse_interpolation(interpolation, "RandomAffine")
        self.degrees = parse_range(degrees, "degrees")
        for name, x in (("translate", translate), ("scale", scale), ("center", center)):
            if x is not None:
                require_sequence(x, name)
        if translate is not None and not all(0.0 <= t <= 1.0 for t in translate):
            raise ArgumentError(f"RandomAffine: translate is {translate}, expected values between 0 and 1")
        if scale is not None and not all(s > 0 for s in scale):
            raise ArgumentError(f"RandomAffine: scale is {scale}, expected values > 0")
        self.translate, self.scale, self.center, self.fill = translate, scale, center, parse_fill(fill)
        self.shear = None if shear is None else parse_range(shear, "shear", (2, 4))

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Draw angle, translation (x, y), scale and shear (x, y) for `affine`; img_size is (width, height)."""
        angle, moved, scale, shear = uniform(*degrees), (0, 0), 1.0, (0.0, 0.0)
        if translate is not None:
            most = [float(share * n) for share, n in zip(translate, img_size, strict=True)]
            x, y = (round(uniform(-m, m)) for m in most)
            moved = x, y
        if scale_ranges is not None:
            scale = uniform(*scale_ranges)
        if shears is not None:
            sideways = uniform(*shears[:2])
            shear = sideways, uniform(*shears[2:]) if len(shears) == 4 else 0.0
        return angle, moved, scale, shear

    def forward(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        fill = tensor_fill(self.fill, img)
        return F.affine(img, *drawn, self.interpolation, fill, self.center)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        usual: dict[str, Any] = {"translate": None, "scale": None, "shear": None}
        usual |= {"interpolation": InterpolationMode.NEAREST, "fill": 0, "center": None}
        said = {name: getattr(self, name) for name, default in usual.items() if getattr(self, name) != default}
        rest = "".join(f", {name}={self._repr_value(value)}" for name, value in said.items())
        return f"{type(self).__name__}(degrees={self.degrees}{rest})"


class RandomPerspective(RandomApplyTransform):
    """Change the perspective with probability p: corners move inwards by up to distortion_scale / 2 of the size.

    Raises TypeError unless fill is a number or sequence. Source: torchvision.transforms.RandomPerspective.

    >>> torch.transforms.RandomPerspective()(torch.zeros(1, 4, 5)).shape
    torch.Size([1, 4, 5])
    """

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__(p)
        self.interpolation = parse_interpolation(interpolation, "RandomPerspective")
        self.distortion_scale, self.fill = distortion_scale, parse_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list[list[int]], list[list[int]]]:
        """Draw for `perspective` the corners, clockwise from the upper left, and their new positions."""
        dx, dy = int(distortion_scale * (width // 2)), int(distortion_scale * (height // 2))
        left, right = (0, dx + 1), (width - dx - 1, width)
        top, bottom = (0, dy + 1), (height - dy - 1, height)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        ends = [[random_int(*x), random_int(*y)] for x, y in corners]
        return [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], ends

    def change(self, img: Any) -> Any:
        _, height, width = F.get_dimensions(img)
        points = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, *points, self.interpolation, tensor_fill(self.fill, img))


class ElasticTransform(ReprTransform):
    """Shift pixels by a smooth random field of amplitude alpha and smoothness sigma, each a number or (x, y).

    Raises TypeError unless they are floats, ValueError for other lengths.
    Source: torchvision.transforms.ElasticTransform.

    >>> torch.transforms.ElasticTransform(alpha=20.0)(torch.zeros(1, 32, 32)).shape
    torch.Size([1, 32, 32])
    """

    repr_names = "alpha sigma interpolation fill"

    def __init__(
        self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = InterpolationMode.BILINEAR, fill: Any = 0
    ) -> None:
        super().__init__()
        self.alpha, self.sigma = _two_floats(alpha, "alpha"), _two_floats(sigma, "sigma")
        self.interpolation = parse_interpolation(interpolation, "ElasticTransform")
        if not isinstance(fill, (int, float, list, tuple)):
            raise DtypeError(f"fill should be int or float or a list or tuple of them. Got {type(fill)}")
        self.fill = [float(f) for f in (fill if isinstance(fill, (list, tuple)) else [fill])]

    def _repr_value(self, value: Any) -> Any:
        return value

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """Draw the displacement (1, H, W, 2) for `elastic_transform`."""
        moves = []
        for a, s, n in zip(alpha, sigma, size[::-1], strict=True):
            move = rand([1, 1, *size]) * 2 - 1
            if s > 0.0:
                kernel = int(8 * s + 1) | 1
                move = F.gaussian_blur(move, [kernel, kernel], list(sigma))
            moves.append(move * a / n)
        return movement.cat(moves, 1).permute(0, 2, 3, 1)

    def forward(self, tensor: Any) -> Any:
        _, height, width = F.get_dimensions(tensor)
        moves = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, moves, self.interpolation, self.fill)


def _two_floats(x: Any, name: str) -> Any:
    if isinstance(x, float):
        return [x, x]
    require_sequence(x, name)
    if not all(isinstance(v, float) for v in x):
        raise DtypeError(f"{name} should be float or a sequence of floats. Got {x!r}")
    return x

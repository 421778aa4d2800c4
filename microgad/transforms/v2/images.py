"""Image, the Tensors that ToImage makes, and how transforms find the images of a sample."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...errors import ArgumentError, DtypeError
from ...tensor import Tensor
from ..images import get_dimensions, is_pil


class Image(Tensor):
    """A Tensor that is known as an image, so that it is transformed wherever it stands in a sample.

    The transforms and `clone`, `detach` and `to` give Images again; what else is computed is a plain Tensor, and so is
    what a file gives. Source: torchvision.tv_tensors.Image.
    """

    _keeps_class, _prints_name, _is_saved_plain = False, True, True

    def clone(self, *args: Any, **options: Any) -> Any:
        return as_image(super().clone(*args, **options))

    def detach(self) -> Any:
        return as_image(super().detach())

    def to(self, *args: Any, **options: Any) -> Any:
        return as_image(super().to(*args, **options))

    def __repr__(self, **options: Any) -> str:
        return f"{super().__repr__(**options)[:-1]}, )"


def _of_plain(method: Any) -> Any:
    """Make the method of Images that calls one of Tensors, which calls `to`, on a plain Tensor."""
    return functools.wraps(method)(lambda self, *args, **options: method(self.as_subclass(Tensor), *args, **options))


_TO_PLAIN = "half float double byte char short int long bool type type_as cpu cuda"
for _name in _TO_PLAIN.split():
    setattr(Image, _name, _of_plain(getattr(Tensor, _name)))


def as_image(x: Any) -> Any:
    """Return a Tensor, to which there must be no other references, as an Image, which takes its place."""
    return x if isinstance(x, Image) else x._of_class(Image)


def like(result: Any, image: Any) -> Any:
    """Return the Tensors that were computed from an Image as Images, and anything else unchanged."""
    if not isinstance(image, Image):
        return result
    if isinstance(result, tuple):
        return tuple(as_image(x) for x in result)
    return as_image(result) if isinstance(result, Tensor) else result


def is_pure_tensor(x: Any) -> bool:
    """Whether it is a Tensor, but no Image."""
    return isinstance(x, Tensor) and not isinstance(x, Image)


def is_image(x: Any) -> bool:
    """Whether it is a PIL image or an Image."""
    return isinstance(x, Image) or is_pil(x)


def check_type(obj: Any, types_or_checks: tuple[type | Callable[[Any], bool], ...]) -> bool:
    """Whether an object is of one of these types, or one of these predicates holds for it.

    Source: torchvision.transforms.v2.check_type.

    >>> torch.transforms.v2.check_type(3, (str, lambda x: x == 3))
    True
    """
    return any(isinstance(obj, x) if isinstance(x, type) else x(obj) for x in types_or_checks)


def has_any(flat_inputs: list[Any], *types_or_checks: type | Callable[[Any], bool]) -> bool:
    """Whether `check_type` holds for any object of a sample. Source: torchvision.transforms.v2.has_any.

    >>> torch.transforms.v2.has_any([1, "a"], str, float)
    True
    """
    return any(check_type(x, types_or_checks) for x in flat_inputs)


def has_all(flat_inputs: list[Any], *types_or_checks: type | Callable[[Any], bool]) -> bool:
    """Whether a sample has an object of each type, or for which each predicate holds.

    Source: torchvision.transforms.v2.has_all.

    >>> torch.transforms.v2.has_all([1, "a"], str, float)
    False
    """
    return all(has_any(flat_inputs, wanted) for wanted in types_or_checks)


def query_chw(flat_inputs: list[Any]) -> tuple[int, int, int]:
    """Return channels, height and width of the images in a sample.

    Raises TypeError if there are none, ValueError if they differ. Source: torchvision.transforms.v2.query_chw.

    >>> torch.transforms.v2.query_chw([torch.zeros(3, 4, 5), "label"])
    (3, 4, 5)
    """
    channels, height, width = _query(flat_inputs, 0)
    return channels, height, width


def query_size(flat_inputs: list[Any]) -> tuple[int, int]:
    """Return height and width of the images in a sample.

    Raises TypeError if there are none, ValueError if they differ. Source: torchvision.transforms.v2.query_size.

    >>> torch.transforms.v2.query_size([torch.zeros(3, 4, 5), "label"])
    (4, 5)
    """
    height, width = _query(flat_inputs, 1)
    return height, width


def _query(flat_inputs: list[Any], start: int) -> tuple[int, ...]:
    found = {tuple(get_dimensions(x)[start:]) for x in flat_inputs if isinstance(x, Tensor) or is_pil(x)}
    if not found:
        raise DtypeError("No image was found in the sample: PIL images and Tensors are, arrays need ToImage() first")
    if len(found) > 1:
        wanted = "size" if start else "number of channels and size"
        raise ArgumentError(f"The images of a sample must have one {wanted}, but have {sorted(found)}")
    return found.pop()

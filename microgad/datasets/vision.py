"""VisionDataset, the base of image data sets, which applies transforms and makes PIL images."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError
from ..ops.creation import from_numpy
from ..transforms.images import PillowError, from_pixels
from ..type_aliases import Array
from ..utils.data.dataset import Dataset

Transform = Callable[[Any], Any] | None


class StandardTransform:
    """A pair of transforms for images and targets. Source: torchvision.datasets.vision.StandardTransform.

    >>> torch.datasets.vision.StandardTransform(abs, None)(-1, -2)
    (1, -2)
    """

    def __init__(self, transform: Transform = None, target_transform: Transform = None) -> None:
        self.transform, self.target_transform = transform, target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        return input, target if self.target_transform is None else self.target_transform(target)

    def __repr__(self) -> str:
        named = (("Transform: ", self.transform), ("Target transform: ", self.target_transform))
        shown = [self._format_transform_repr(transform, head) for head, transform in named if transform is not None]
        return "\n".join([type(self).__name__, *(line for lines in shown for line in lines)])

    def _format_transform_repr(self, transform: Any, head: str) -> list[str]:
        """Return the lines of a transform's repr, indented by `head`, which the first one shows."""
        return (head + repr(transform).replace("\n", "\n" + " " * len(head))).splitlines()


class VisionDataset(Dataset[Any]):
    """Base of image data sets. A subclass defines __getitem__ and __len__, and may define extra_repr.

    Args:
        root: the folder; ~ stands for the home folder.
        transforms: called with an image and its target; or
        transform, target_transform: called with the image, and with the target.

    Raises ValueError if both are given. Source: torchvision.datasets.VisionDataset.

    >>> class Two(torch.datasets.VisionDataset):
    ...     def __len__(self):
    ...         return 2
    >>> Two("folder", transform=torch.transforms.ToTensor())
    Dataset Two
        Number of datapoints: 2
        Root location: folder
        StandardTransform
    Transform: ToTensor()
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Transform = None,
        target_transform: Transform = None,
    ) -> None:
        self.root: Any = None if root is None else os.path.expanduser(os.fspath(root))
        apart = transform is not None or target_transform is not None
        if transforms is not None and apart:
            raise ArgumentError("Only transforms or transform/target_transform can be passed as argument")
        self.transform, self.target_transform = transform, target_transform
        self.transforms = StandardTransform(transform, target_transform) if apart else transforms

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__")

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        lines += [] if self.root is None else [f"Root location: {self.root}"]
        lines += self.extra_repr().splitlines()
        lines += [] if self.transforms is None else [repr(self.transforms)]
        return "\n".join([f"Dataset {type(self).__name__}", *(f"    {line}" for line in lines)])

    def extra_repr(self) -> str:
        """Return further lines of the repr; a subclass may override this."""
        return ""

    _format_transform_repr = StandardTransform._format_transform_repr

    def _apply_transforms(self, image: Any, target: Any) -> tuple[Any, Any]:
        return StandardTransform(self.transform, self.target_transform)(image, target)

    def _to_image(self, pixels: Array, mode: str) -> Any:
        """Return a PIL image. Without Pillow, return an array if there is a transform, else a Tensor."""
        try:
            return from_pixels(pixels, mode)
        except PillowError:
            pixels = pixels.copy()  # a transform may write to its image, but not to the data set
            return pixels if self.transform is not None else from_numpy(pixels)

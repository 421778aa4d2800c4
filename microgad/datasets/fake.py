"""Images of noise, for testing programs without data."""

from __future__ import annotations

from typing import Any

from ..errors import DimError
from ..ops.random import get_rng_state, manual_seed, randint, randn, set_rng_state
from ..transforms.functional import to_pil_image
from .vision import Transform, VisionDataset


class FakeData(VisionDataset):
    """Images of noise, each drawn with the seed index + random_offset. The default generator is not changed.

    Args:
        size: the number of images.
        image_size: channels, height, width.
        num_classes: targets are drawn from 0 to num_classes - 1.
        transform, target_transform: called with a PIL image, and with a target, a Tensor () of int64.
        random_offset: added to the index to give the seed.

    Raises IndexError beyond the end, ImportError without Pillow. Source: torchvision.datasets.FakeData.

    >>> image, target = torch.datasets.FakeData(2, (3, 4, 5), transform=torch.transforms.ToTensor())[1]
    >>> image.shape, target
    (torch.Size([3, 4, 5]), 5)
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform = None,
        target_transform: Transform = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size, self.image_size, self.num_classes, self.random_offset = size, image_size, num_classes, random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise DimError(f"FakeData: index is {index}, but there are {len(self)} samples")
        state = get_rng_state()
        manual_seed(index + self.random_offset)
        noise, target = randn(*self.image_size), randint(0, self.num_classes, (1,))[0]
        set_rng_state(state)
        image, target = self._apply_transforms(to_pil_image(noise), target)
        return image, target.item()

    def __len__(self) -> int:
        return self.size

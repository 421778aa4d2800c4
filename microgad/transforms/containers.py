"""Containers of transforms. As in torchvision, some draw from PyTorch's generator and some from Python's."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import DtypeError
from ..nn import Module
from ..ops.random import rand

Transforms = Sequence[Callable[..., Any]]


def multiline_repr(container: Any, *first: str) -> str:
    """Return a repr with one line for each of a container's transforms."""
    lines = [f"    {line}" for line in (*first, *container.transforms)]
    return "\n".join([f"{type(container).__name__}(", *lines, ")"])


class Compose:
    """Call `transforms` one after the other. Source: torchvision.transforms.Compose.

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

    def __init__(self, transforms: Transforms) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return multiline_repr(self)


class RandomApply(Module):
    """Call `transforms` one after the other, with probability p. Source: torchvision.transforms.RandomApply.

    >>> torch.transforms.RandomApply([torch.transforms.Lambda(lambda x: -x)], p=1.0)(2)
    -2
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if (self.p < rand(1)).item():
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return multiline_repr(self, f"p={self.p}")


class RandomTransforms:
    """Base of containers that choose among `transforms`. Raises TypeError unless it is a sequence.

    Source: torchvision.transforms.transforms.RandomTransforms.

    >>> torch.transforms.RandomOrder([])
    RandomOrder(
    )
    """

    def __init__(self, transforms: Transforms) -> None:
        if not isinstance(transforms, Sequence):
            raise DtypeError(f"{type(self).__name__}: transforms is {type(transforms).__name__}, expected a sequence")
        self.transforms = transforms

    def __repr__(self) -> str:
        return multiline_repr(self)


class RandomOrder(RandomTransforms):
    """Call all `transforms` in random order, by Python's generator. Source: torchvision.transforms.RandomOrder.

    >>> torch.transforms.RandomOrder([lambda x: x + 1, lambda x: x + 2])(0)
    3
    """

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomChoice(RandomTransforms):
    """Call one of `transforms` with weights p, by Python's generator. Source: torchvision.transforms.RandomChoice.

    Raises TypeError unless the weights are a sequence.

    >>> torch.transforms.RandomChoice([lambda x: x + 1, lambda x: x + 2], p=[1, 0])(0)
    1
    """

    def __init__(self, transforms: Transforms, p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise DtypeError(f"RandomChoice: p is {type(p).__name__}, expected a sequence")
        self.p = p

    def __call__(self, *args: Any) -> Any:
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"

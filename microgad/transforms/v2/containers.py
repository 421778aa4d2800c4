"""Containers of transforms for samples of any structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ArgumentError, DtypeError
from ...ops import creation
from ...ops.random import multinomial, rand, randperm
from .base import Transform, require_p


class _Container(Transform):
    """Base of the containers."""

    def __init__(self, transforms: Any) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence) and not hasattr(transforms, "append"):
            raise DtypeError(f"{type(self).__name__}: transforms is {type(transforms).__name__}, expected a sequence")
        if not len(transforms):
            raise ArgumentError(f"{type(self).__name__}: Pass at least one transform")
        self.transforms = transforms


class Compose(_Container):
    """Call `transforms` one after the other. Raises TypeError unless a sequence, ValueError for an empty one.

    Source: torchvision.transforms.v2.Compose.

    >>> torch.transforms.v2.Compose([abs, torch.transforms.v2.Identity()])(-1)
    1
    """

    def forward(self, *inputs: Any) -> Any:
        return _call_in_order(self.transforms, inputs)

    def extra_repr(self) -> str:
        """Show one line for each transform."""
        return "\n".join(f"    {transform}" for transform in self.transforms)


def _call_in_order(transforms: Any, inputs: tuple[Any, ...]) -> Any:
    several = len(inputs) > 1
    for transform in transforms:
        found = transform(*inputs)
        inputs = found if several else (found,)
    return inputs if several else inputs[0]


class RandomApply(Compose):
    """Call `transforms` one after the other, with probability p. Raises ValueError for p outside of [0, 1].

    Source: torchvision.transforms.v2.RandomApply.

    >>> torch.transforms.v2.RandomApply([abs], p=1.0)(-1)
    1
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__(transforms)
        require_p("RandomApply", p)
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        if (rand(1) >= self.p).item():
            return inputs if len(inputs) > 1 else inputs[0]
        return super().forward(*inputs)


class RandomChoice(_Container):
    """Call one of `transforms` with weights p. Raises TypeError or ValueError for invalid arguments.

    Source: torchvision.transforms.v2.RandomChoice.

    >>> torch.transforms.v2.RandomChoice([abs, len], p=[1, 0])(-1)
    1
    """

    def __init__(self, transforms: Any, p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        weights = [1] * len(transforms) if p is None else p
        if len(weights) != len(transforms):
            raise ArgumentError(f"RandomChoice: p has {len(weights)} weights for {len(transforms)} transforms")
        self.p = [weight / sum(weights) for weight in weights]

    def forward(self, *inputs: Any) -> Any:
        return self.transforms[int(multinomial(creation.tensor(self.p), 1).item())](*inputs)


class RandomOrder(_Container):
    """Call all `transforms` in random order.

    Raises TypeError for no sequence, ValueError for an empty one. Source: torchvision.transforms.v2.RandomOrder.

    >>> torch.transforms.v2.RandomOrder([abs, abs])(-1)
    1
    """

    def forward(self, *inputs: Any) -> Any:
        return _call_in_order([self.transforms[i] for i in randperm(len(self.transforms)).tolist()], inputs)

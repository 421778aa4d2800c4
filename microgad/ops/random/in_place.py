"""Fill Tensors in place with random numbers, in the memory order of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, function
from ... import generator as draws
from ...duck_arrays import Fallback
from ...errors import ArgumentError, DtypeError, KindError
from ...function.naming import with_in_place_name
from ...generator import Generator
from ...state import observed
from ...type_aliases import Tensor
from ..creation import check_options
from ..creation.scalars import as_scalar
from ..indexing import SetItem
from ..support.bare import is_recorded
from ..support.spelling import tensors_only

_LOOKS_AT_NUMBERS_ONLY = "exponential_", "log_normal_", "geometric_", "bernoulli_"  # in PyTorch: not at the dtype


def _fill_in_place(self: Tensor, draw: Callable[..., Any], generator: Generator | None, **parameters: Any) -> Tensor:
    """Overwrite a Tensor with draw(array, *parameters), recorded if the Tensor is on a graph."""
    name = draw.__name__
    numbers = [x if x is None or backend.is_array(x) else as_scalar(name, key, x) for key, x in parameters.items()]
    self._check_writable(name, False)
    if not self.array.size and self.array.dtype.kind != "f" and name in _LOOKS_AT_NUMBERS_ONLY:
        draw(np.empty(self.array.shape), *numbers, generator=generator)  # checks the parameters
        return self
    on_graph = is_recorded(self, self._links.base)
    separate = on_graph or backend.is_gpu(self.array)  # draw into another array first
    host = draws.fills.host_array(self.array) if separate else self.array
    if draw(host, *numbers, generator=generator) is not host:
        raise Fallback  # slices would write different draws into memory that they share
    if separate:
        drawn = backend.to_device(host, self.device)
        if on_graph:
            before = self.node
            SetItem.apply_(self, drawn, index=(Ellipsis,))
            return with_in_place_name(f"{name.title().replace('_', '')}Backward0", self, before)
        self.array[...] = drawn
    self._bump()
    return self


@tensors_only
def uniform_(
    self: Tensor, from_: float = 0, to: float = 1, *, generator: Generator | None = None, **spelled: float
) -> Tensor:
    """Fill with uniform numbers in [from, to). Source: torch.Tensor.uniform_.

    >>> torch.manual_seed(2024).initial_seed()
    2024
    >>> torch.empty(1).uniform_(-2, 5)
    tensor([1.7220])
    """
    check_options("uniform_", spelled, {"from"})  # PyTorch's name of from_
    return _fill_in_place(self, draws.uniform_, generator, **{"from": spelled.get("from", from_), "to": to})


@tensors_only
def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers.

    Raises RuntimeError for a negative std. Source: torch.Tensor.normal_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(3).normal_()
    tensor([-0.0404,  1.7260, -0.8140])
    """
    if std < 0:
        raise ArgumentError(f"normal expects std >= 0.0, but found std {std:g}")
    return _fill_in_place(self, draws.normal_, generator, mean=mean, std=std)


@tensors_only
def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Tensor:
    """Fill with exp of normal numbers of a mean and a standard deviation. Source: torch.Tensor.log_normal_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(2).log_normal_(0, 0.25)
    tensor([0.9899, 1.5396])
    """
    return _fill_in_place(self, draws.log_normal_, generator, mean=mean, std=std)


@tensors_only
def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponentially distributed numbers of rate lambd. Source: torch.Tensor.exponential_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(1).exponential_()
    tensor([0.2927])
    """
    return _fill_in_place(self, draws.exponential_, generator, lambd=lambd)


@tensors_only
def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with Cauchy-distributed numbers of a median and a scale sigma. Source: torch.Tensor.cauchy_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(1).cauchy_()
    tensor([-0.9769])
    """
    return _fill_in_place(self, draws.cauchy_, generator, median=median, sigma=sigma)


@tensors_only
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the number of trials, of probability p, up to the first success. Source: torch.Tensor.geometric_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(4).geometric_(0.3)
    tensor([4., 1., 4., 1.])
    """
    return _fill_in_place(self, draws.geometric_, generator, p=p)


def random_(self: Tensor, *bounds: int | None, generator: Generator | None = None, **spelled: int | None) -> Tensor:
    """Fill with integers in [from, to), by default all from 0 on that the dtype holds exactly.

    The forms are `random_()`, `random_(to)`, `random_(from, to)`, and `random_(from, None)`, without an upper bound.
    Raises TypeError for other arguments. Source: torch.Tensor.random_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(6, dtype=torch.int64).random_(0, 10)
    tensor([2, 0, 4, 0, 3, 0])
    """
    names = ("to",) if len(bounds) == 1 and "to" not in spelled else ("from", "to")
    given = dict(zip(names, bounds, strict=False))
    if len(bounds) > 2 or spelled.keys() - {"from", "to"} or spelled.keys() & given.keys():
        raise TypeError(f"random_() takes from and to, got {bounds} and {spelled}")
    given |= spelled
    if given.get("from", 0) is None or (given.keys() == {"to"} and given["to"] is None):
        raise DtypeError("random_(): a bound must be int, not NoneType: only `to` after `from` may be None")
    low, high = (given.get(name) for name in ("from", "to"))
    return _fill_in_place(self, draws.random_, generator, **{"from": low, "to": high})


def check_real(x: Tensor) -> None:
    """Raise NotImplementedError for complex numbers."""
    if x.is_complex():
        raise KindError(f"bernoulli_: is not implemented for {x.dtype}")


@observed
def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 where a draw with probability p succeeds, 0 elsewhere. Source: torch.Tensor.bernoulli_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(10).bernoulli_(0.3)
    tensor([1., 0., 0., 0., 0., 1., 0., 0., 0., 1.])
    """
    if self.array.size:
        check_real(self)
    chance = backend.to_numpy(p.array) if isinstance(p, function.Tensor) else p
    return _fill_in_place(self, draws.bernoulli_, generator, p=chance)

"""Tensors filled with random numbers, in the memory order of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ... import backend, state
from ... import generator as draws
from ...errors import ArgumentError, KindError
from ...generator import Generator
from ..indexing import SetItem
from ..spelling import tensors_only

if TYPE_CHECKING:
    from ...tensor import Tensor


def _drawn(self: Tensor, name: str, draw: Callable[[Any], Any]) -> Tensor:
    """Overwrite a Tensor by a draw, in the memory order of its values."""
    self._check_writable(name, False)
    on_graph = self.node is not None or (self.base is not None and self.base.node is not None)
    on_graph = on_graph and state.current().grad_enabled
    if on_graph or backend.is_gpu(self.array):
        host = draws.fills.empty_like(self.array)  # the values there are not read
        draw(host)
        drawn = backend.to_device(host, self.device)
        if on_graph:
            return SetItem.apply_(self, drawn, index=(Ellipsis,))
        self.array[...] = drawn
    else:
        draw(self.array)
    self._bump()
    return self


def _spelled(name: str, from_: Any, options: dict[str, Any]) -> Any:
    """The lower bound, which PyTorch calls `from`."""
    if options.keys() - {"from"}:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(options.keys() - {'from'}))}'")
    return options.get("from", from_)


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
    low = _spelled("uniform_", from_, spelled)
    return _drawn(self, "uniform_", lambda array: draws.uniform_(array, low, to, generator=generator))


@tensors_only
def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers. Source: torch.Tensor.normal_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(3).normal_()
    tensor([-0.0404,  1.7260, -0.8140])
    """
    if std < 0:
        raise ArgumentError(f"normal_ expects std >= 0.0, but found std {std}")
    return _drawn(self, "normal_", lambda array: draws.normal_(array, mean, std, generator=generator))


@tensors_only
def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Tensor:
    """Fill with exp of normal numbers, whose mean and deviation are given. Source: torch.Tensor.log_normal_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(2).log_normal_(0, 0.25)
    tensor([0.9899, 1.5396])
    """
    return _drawn(self, "log_normal_", lambda array: draws.log_normal_(array, mean, std, generator=generator))


@tensors_only
def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponential waiting times at rate lambd. Source: torch.Tensor.exponential_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(1).exponential_()
    tensor([0.2927])
    """
    return _drawn(self, "exponential_", lambda array: draws.exponential_(array, lambd, generator=generator))


@tensors_only
def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with Cauchy numbers of half-width sigma. Source: torch.Tensor.cauchy_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(1).cauchy_()
    tensor([-0.9769])
    """
    return _drawn(self, "cauchy_", lambda array: draws.cauchy_(array, median, sigma, generator=generator))


@tensors_only
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the trials of probability p up to the first success. Source: torch.Tensor.geometric_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(4).geometric_(0.3)
    tensor([4., 1., 4., 1.])
    """
    return _drawn(self, "geometric_", lambda array: draws.geometric_(array, p, generator=generator))


def random_(
    self: Tensor, from_: int | None = None, to: int | None = None, *, generator: Generator | None = None, **spelled: int
) -> Tensor:
    """Fill with integers in [from, to), or all that the dtype holds exactly. Source: torch.Tensor.random_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(6, dtype=torch.int64).random_(0, 10)
    tensor([2, 0, 4, 0, 3, 0])
    """
    low = _spelled("random_", from_, spelled)
    low, high = (0, from_) if to is None and from_ is not None else (low, to)
    return _drawn(self, "random_", lambda array: draws.random_(array, low, high, generator=generator))


def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 where a draw with probability p succeeds, 0 elsewhere. Source: torch.Tensor.bernoulli_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(10).bernoulli_(0.3)
    tensor([1., 0., 0., 0., 0., 1., 0., 0., 0., 1.])
    """
    if self.is_complex():
        raise KindError(f"bernoulli_: is not implemented for {self.dtype}")
    chance = p if isinstance(p, (int, float)) else backend.to_numpy(p.array)
    return _drawn(self, "bernoulli_", lambda array: draws.bernoulli_(array, chance, generator=generator))

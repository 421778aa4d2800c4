"""Random numbers: PyTorch's CPU streams, on every device the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backend, dtypes, state
from .. import generator as draws
from ..errors import ArgumentError, DtypeError
from ..generator import Generator, fills
from .creation import finished, size_of
from .indexing import SetItem

if TYPE_CHECKING:
    from ..tensor import Tensor


def _drawn(self: Tensor, name: str, draw: Callable[[Any], Any]) -> Tensor:
    """Overwrite a Tensor by a draw, in the memory order of its values."""
    self._check_writable(name, False)
    if backend.is_gpu(self.array):
        host = backend.to_numpy(self.array)
        draw(host)
        self.array[...] = backend.to_device(host, self.device)
    else:
        draw(self.array)
    self._bump()
    if state.current().grad_enabled and (
        self.node is not None or (self.base is not None and self.base.node is not None)
    ):
        self._rebind(SetItem.noted([self.node, None], self.array, index=(Ellipsis,)))
    return self


def uniform_(self: Tensor, from_: float = 0, to: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with uniform numbers in [from, to). Source: torch.Tensor.uniform_.

    >>> torch.manual_seed(2024).initial_seed()
    2024
    >>> torch.empty(1).uniform_(-2, 5)
    tensor([1.7220])
    """
    return _drawn(self, "uniform_", lambda array: draws.uniform_(array, from_, to, generator=generator))


def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers. Source: torch.Tensor.normal_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(3).normal_()
    tensor([-0.0404,  1.7260, -0.8140])
    """
    if std < 0:
        raise ArgumentError(f"normal_ expects std >= 0.0, but found std {std}")
    return _drawn(self, "normal_", lambda array: draws.normal_(array, mean, std, generator=generator))


def random_(
    self: Tensor, from_: int | None = None, to: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Fill with integers in [from, to), or all that the dtype holds exactly. Source: torch.Tensor.random_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(6, dtype=torch.int64).random_(0, 10)
    tensor([2, 0, 4, 0, 3, 0])
    """
    low, high = (0, from_) if to is None and from_ is not None else (from_, to)
    return _drawn(self, "random_", lambda array: draws.random_(array, low, high, generator=generator))


def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 where a draw with probability p succeeds, 0 elsewhere. Source: torch.Tensor.bernoulli_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.empty(10).bernoulli_(0.3)
    tensor([1., 0., 0., 0., 0., 1., 0., 0., 0., 1.])
    """
    chance = p if isinstance(p, (int, float)) else backend.to_numpy(p.array)
    return _drawn(self, "bernoulli_", lambda array: draws.bernoulli_(array, chance, generator=generator))


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probabilities in input (or with p), 0 else, in input's shape and dtype. Source: torch.bernoulli.

    >>> _ = torch.manual_seed(2024)
    >>> torch.bernoulli(torch.full((10,), 0.3))
    tensor([0., 0., 0., 1., 1., 0., 1., 0., 0., 0.])
    """
    out = finished(np.zeros_like(input.array, order="C"))
    return bernoulli_(out, input if p is None else p, generator=generator)


def _like(input: Tensor, kind: np.dtype[Any]) -> Any:
    """A NumPy array of input's shape, and laid out in memory as PyTorch would."""
    return fills.empty_like(input.array).astype(kind, copy=False)


def _new(size: tuple[Any, ...], dtype: Any) -> Tensor:
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)
    if not kind.is_floating_point:
        raise DtypeError(f"random: expected a floating-point dtype, got {kind}")
    return finished(np.empty(size_of(size), kind.dtype))


def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1). Source: torch.rand.

    >>> _ = torch.manual_seed(2024)
    >>> torch.rand(3)
    tensor([0.5317, 0.8313, 0.9718])
    """
    return finished(uniform_(_new(size, dtype), generator=generator).array, device, requires_grad)


def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Standard normal numbers. Source: torch.randn.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randn(3)
    tensor([-0.0404,  1.7260, -0.8140])
    """
    return finished(normal_(_new(size, dtype), generator=generator).array, device, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform numbers in [0, 1) in input's shape, dtype and device. Source: torch.rand_like.

    >>> torch.rand_like(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """
    kind = input.array.dtype if dtype is None else dtypes.of(dtype).dtype
    return uniform_(finished(_like(input, kind), input.device)).requires_grad_(requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal numbers in input's shape, dtype and device. Source: torch.randn_like.

    >>> torch.randn_like(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """
    kind = input.array.dtype if dtype is None else dtypes.of(dtype).dtype
    return normal_(finished(_like(input, kind), input.device)).requires_grad_(requires_grad)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Normal numbers with a mean and a standard deviation each, numbers or Tensors. Source: torch.normal.

    >>> torch.normal(0.0, 1.0, (2, 3)).shape
    torch.Size([2, 3])
    """
    if size is not None:
        return normal_(_new((size,), None), mean, std, generator=generator)
    tensors = [x for x in (mean, std) if not isinstance(x, (int, float))]
    if not tensors:
        raise ArgumentError("normal: with numbers for mean and std, size must be given")
    shape = np.broadcast_shapes(*(tuple(x.shape) for x in tensors))
    out = _new((shape,), tensors[0].dtype)
    if isinstance(std, (int, float)):
        return normal_(out, 0, std, generator=generator) + mean
    return normal_(out, generator=generator) * std + mean


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Integers (int64) in [low, high); with one bound, from 0. Source: torch.randint.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randint(0, 10, (6,))
    tensor([2, 0, 4, 0, 3, 0])
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    out = finished(np.empty(size_of((size,)), (dtypes.int64 if dtype is None else dtypes.of(dtype)).dtype))
    return finished(random_(out, low, high, generator=generator).array, device, requires_grad)


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The integers below n in random order. Source: torch.randperm.

    >>> _ = torch.manual_seed(2024)
    >>> torch.randperm(8)
    tensor([0, 1, 6, 3, 7, 4, 2, 5])
    """
    kind = (dtypes.int64 if dtype is None else dtypes.of(dtype)).dtype
    return finished(draws.randperm(n, kind, generator=generator), device)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Indices (int64) drawn with the weights in each row of input. Source: torch.multinomial.

    >>> _ = torch.manual_seed(2024)
    >>> torch.multinomial(torch.tensor([1.0, 2.0, 3.0, 4.0]), 3)
    tensor([2, 0, 3])
    """
    drawn = draws.multinomial(backend.to_numpy(input.array), num_samples, replacement, generator=generator)
    return finished(drawn, input.device)


def manual_seed(seed: int) -> Generator:
    """Start the default generator anew from a seed, and return it. Source: torch.manual_seed.

    >>> torch.manual_seed(0).initial_seed()
    0
    """
    return draws.default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default generator from a random seed, and return that. Source: torch.seed."""
    return draws.default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator started from. Source: torch.initial_seed."""
    return draws.default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state, a uint8 Tensor in PyTorch's layout. Source: torch.get_rng_state.

    >>> saved = torch.get_rng_state()
    >>> a = torch.rand(2)
    >>> torch.set_rng_state(saved)
    >>> torch.equal(a, torch.rand(2))
    True
    """
    return finished(draws.default_generator.get_state())


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state. Source: torch.set_rng_state."""
    draws.default_generator.set_state(backend.to_numpy(getattr(new_state, "array", new_state)))

"""Samplers: the order, and the batches, in which a dataset's indices are visited. Random draws are PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice, repeat
from typing import Any, Generic, TypeVar

import numpy as np

from ... import generator as draws
from ...generator import Generator
from ...ops.creation import as_tensor

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Base class of samplers, iterables of indices or of batches of them. Source: torch.utils.data.Sampler.

    >>> class Backwards(torch.utils.data.Sampler):
    ...     def __init__(self, data):
    ...         self.data = data
    ...     def __iter__(self):
    ...         return iter(range(len(self.data))[::-1])
    >>> list(Backwards("abc"))
    [2, 1, 0]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__")


class _InfiniteConstantSampler(Sampler[None]):
    """Yields None without end: what stands for the indices of an IterableDataset, which has none."""

    def __iter__(self) -> Iterator[None]:
        return repeat(None)


class SequentialSampler(Sampler[int]):
    """Yields the indices 0, 1, 2, … in order.

    Raises TypeError for a source without a length. Source: torch.utils.data.SequentialSampler.

    >>> list(torch.utils.data.SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Yields indices in random order, or with `replacement` independent ones. Source: torch.utils.data.RandomSampler.

    `num_samples` (by default the dataset's length) may be larger than the dataset: then several permutations follow
    each other. Without `generator` each pass has a new one, seeded from the default generator. A `num_samples` that
    isn't a positive integer raises ValueError, a `replacement` that isn't a bool TypeError.

    >>> list(torch.utils.data.RandomSampler(range(8), generator=torch.Generator().manual_seed(2024)))
    [0, 1, 6, 3, 7, 4, 2, 5]
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self) -> int:
        """The number of indices in a pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        source = Generator().manual_seed(draw_seed(None)) if self.generator is None else self.generator
        if self.replacement:
            for start in range(0, self.num_samples, 32):
                count = min(32, self.num_samples - start)
                yield from draws.random_(np.empty(count, np.int64), 0, n, generator=source).tolist()
        else:
            for _ in range(self.num_samples // n):
                yield from draws.randperm(n, generator=source).tolist()
            yield from draws.randperm(n, generator=source).tolist()[: self.num_samples % n]  # PyTorch draws even for 0

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Yields the given indices in random order. Source: torch.utils.data.SubsetRandomSampler.

    >>> list(torch.utils.data.SubsetRandomSampler([10, 20, 30], generator=torch.Generator().manual_seed(0)))
    [30, 10, 20]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in draws.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Yields indices drawn with given weights, which needn't sum to 1. Source: torch.utils.data.WeightedRandomSampler.

    Raises ValueError for a `num_samples` that isn't a positive integer, a `replacement` that isn't a bool, and weights
    that aren't one-dimensional.

    >>> list(torch.utils.data.WeightedRandomSampler([0, 1, 0], 4))
    [1, 1, 1, 1]
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        _check_count("num_samples", num_samples)
        _check_switch("replacement", replacement)
        self.weights = as_tensor(weights, dtype=np.float64)
        if self.weights.ndim != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have {tuple(self.weights.shape)}")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        weights = self.weights.numpy(force=True)
        yield from draws.multinomial(weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Yields lists of `batch_size` indices from a sampler or any iterable. Source: torch.utils.data.BatchSampler.

    The last list may be shorter, or is left out with `drop_last`. A batch_size that isn't a positive integer, or a
    drop_last that isn't a bool, raises ValueError.

    >>> list(torch.utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        _check_count("batch_size", batch_size)
        _check_switch("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def draw_seed(generator: Generator | None) -> int:
    """Draw a nonnegative int64 seed, as PyTorch does.

    >>> draw_seed(torch.Generator().manual_seed(2024)) == (2525503112 << 32 | 3251949050) % 2**63
    True
    """
    return int(draws.random_(np.empty((), np.int64), generator=generator))


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_switch(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} should be a boolean value, but got {name}={value}")

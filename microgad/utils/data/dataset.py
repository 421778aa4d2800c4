"""Datasets: indexed or iterable collections of samples, and combinations of them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np

from ... import generator as draws
from ...errors.notices import warn
from ...generator import Generator
from ...tensor import Tensor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Base class of indexed datasets: subclasses define `__getitem__` and `__len__`. Source: torch.utils.data.Dataset.

    A subclass may also define `__getitems__(indices)`, by which a DataLoader then fetches a whole batch.
    `__getitem__` raises NotImplementedError if a subclass defines none.

    >>> class Squares(torch.utils.data.Dataset):
    ...     def __getitem__(self, index):
    ...         return index**2
    ...     def __len__(self):
    ...         return 4
    >>> next(iter(torch.utils.data.DataLoader(Squares(), batch_size=3)))
    tensor([0, 1, 4])
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Base class of streams of samples: subclasses define `__iter__`. Source: torch.utils.data.IterableDataset.

    >>> class Count(torch.utils.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(5))
    >>> list(torch.utils.data.DataLoader(Count(), batch_size=3))
    [tensor([0, 1, 2]), tensor([3, 4])]
    """

    def __add__(self, other: Dataset[Any]) -> ChainDataset[Any]:  # type: ignore[override]
        return ChainDataset([self, other])


class Samples(Sequence[tuple[Tensor, ...]]):
    """A batch of samples fetched at once: a sequence of tuples, which `default_collate` returns as the `columns`.

    >>> samples = Samples((torch.tensor([1, 2]), torch.tensor([3, 4])))
    >>> samples[1]
    (tensor(2), tensor(4))
    """

    def __init__(self, columns: tuple[Tensor, ...]) -> None:
        self.columns = columns

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        return tuple(column[index] for column in self.columns)

    def __len__(self) -> int:
        return len(self.columns[0])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """A dataset whose samples are tuples of rows of Tensors. Source: torch.utils.data.TensorDataset.

    Raises AssertionError if the Tensors have different numbers of rows, TypeError for what isn't a Tensor. A DataLoader
    fetches a batch by indexing each Tensor once.

    >>> data = torch.utils.data.TensorDataset(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1]))
    >>> data[1]
    (tensor([3., 4.]), tensor(1))
    """

    def __init__(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"TensorDataset: expected Tensors, but got {type(tensor).__name__}")
        if len({len(tensor) for tensor in tensors}) > 1:
            raise AssertionError(f"Size mismatch between tensors: shapes {[tuple(tensor.shape) for tensor in tensors]}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset[T_co]):
    """The samples of a dataset at the given indices.

    Indices that the dataset doesn't have raise its error, when they are used. Source: torch.utils.data.Subset.

    >>> torch.utils.data.Subset("abcdef", [4, 0])[0]
    'e'
    """

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[T_co]:
        if type(self).__getitem__ is not Subset.__getitem__:
            return [self[i] for i in indices]
        found = fetch(self.dataset, [self.indices[i] for i in indices])
        return [*found] if type(found) is Samples else found  # a program may add to the list

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T_co]):
    """Datasets one after the other, as made by `a + b`. Source: torch.utils.data.ConcatDataset.

    Raises AssertionError for no datasets and for an IterableDataset, ValueError for a negative index out of range, and
    IndexError for another one.

    >>> data = torch.utils.data.ConcatDataset(["abc", "de"])
    >>> data[3], data[-1], len(data)
    ('d', 'e', 5)
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    @staticmethod
    def cumsum(sequence: Iterable[Any]) -> list[int]:
        """Return the sum of the lengths of the datasets so far, for each dataset."""
        return list(accumulate(map(len, sequence)))

    def __getitem__(self, index: int) -> T_co:
        if index < 0:
            if -index > len(self):
                raise ValueError(f"absolute value of index should not exceed dataset length: {index}, {len(self)}")
            index += len(self)
        part = bisect_right(self.cumulative_sizes, index)
        if part == len(self.datasets):
            raise IndexError(f"ConcatDataset: index {index} is out of range for length {len(self)}")
        return self.datasets[part][index - (self.cumulative_sizes[part - 1] if part else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    @property
    def cummulative_sizes(self) -> list[int]:
        """`cumulative_sizes` by its former, misspelled name."""
        warn("`cummulative_sizes` attribute is renamed to `cumulative_sizes`", FutureWarning)
        return self.cumulative_sizes


class ChainDataset(IterableDataset[T_co]):
    """Iterable datasets one after the other. Source: torch.utils.data.ChainDataset.

    An item that isn't an IterableDataset raises AssertionError when iteration comes to it.

    >>> class Letters(torch.utils.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter("ab")
    >>> list(torch.utils.data.ChainDataset([Letters(), Letters()]))
    ['a', 'b', 'a', 'b']
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[T_co]:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(map(len, self._streams()))

    def _streams(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError(f"ChainDataset only supports IterableDataset, not {type(dataset).__name__}")
            yield dataset


class StackDataset(Dataset[Any]):
    """Several datasets side by side: samples are tuples, or dicts if the datasets are given by keyword.

    Raises ValueError for no datasets, for positional and keyword ones at once, and for different lengths.
    Source: torch.utils.data.StackDataset.

    >>> torch.utils.data.StackDataset(x="abc", y="def")[1]
    {'x': 'b', 'y': 'e'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or ``dict``- (via ``kwargs``) like input/output, "
                "but both types are given."
            )
        self.datasets: Any = args or kwargs
        if not self.datasets:
            raise ValueError("At least one dataset should be passed")
        sizes = [len(dataset) for dataset in args or kwargs.values()]
        if len(set(sizes)) != 1:
            raise ValueError(f"Size mismatch between datasets: {sizes}")
        self._length = sizes[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: Sequence[Any]) -> list[Any]:
        named = isinstance(self.datasets, dict)
        columns = []
        for dataset in self.datasets.values() if named else self.datasets:
            columns.append(fetch(dataset, indices))
            if len(columns[-1]) != len(indices):
                raise ValueError(
                    f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(columns[-1])}"
                )
        rows = zip(*columns, strict=True)
        return [dict(zip(self.datasets, row, strict=True)) for row in rows] if named else list(rows)

    def __len__(self) -> int:
        return self._length


def random_split(dataset: Dataset[T], lengths: Sequence[float], generator: Generator | None = None) -> list[Subset[T]]:
    """Split a dataset into random subsets of the given lengths, without overlap. Source: torch.utils.data.random_split.

    Lengths that add up to 1 are fractions; samples left over after rounding down go to the first subsets, one each.
    Raises ValueError for a fraction outside of [0, 1], for lengths that don't add up to the dataset's, and for negative
    ones, which PyTorch lets pass.

    >>> parts = torch.utils.data.random_split(range(8), [0.75, 0.25], torch.Generator().manual_seed(2024))
    >>> [list(part) for part in parts]
    [[0, 1, 6, 3, 7, 4], [2, 5]]
    """
    n = len(dataset)  # type: ignore[arg-type]
    sizes: list[Any] = list(lengths)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1: {fraction}")
        sizes = [math.floor(n * fraction) for fraction in lengths]
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
        for i in [i for i, size in enumerate(sizes) if size == 0]:
            warn(f"Length of split at index {i} is 0. This might result in an empty dataset.")
    if sum(sizes) != n:
        raise ValueError(f"Sum of input lengths does not equal the length of the input dataset: {list(lengths)}, {n}")
    if min(sizes, default=0) < 0:
        raise ValueError(f"Input lengths must not be negative, but are {list(lengths)}")
    order = iter(draws.randperm(n, generator=generator).tolist())
    return [Subset(dataset, [next(order) for _ in range(size)]) for size in sizes]


def fetch(dataset: Any, indices: Sequence[Any]) -> Sequence[Any]:
    """Return the samples at the indices, by one call of `__getitems__` if the dataset has it.

    Those of a TensorDataset, also of a Subset of it, come as `Samples` unless a subclass defines how to get them.

    >>> fetch("abc", [2, 0])
    ['c', 'a']
    """
    get = getattr(type(dataset), "__getitem__", None)
    if get is Subset.__getitem__ and type(dataset).__getitems__ is Subset.__getitems__:
        return fetch(dataset.dataset, [dataset.indices[i] for i in indices])
    if get is TensorDataset.__getitem__ and not hasattr(dataset, "__getitems__"):
        rows = np.asarray(indices, np.int64)
        return Samples(tuple(tensor[rows].contiguous() for tensor in dataset.tensors))
    at_once = getattr(dataset, "__getitems__", None)
    return at_once(indices) if at_once else [dataset[i] for i in indices]

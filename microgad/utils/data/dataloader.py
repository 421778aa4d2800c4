"""DataLoader: iterate over a dataset in batches, in this process or by workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol

from ... import backend
from ...errors import CallError
from ...errors.notices import warn
from ...generator import Generator
from ...lazy import LazyModule
from ...lazy import define_getattr as _define_getattr
from .collate import default_collate, default_convert
from .dataset import Dataset as Dataset  # programs import it, and Sampler, from here, too
from .dataset import IterableDataset, T_co
from .iterators import _BaseDataLoaderIter as _BaseDataLoaderIter
from .iterators import _SingleProcessDataLoaderIter
from .sampler import BatchSampler, RandomSampler, SequentialSampler, _InfiniteConstantSampler
from .sampler import Sampler as Sampler
from .workers import _DatasetKind as _DatasetKind
from .workers import get_worker_info as get_worker_info

multiprocessing = LazyModule("multiprocessing")


class Rows(Protocol[T_co]):
    """What a DataLoader takes: a Dataset, or a Tensor, a list and other things that give samples by index."""

    def __getitem__(self, index: int, /) -> T_co: ...


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches, in PyTorch's order. Source: torch.utils.data.DataLoader.

    `shuffle` draws a new order for each pass. `sampler` yields indices, `batch_sampler` lists of indices; each replaces
    the arguments that it makes redundant. `collate_fn` makes a batch from a list of samples; `batch_size=None` yields
    the samples one by one.

    With `num_workers` > 0 batches are fetched by that many processes, each of which prefetches `prefetch_factor`
    batches (2 by default), and stays for the next pass with `persistent_workers`. Batches come in the same order, or
    with in_order=False as they get ready. A worker's random generators are seeded from the loader's seed and the
    worker's number; `worker_init_fn(number)` is called first, and get_worker_info() returns the worker's number and
    more. An exception in a worker is raised again in this process. A worker that dies, and waiting longer than
    `timeout` seconds, raise RuntimeError. `pin_memory` has no effect.

    On Linux, large arrays come back in shared memory, and workers are started by fork unless `multiprocessing_context`
    or multiprocessing.set_start_method says otherwise; "forkserver", Python's default since 3.14, only by the former.

    Each `iter()` draws one int64 from `generator`, or from the default one, shuffled or not, except if it reuses
    persistent workers, as in PyTorch.

    Raises ValueError for arguments that exclude each other, a negative num_workers or timeout, and a prefetch_factor
    below 1, TypeError for a multiprocessing_context that is none. The dataset, samplers, batch_size, drop_last and
    persistent_workers can't be set later.

    >>> data = torch.utils.data.TensorDataset(torch.arange(5.0), torch.arange(5))
    >>> for x, y in torch.utils.data.DataLoader(data, batch_size=3):
    ...     print(x, y)
    tensor([0., 1., 2.]) tensor([0, 1, 2])
    tensor([3., 4.]) tensor([3, 4])
    """

    _IterableDataset_len_called: int | None  # the dataset's length, once len() has asked for it
    __initialized = False  # subclasses set PyTorch's `_DataLoader__initialized` to replace their samplers

    def __init__(
        self, dataset: Rows[T_co], batch_size: int | None = 1, shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None, batch_sampler: Iterable[Any] | None = None, num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None, pin_memory: bool = False, drop_last: bool = False,
        timeout: float = 0, worker_init_fn: Callable[[int], None] | None = None, multiprocessing_context: Any = None,
        generator: Generator | None = None, *, prefetch_factor: int | None = None, persistent_workers: bool = False,
        pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        if num_workers < 0:
            raise ValueError(f"num_workers option should be non-negative, but got {num_workers}")
        _warn_of_settings(num_workers, pin_memory)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.num_workers, self.worker_init_fn, self.timeout = num_workers, worker_init_fn, timeout
        self.multiprocessing_context = multiprocessing_context
        streams = isinstance(dataset, IterableDataset)
        if streams:
            _check_stream(shuffle=shuffle or None, sampler=sampler, batch_sampler=batch_sampler)
        _check_sampling(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        if streams:
            sampler = _InfiniteConstantSampler()
        elif sampler is None:
            rows: Any = dataset  # the samplers ask for its length
            sampler = RandomSampler(rows, generator=generator) if shuffle else SequentialSampler(rows)
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self._dataset_kind = _DatasetKind.Iterable if streams else _DatasetKind.Map
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.drop_last = drop_last
        self.generator = generator
        default = default_convert if batch_sampler is None else default_collate
        self.collate_fn = default if collate_fn is None else collate_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self._iterator: Any = None
        self._IterableDataset_len_called, self.in_order = None, in_order
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.__initialized = True

    def __setattr__(self, name: str, value: Any) -> None:
        fixed = ("dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers")
        if self.__initialized and name in fixed:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        if not (self.persistent_workers and self.num_workers):
            return self._get_iterator()
        if self._iterator is None or not self._iterator.close.still_active():
            self._iterator = self._get_iterator()
            return self._iterator
        return self._iterator.restart(self)

    def _get_iterator(self) -> Any:
        if self.num_workers == 0:
            if self.timeout:
                raise CallError(
                    f"DataLoader: timeout is for workers; with num_workers=0 it has to be 0, got {self.timeout}"
                )
            return _SingleProcessDataLoaderIter(self)
        from .multiprocess import _MultiProcessingDataLoaderIter

        return _MultiProcessingDataLoaderIter(self)

    def check_worker_number_rationality(self) -> None:
        """Warn if there are more workers than processor cores. Source: torch.utils.data.DataLoader."""
        _warn_of_settings(self.num_workers, False)

    @property
    def multiprocessing_context(self) -> Any:
        """How workers are started: a name or context of multiprocessing, or None."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            _check_context(context, self.num_workers)
        self.__multiprocessing_context = context

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        n = self._IterableDataset_len_called = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def _warn_of_settings(num_workers: int, pin_memory: bool) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num_workers > cores:
        warn(
            f"This DataLoader will create {num_workers} worker processes in total. Our suggested max number of worker "
            f"in current system is {cores}, which is smaller than what this DataLoader is going to create. Please be "
            "aware that excessive worker creation might get DataLoader running slow or even freeze, lower the worker "
            "number to avoid potential slowness/freeze if necessary."
        )
    if pin_memory and not backend.gpu_count():
        warn("'pin_memory' argument is set as true but there is no GPU, to which pinned memory would be copied faster")


def _check_sampling(batch_size: int | None, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    """Raise ValueError for options that exclude each other."""
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool) -> None:
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, but got {timeout}")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing. let num_workers > 0 to enable "
            f"multiprocessing, otherwise set prefetch_factor to None. It is {prefetch_factor}"
        )
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"prefetch_factor option should be at least 1, but got {prefetch_factor}")
    if persistent and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_stream(**indices: Any) -> None:
    for name, value in indices.items():
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )


def _check_context(context: Any, num_workers: int) -> None:
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
            f"num_workers={num_workers}"
        )
    methods = multiprocessing.get_all_start_methods()
    if isinstance(context, str) and context not in methods:
        raise ValueError(
            f"multiprocessing_context option should specify a valid start method in {methods}, but got "
            f"multiprocessing_context={context!r}"
        )
    if not isinstance(context, (str, multiprocessing.context.BaseContext)):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the start method, "
            f"but got multiprocessing_context={context}"
        )


_define_getattr(globals(), {"_MultiProcessingDataLoaderIter": "..multiprocess"})

"""What the iterators of a DataLoader share, and the one that fetches in this process; multiprocess.py has the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...autograd.labels import profiled
from ...errors.notices import warn
from .sampler import draw_seed
from .workers import _DatasetKind


class _BaseDataLoaderIter(Iterator[Any]):
    """Base class of the iterators over a dataset, in this process and by workers.

    Its attributes have PyTorch's names, for classes of libraries that derive from it.
    """

    advice = ""  # what may be the reason for more samples than the dataset's length
    _world_size, _rank, _shared_seed = 1, 0, None
    _pin_memory, _pin_memory_device = False, None

    def __init__(self, loader: Any) -> None:
        self._dataset, self._dataset_kind, self._collate_fn = loader.dataset, loader._dataset_kind, loader.collate_fn
        self._auto_collation, self._drop_last = loader._auto_collation, loader.drop_last
        self._num_workers, self._persistent_workers = loader.num_workers, loader.persistent_workers
        self._timeout, self._index_sampler = loader.timeout, loader._index_sampler
        _BaseDataLoaderIter._reset(self, loader)
        self._base_seed = draw_seed(loader.generator)  # in one process it is unused, but PyTorch draws it, too

    def _reset(self, loader: Any, first_iter: bool = False) -> None:
        self._sampler_iter, self._num_yielded = iter(self._index_sampler), 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    @property
    def _settings(self) -> tuple[Any, ...]:
        """The arguments of `_DatasetKind.create_fetcher`."""
        return self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last

    def __next__(self) -> Any:
        with profiled(f"enumerate(DataLoader)#{type(self).__name__}.__next__"):
            return self._count(self._next_data())

    def _next_index(self) -> Any:
        return next(self._sampler_iter)

    def _next_data(self) -> Any:
        raise NotImplementedError

    def _count(self, batch: Any) -> Any:
        """Return a batch; warn if there are more than the dataset's length, as when each worker yields all."""
        self._num_yielded += 1
        length = self._IterableDataset_len_called
        if length is not None and self._num_yielded > length:
            warn(
                f"Length of IterableDataset {self._dataset} was reported to be {length}(when accessing "
                f"len(dataloader)), but {self._num_yielded} samples have been fetched. {self.advice}"
            )
        return batch

    def __len__(self) -> int:
        return len(self._index_sampler)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Iterates over a dataset in this process."""

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self._dataset_fetcher = _DatasetKind.create_fetcher(*self._settings)

    def _next_data(self) -> Any:
        return self._dataset_fetcher.fetch(self._next_index())

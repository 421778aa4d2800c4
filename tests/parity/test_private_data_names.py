"""Names inside of torch.utils.data that other libraries use: iterators, fetchers, collate functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgad

from .side_by_side import checked_programs, submodule

torch = pytest.importorskip("torch")
programs, test_program_behaves_as_in_torch = checked_programs(
    messages=False,
    warning_classes=lambda name: name != "batches_in_new_storages",  # of storages, once in a process
)


@programs
def a_loader_with_an_iterator_of_its_own(t, nn):
    """As torchdata's StatefulDataLoader."""
    data = t.utils.data
    loading, in_workers, signals = data.dataloader, data._utils.worker, data._utils.signal_handling

    class Iterator(loading._BaseDataLoaderIter):
        def __init__(self, loader):
            super().__init__(loader)
            settings = self._dataset, self._auto_collation, self._collate_fn, self._drop_last
            self._dataset_fetcher = loading._DatasetKind.create_fetcher(self._dataset_kind, *settings)
            self._reset(loader)

        def _next_index(self):
            return super()._next_index()

        def _next_data(self):
            return self._dataset_fetcher.fetch(self._next_index())

    class Loader(data.DataLoader):
        def _get_iterator(self):
            self.check_worker_number_rationality()
            return Iterator(self)

    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(5))

    found = []
    for dataset, batch_size in ((range(5), 2), (Stream(), 2), (range(2), None), (Stream(), None)):
        batches = iter(Loader(dataset, batch_size))
        found += [*batches, batches._num_yielded, batches._num_workers, batches._base_seed, batches._timeout]
        found += [getattr(batches._dataset_fetcher, "ended", None), batches._dataset_kind, batches._shared_seed]
    signals._set_worker_signal_handlers()
    found += [in_workers._generate_state(2**40 + 3, 1), in_workers._IterableDatasetStopIteration(3).worker_id]
    return [*found, in_workers._ResumeIteration(4).seed, data._utils.MP_STATUS_CHECK_INTERVAL]


@programs
def batches_in_new_storages(t, nn):
    """As `torch.utils.data` collates in a worker process, and as public collate functions do, too."""
    x, found = t.arange(6.0), []
    for memory in (x.storage()._new_shared(12, device=x.device), x._typed_storage()._new_shared(12)):
        out = x.new(memory).resize_(2, 6)
        found += [t.stack([x, x + 1], 0, out=out) is out, out, memory.dtype]
    return (
        found,
        x.untyped_storage()._new_shared(24, device=x.device).nbytes(),
        t.UntypedStorage._new_shared(8).nbytes(),
    )


@programs
def iterators_of_data_loaders(t, nn):
    loaders, data = submodule(t, "utils.data.dataloader"), t.utils.data
    loader = data.DataLoader([1, 2, 3], 2)
    iterator = loaders._SingleProcessDataLoaderIter(loader)
    assert issubclass(loaders._MultiProcessingDataLoaderIter, loaders._BaseDataLoaderIter)
    assert isinstance(iterator, loaders._BaseDataLoaderIter)
    assert type(iter(loader)) is type(iterator)
    with pytest.warns(FutureWarning, match="`cummulative_sizes` attribute is renamed to `cumulative_sizes`"):
        sizes = data.ConcatDataset(["ab", "c"]).cummulative_sizes
    return list(iterator), type(iterator).__name__, sizes


class Sample:
    def __init__(self, x: int) -> None:
        self.x = x


class DerivedSample(Sample):
    pass


def collate_samples(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return "own", [sample.x for sample in batch]


BATCHES = [
    [Sample(1), Sample(2)], [DerivedSample(1)], [{"a": Sample(1), "b": 2.0}, {"a": Sample(2), "b": 3.0}],
    [(Sample(1), "x"), (Sample(2), "y")], [np.float32(1), np.float32(2)], [np.ones(2), np.ones(2)], [True, False],
    [b"x", b"y"], [np.array("x")], [None], [[1], [2, 3]],
]  # fmt: skip


@pytest.mark.parametrize("batch", BATCHES, ids=map(str, range(len(BATCHES))))
@pytest.mark.parametrize("custom_map", [True, False])
def test_collate_with_custom_types(batch, custom_map, monkeypatch):
    found = []
    for lib in (torch, microgad):
        collate = submodule(lib, "utils.data._utils").collate
        monkeypatch.setitem(collate.default_collate_fn_map, Sample, collate_samples)
        try:
            if custom_map:
                found.append(
                    str(collate.collate(batch, collate_fn_map={Sample: collate_samples, str: collate.collate_str_fn}))
                )
            else:
                found.append(str(collate.default_collate(batch)))
        except (TypeError, RuntimeError) as error:
            found.append(type(error))
    assert found[0] == found[1]

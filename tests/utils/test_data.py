"""torch.utils.data: batches are indexed at once only if that gives the same samples as one by one."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

import microgad
from microgad.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
)


def numbers(n: int) -> TensorDataset:
    return TensorDataset(microgad.arange(n).reshape(n, 1) * 1.5, microgad.arange(n))


def batches(dataset: Any, **options: Any) -> list[Any]:
    return [[x.tolist() for x in batch] for batch in DataLoader(dataset, **options)]


class Counted(microgad.Tensor):
    """A Tensor that counts how often it is indexed."""

    count = 0

    def __getitem__(self, index: Any) -> Any:
        Counted.count += 1
        return microgad.Tensor.__getitem__(self, index)


@pytest.mark.parametrize("nested", [False, True])
def test_a_batch_of_a_tensor_dataset_is_indexed_once(nested: bool) -> None:
    x = Counted._wrap(np.arange(12.0))
    dataset: Any = TensorDataset(x)
    if nested:
        dataset = Subset(Subset(dataset, range(12)), range(12))
    Counted.count = 0
    assert [batch.tolist() for (batch,) in DataLoader(dataset, batch_size=6)] == [[*range(6)], [*range(6, 12)]]
    assert Counted.count == 2


@pytest.mark.parametrize("dtype", ["float16", "int8", "bool", "complex64"])
def test_batches_equal_those_of_single_samples(dtype: str) -> None:
    """A list of the same samples has no __getitems__, so that they are collated one by one."""
    x = microgad.from_numpy(np.arange(24).reshape(6, 2, 2).astype(dtype))
    x = x.permute(0, 2, 1)
    dataset = TensorDataset(x, x[:, 0, 0])
    for (a, b), (c, d) in zip(
        DataLoader(dataset, 4), DataLoader([*map(dataset.__getitem__, range(6))], 4), strict=True
    ):
        assert (a.dtype, b.dtype) == (c.dtype, d.dtype) == (x.dtype, x.dtype)
        assert (a.tolist(), b.tolist()) == (c.tolist(), d.tolist())
        assert a.is_contiguous()
        assert c.is_contiguous()


def test_a_batch_is_a_copy() -> None:
    dataset = numbers(3)
    (x, y) = next(iter(DataLoader(dataset, batch_size=3)))
    x.zero_()
    y.zero_()
    assert dataset[2][0].tolist() == [3.0]
    assert dataset[2][1].item() == 2


def test_gradients_flow_through_a_batch() -> None:
    x = microgad.arange(4.0).requires_grad_()
    for (batch,) in DataLoader(TensorDataset(x), batch_sampler=[[0, 2], [2, 3]]):
        batch.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 0, 2, 1]


def test_default_collate_of_mixed_dtypes_and_of_tensors_with_gradients() -> None:
    assert default_collate([np.arange(2), np.ones(2, np.float32)]).dtype == microgad.float32  # float64 in NumPy
    mixed = default_collate([microgad.tensor([1]), microgad.tensor([0.5])])
    assert (mixed.dtype, mixed.tolist()) == (microgad.float32, [[1], [0.5]])
    x = microgad.ones(2, requires_grad=True)
    (default_collate([x, 3 * x]).sum()).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [4, 4]


class Doubled(TensorDataset):
    def __getitem__(self, index: Any) -> Any:
        return tuple(2 * x for x in super().__getitem__(index))


class Halved(Subset[Any]):
    def __getitem__(self, index: Any) -> Any:
        return tuple(x / 2 for x in super().__getitem__(index))


def test_getitem_of_a_subclass_is_called_for_each_sample() -> None:
    doubled = Doubled(microgad.arange(3))
    assert batches(doubled, batch_size=3) == [[[0, 2, 4]]]
    assert batches(Halved(doubled, [2, 1]), batch_size=2) == [[[2, 1]]]


def test_collate_fn_gets_a_list_of_samples() -> None:
    def collate(samples: Any) -> Any:
        assert len(samples) == 2
        assert [s[1].item() for s in samples] == [samples[0][1].item(), samples[-1][1].item()]
        assert [tuple(map(type, s)) for s in samples[:]] == [(microgad.Tensor,) * 2] * 2
        return default_collate([*samples])

    assert batches(numbers(4), batch_size=2, collate_fn=collate) == batches(numbers(4), batch_size=2)


def test_getitems_of_a_custom_dataset_is_called() -> None:
    class Words(Dataset[str]):
        def __len__(self) -> int:
            return 3

        def __getitems__(self, indices: Any) -> Any:
            return ["abc"[i] for i in indices]

    assert list(DataLoader(Words(), batch_size=2)) == [["a", "b"], ["c"]]


def test_batch_size_none_gives_single_samples() -> None:
    x = np.arange(3)
    assert [type(sample) for sample in DataLoader([x, x], batch_size=None)] == [microgad.Tensor] * 2


@pytest.mark.parametrize("batch_size", [None, 2])
def test_the_sampler_of_a_stream_yields_none_without_end(batch_size: int | None) -> None:
    loader = DataLoader(Stream(), batch_size=batch_size)
    assert list(islice(loader.sampler, 3)) == [None] * 3
    with pytest.raises(TypeError, match="has no len"):
        len(iter(loader))


def test_the_length_of_a_stream_that_has_one() -> None:
    class Sized(Stream):
        def __len__(self) -> int:
            return 5

    lengths = [len(DataLoader(Sized(), 2, drop_last=drop_last)) for drop_last in (False, True)]
    assert [len(DataLoader(Sized(), None)), *lengths] == [5, 3, 2]


def test_a_stream_may_be_its_own_iterator_and_is_not_asked_for_more_after_its_end() -> None:
    class Own(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            self.left = [0, 1, 2, None, 3]
            return self

        def __next__(self) -> int:
            if (found := self.left.pop(0)) is None:
                raise StopIteration
            return found

    assert [batch.tolist() for batch in islice(DataLoader(Own(), 2), 9)] == [[0, 1], [2]]


def test_a_loader_with_a_batch_sampler_has_no_batch_size() -> None:
    loader = DataLoader(numbers(4), batch_sampler=[[3], [0, 1]])
    assert (loader.batch_size, len(loader)) == (None, 2)


def test_samplers_draw_as_many_samples_as_they_say() -> None:
    def generator() -> Any:
        return microgad.Generator().manual_seed(1)

    assert sorted(RandomSampler(range(5))) == [0, 1, 2, 3, 4]
    drawn = [*RandomSampler(range(5), num_samples=12)]
    assert [sorted(drawn[:5]), sorted(drawn[5:10]), len(drawn)] == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], 12]
    twice = [[*RandomSampler(range(5), True, 40, generator())] for _ in range(2)]
    assert twice[0] == twice[1]
    assert (len(twice[0]), {*twice[0]}) == (40, {0, 1, 2, 3, 4})
    assert WeightedRandomSampler([0.1, 0.2], 2).weights.tolist() == [0.1, 0.2]  # in float64
    assert sorted(SubsetRandomSampler([30, 10, 20])) == [10, 20, 30]
    assert sorted(WeightedRandomSampler([1.0, 0.0, 2.0], 2, replacement=False)) == [0, 2]


def test_each_replica_has_a_sample_even_of_fewer_than_replicas() -> None:
    for n in (1, 2, 3):
        parts = [[*DistributedSampler(range(n), 7, rank, shuffle=False)] for rank in range(7)]
        assert parts == [[rank % n] for rank in range(7)]


def test_each_pass_over_a_shuffled_loader_gives_every_sample_once() -> None:
    loader = DataLoader(numbers(50), 8, shuffle=True)
    first, second = ([i for _, part in loader for i in part.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert list(range(50)) not in (first, second)


def test_an_iterator_has_the_length_of_the_loader() -> None:
    assert len(iter(DataLoader(numbers(5), 2))) == 3
    assert len(iter(DataLoader(numbers(5), 2, drop_last=True, shuffle=True))) == 2
    with pytest.raises(TypeError):
        len(iter(DataLoader(Stream(), 2)))


def test_a_subclass_replaces_its_sampler_while_it_is_not_initialized() -> None:
    class Loader(DataLoader[Any]):
        def take(self, sampler: Any) -> None:
            self._DataLoader__initialized = False
            self.sampler = sampler
            self._DataLoader__initialized = True

    loader = Loader("abc", batch_size=None)
    with pytest.raises(ValueError, match="sampler attribute should not be set after Loader is initialized"):
        loader.sampler = [2, 0]
    loader.take([2, 0])
    assert (list(loader), list(loader._get_iterator()), loader._auto_collation) == (["c", "a"], ["c", "a"], False)


def test_an_iterator_continues_after_a_sample_that_fails() -> None:
    class Failing(Dataset[int]):
        def __getitem__(self, i: int) -> int:
            return 6 // (i - 1)

        def __len__(self) -> int:
            return 4

    rest = iter(DataLoader(Failing(), None))
    assert next(rest) == -6
    with pytest.raises(ZeroDivisionError):
        next(rest)
    assert list(rest) == [6, 3]


def test_a_concatenation_counts_by_its_cumsum() -> None:
    class Padded(ConcatDataset[Any]):
        @staticmethod
        def cumsum(sequence: Any) -> list[int]:
            return [2 * i for i, _ in enumerate(sequence, 1)]

    assert ConcatDataset.cumsum(["abc", "de"]) == [3, 5]
    assert Padded(["ab", "cd"])[2] == "c"


def test_the_sum_of_datasets_is_their_concatenation() -> None:
    both = numbers(2) + numbers(3)
    assert isinstance(both, ConcatDataset)
    assert [both[i][1].item() for i in range(-5, 5)] == [0, 1, 0, 1, 2] * 2
    assert batches(both, batch_size=5)[0][1] == [0, 1, 0, 1, 2]


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TensorDataset(np.zeros(2)), TypeError, "expected Tensors, but got ndarray"),
        (
            lambda: TensorDataset(microgad.ones(2), microgad.ones(3)),
            AssertionError,
            r"Size mismatch .*\[\(2,\), \(3,\)\]",
        ),
        (lambda: Dataset()[0], NotImplementedError, "Dataset must define __getitem__"),
        (lambda: numbers(2) + Stream(), AssertionError, "does not support IterableDataset"),
        (lambda: default_collate([[1], [1, 2]]), RuntimeError, r"equal size, but the sizes are \[1, 2\]"),
        (lambda: default_collate([{1}]), TypeError, "numpy arrays, numbers, dicts or lists; found <class 'set'>"),
        (lambda: DataLoader([1], num_workers=-1), ValueError, "num_workers option should be non-negative, but got -1"),
        (lambda: DistributedSampler([1], 2), RuntimeError, "num_replicas and rank to be given"),
        (lambda: DataLoader([1], num_workers=1, prefetch_factor=0), ValueError, "should be at least 1, but got 0"),
    ],
)
def test_invalid_datasets_and_arguments_are_refused(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()

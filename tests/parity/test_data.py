"""torch.utils.data: order, batches, and the state of each generator afterwards are PyTorch's."""

import itertools
import random
import warnings
from collections import OrderedDict, UserList, defaultdict, deque, namedtuple
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad

torch = pytest.importorskip("torch")

Point = namedtuple("Point", "x y")
LIBRARIES = (microgad, torch)
ignore_few_cores = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


class Tagged(list[Any]):
    """A subclass of list."""


def comparable(x: Any) -> Any:
    """A batch as dtypes, shapes, lists of numbers, and the types of its containers."""
    if isinstance(x, LIBRARIES[0].Tensor | torch.Tensor):
        return str(x.dtype), tuple(x.shape), x.tolist()
    if isinstance(x, Mapping):
        return type(x), {key: comparable(value) for key, value in x.items()}
    if isinstance(x, Sequence) and not isinstance(x, str | bytes):
        return type(x), [comparable(item) for item in x]
    return x


def check_same(program: Any, seed: int = 5) -> Any:
    """Assert that the program returns the same in both libraries and leaves the same generator state; return it."""
    results = []
    for lib in LIBRARIES:
        lib.manual_seed(seed)
        results.append((comparable(program(lib, lib.utils.data)), lib.get_rng_state().tolist()))
    assert results[0] == results[1]
    return results[0][0]


def tensors(lib: Any, n: int) -> tuple[Any, Any]:
    x = np.arange(n * 6, dtype=np.float32).reshape(n, 2, 3)
    return lib.from_numpy(x.copy()), lib.arange(n)


class RandomSamples:
    """n samples with a random number, which shows the order in which samples are fetched."""

    def __init__(self, lib: Any, n: int) -> None:
        self.lib, self.n = lib, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        return index, self.lib.rand(1).item()


loaders = st.fixed_dictionaries(
    {"batch_size": st.sampled_from([None, 1, 2, 3, 50]), "shuffle": st.booleans()},
    optional={"drop_last": st.booleans()},
).filter(lambda options: options["batch_size"] is not None or not options.get("drop_last"))


@given(
    st.integers(1, 40), loaders, st.booleans(), st.sampled_from(["tensors", "subset", "sized"]),
    st.lists(st.integers(0, 3), max_size=4), st.integers(-(2**63), 2**64 - 1),
)  # fmt: skip
def test_loaders_are_pytorchs(n: int, options: Any, own_generator: bool, kind: str, lengths: Any, seed: int) -> None:
    """Complete and incomplete passes with random draws in between, with the default or a separate generator."""

    def program(lib: Any, data: Any) -> Any:
        dataset = RandomSamples(lib, n) if kind == "sized" else data.TensorDataset(*tensors(lib, n))
        if kind == "subset":
            dataset = data.Subset(dataset, [i // 2 for i in range(n)])
        generator = lib.Generator().manual_seed(9) if own_generator else None
        loader = data.DataLoader(dataset, **options, generator=generator)
        seen: list[Any] = [len(loader)]
        for length in lengths:
            seen += [list(itertools.islice(loader, length)), lib.rand(2)]
        seen += [list(loader), lib.rand(1)]
        return seen + ([generator.get_state().tolist()] if own_generator else [])

    check_same(program, seed)


def test_two_iterators_of_a_loader() -> None:
    """Each iterator draws when it is made, and again at its first batch."""

    def program(lib: Any, data: Any) -> Any:
        loader = data.DataLoader(list(range(10)), batch_size=3, shuffle=True)
        a, b = iter(loader), iter(loader)
        return [next(a), next(b), lib.rand(1), next(a), list(b), list(a)]

    check_same(program)


def test_first_batch_of_two_iterators() -> None:
    """The orders are known values."""

    def program(lib: Any, data: Any) -> Any:
        loader = data.DataLoader(range(6), 6, shuffle=True)
        return [next(iter(loader)), next(iter(loader)), lib.rand(1)]

    _, (first, second, _) = check_same(program, 2024)
    assert (first[2], second[2]) == ([3, 4, 5, 1, 2, 0], [3, 2, 4, 0, 5, 1])


@ignore_few_cores
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_that_repeat_their_samplers(workers: int) -> None:
    """Programs that preserve the workers replace the sampler by an endless one, in these two ways."""

    def program(lib: Any, data: Any) -> Any:
        class Repeated:
            def __init__(self, sampler: Any) -> None:
                self.sampler = sampler

            def __iter__(self) -> Any:
                while True:
                    yield from self.sampler

        class Endless(data.DataLoader):
            def __init__(self, *args: Any, bypass: bool, **options: Any) -> None:
                self.dataset = "is replaced"
                super().__init__(*args, **options)
                name = "batch_sampler" if self._auto_collation else "sampler"
                if bypass:
                    object.__setattr__(self, name, Repeated(getattr(self, name)))
                else:
                    self._DataLoader__initialized = False
                    setattr(self, name, Repeated(getattr(self, name)))
                    self._DataLoader__initialized = True
                self.iterator = super().__iter__()

            def __len__(self) -> int:
                return len(self._index_sampler.sampler)

            def __iter__(self) -> Any:
                return itertools.islice(self.iterator, len(self))

            def reset(self) -> None:
                self.iterator = self._get_iterator()

        seen = []
        for bypass, size in ((False, 3), (True, 3), (False, None), (True, None)):
            loader = Endless(range(7), size, shuffle=True, num_workers=workers, bypass=bypass)
            seen += [list(loader), list(loader)]
            loader.reset()
            seen.append(list(loader))
        return seen

    check_same(program)


def test_iterable_dataset_and_batch_sampler() -> None:
    def program(lib: Any, data: Any) -> Any:
        class Stream(data.IterableDataset):
            def __iter__(self) -> Any:
                return iter(lib.rand(7).tolist())

        settings = [{"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}, {"batch_size": 7}]
        batches = [[4, 4], [0], [2, 1]]
        batched = data.DataLoader(list("abcdef"), batch_sampler=batches)
        return [list(data.DataLoader(Stream(), **options)) for options in settings] + list(batched) + [len(batched)]

    check_same(program)


@given(st.integers(1, 700), st.booleans(), st.integers(1, 1500) | st.none(), st.booleans())
def test_random_samplers_draw_as_pytorchs(n: int, replacement: bool, num_samples: Any, own_generator: bool) -> None:
    def program(lib: Any, data: Any) -> Any:
        generator = lib.Generator().manual_seed(1) if own_generator else None
        sampler = data.RandomSampler(range(n), replacement, num_samples, generator)
        seen = [list(sampler), list(itertools.islice(sampler, n // 2)), list(sampler), len(sampler)]
        return [*seen, generator.get_state().tolist() if own_generator else None]

    check_same(program)


@given(
    st.lists(st.floats(0.125, 8, width=32), min_size=1, max_size=20), st.integers(1, 30), st.booleans(), st.booleans()
)
def test_other_samplers_draw_as_pytorchs(weights: Any, count: int, replacement: bool, drop_last: bool) -> None:
    count = count if replacement else min(count, len(weights))

    def program(lib: Any, data: Any) -> Any:
        weighted = data.WeightedRandomSampler(weights, count, replacement)
        leaf, generator = lib.tensor(weights, requires_grad=True), lib.Generator().manual_seed(4)
        own = data.WeightedRandomSampler(leaf, count, replacement, generator)
        subset = data.SubsetRandomSampler([3 * i for i in range(count)], lib.Generator().manual_seed(2))
        batches = data.BatchSampler(subset, 4, drop_last)
        samplers = [weighted, own, weighted, subset, data.SubsetRandomSampler(weights), batches]
        seen = [list(sampler) for sampler in samplers]
        return [*seen, len(weighted), len(subset), len(batches)]

    check_same(program)


@pytest.mark.filterwarnings("ignore:Length of split:UserWarning")
@given(st.integers(1, 50), st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), st.booleans())
def test_random_splits_are_pytorchs(n: int, parts: Any, own_generator: bool) -> None:
    """By lengths and by fractions, whose remainder is distributed."""

    def program(lib: Any, data: Any) -> Any:
        generator = {"generator": lib.Generator().manual_seed(3)} if own_generator else {}
        fractions = [part / sum(parts) for part in parts]
        halves = data.random_split(range(n), [n // 2, n - n // 2], **generator)
        shares = data.random_split(range(n), fractions, **generator) if sum(fractions) <= 1 else []
        return [list(part) for part in [*halves, *shares, *data.random_split([], [])]]

    check_same(program)


@given(st.integers(1, 30), st.integers(1, 7), st.booleans(), st.booleans(), st.integers(0, 9))
def test_distributed_samplers_are_pytorchs(n: int, replicas: int, shuffle: bool, drop_last: bool, epoch: int) -> None:
    def program(lib: Any, data: Any) -> Any:
        seen = []
        for rank in range(replicas):
            sampler = data.DistributedSampler(range(n), replicas, rank, shuffle, 5, drop_last)
            first = list(sampler)
            sampler.set_epoch(epoch)
            seen.append((first, list(sampler), len(sampler), sampler.total_size))
        return seen

    check_same(program)


def test_stack_and_chain_datasets() -> None:
    def program(lib: Any, data: Any) -> Any:
        rows = data.TensorDataset(*tensors(lib, 5))
        several = [data.StackDataset(rows, range(5)), data.StackDataset(x=range(5), y=rows)]
        batches = [list(data.DataLoader(each, batch_size=2)) for each in several]
        chain = Stream(data) + Stream(data)
        return batches, several[0][3], several[1][2], len(several[1]), list(data.DataLoader(chain, 4))

    check_same(program)


class Squares:
    """A sample is a number, its square, and numbers drawn in the worker."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib

    def __len__(self) -> int:
        return 23

    def __getitem__(self, i: int) -> Any:
        info = self.lib.utils.data.get_worker_info()
        drawn = self.lib.rand(2), np.random.rand(), random.random()  # noqa: NPY002
        return i, self.lib.full((3,), float(i * i)), drawn, (info.id, info.num_workers, info.seed % 2**31)


@ignore_few_cores
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("options", [{}, {"prefetch_factor": 1, "persistent_workers": True}, {"drop_last": True}])
def test_batches_of_worker_processes_are_pytorchs(shuffle: bool, options: Any) -> None:
    """Batches, workers and random numbers of two passes are PyTorch's."""

    def program(lib: Any, data: Any) -> Any:
        loader = data.DataLoader(Squares(lib), 4, shuffle, num_workers=3, multiprocessing_context="fork", **options)
        return [list(loader), lib.rand(1), list(loader), len(loader)]

    check_same(program)


@ignore_few_cores
@pytest.mark.parametrize("batch_size", [None, 2])
def test_worker_processes_of_an_iterable_dataset(batch_size: Any) -> None:
    """Each worker iterates over its own stream, and they end at different times."""

    def program(lib: Any, data: Any) -> Any:
        class Stream(data.IterableDataset):
            def __iter__(self) -> Any:
                number = data.get_worker_info().id
                return iter(range(10 * number, 10 * number + 3 + 2 * number))

        loader = data.DataLoader(
            Stream(), batch_size, num_workers=3, persistent_workers=True, multiprocessing_context="fork"
        )
        return [list(loader), list(loader)]

    check_same(program)


BATCHES: list[Any] = [
    [1, 2], [1.5, 2.5], [True, False], ["a", "b"], [b"a", b"b"], [(1, 2.0), (3, 4.0)], [[1, "a"], [2, "b"]],
    [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}], [OrderedDict(a=1), OrderedDict(a=2)],
    [Point(1, 2.0), Point(3, 4.0)], [{"a": 1}, {"a": 2, "b": 3}],
    [defaultdict(int, a=1), defaultdict(int, a=2)], [np.arange(3), np.arange(3)], [np.float32(1), np.float32(2)],
    [np.int8(1), np.int8(2)], [np.bool_(True), np.bool_(False)], [np.array(1.5), np.array(2.5)], [(), ()],
    [MappingProxyType({"a": 1})] * 2, [UserList([1, "a"])] * 2, [deque([1, 2])] * 2, [range(2)] * 2,
    [Tagged([1, 2])] * 2, [np.zeros((0, 2), np.float16)] * 2, [{}, {}], [((1, (2,)), "a")] * 3,
    [np.ones(2, np.int8), np.ones(2, np.float16)], [np.ones((2, 3)), np.ones((3, 2)).T],
    [np.ones((4, 4, 3), np.uint8).transpose(2, 0, 1)] * 2,
]  # fmt: skip


@pytest.mark.parametrize("batch", BATCHES, ids=repr)
def test_collate_and_convert(batch: Any) -> None:
    check_same(lambda lib, data: data.default_collate(batch))
    check_same(lambda lib, data: data.default_convert(batch))
    check_same(lambda lib, data: data.default_convert(batch[0]))


def test_collated_tensors_are_pytorchs() -> None:
    check_same(lambda lib, data: data.default_collate([lib.ones(2, dtype=lib.int8), lib.zeros(2, dtype=lib.int8)]))
    check_same(lambda lib, data: data.default_convert([lib.ones(2), np.ones(2)]))


ERRORS: list[Any] = [
    lambda lib, data: data.default_collate([object(), object()]),
    lambda lib, data: data.default_collate([np.array(["a"]), np.array(["b"])]),
    lambda lib, data: data.default_collate([np.ones(2, ">f4")] * 2),
    lambda lib, data: data.default_collate([np.ones(2), np.ones(3)]),
    lambda lib, data: data.default_collate([[1], [1, 2]]),
    lambda lib, data: data.DataLoader([1], num_workers=-1),
    lambda lib, data: data.DataLoader([1], timeout=-1),
    lambda lib, data: data.DataLoader([1], prefetch_factor=2),
    lambda lib, data: data.DataLoader([1], persistent_workers=True),
    lambda lib, data: data.DataLoader([1], num_workers=1, prefetch_factor=-1),
    lambda lib, data: data.DataLoader([1], multiprocessing_context="fork"),
    lambda lib, data: data.DataLoader([1], num_workers=1, multiprocessing_context="spoon"),
    lambda lib, data: data.DataLoader([1], num_workers=1, multiprocessing_context=3),
    lambda lib, data: data.StackDataset(),
    lambda lib, data: data.StackDataset([1], [1, 2]),
    lambda lib, data: data.StackDataset([1], a=[1]),
    lambda lib, data: list(data.ChainDataset([[1]])),
    lambda lib, data: len(data.ChainDataset([[1]])),
    lambda lib, data: data.DistributedSampler([1], 2, 2),
    lambda lib, data: data.DataLoader([1], batch_size=0),
    lambda lib, data: data.DataLoader([1], batch_size=2.0),
    lambda lib, data: data.DataLoader([1], drop_last=1),
    lambda lib, data: data.DataLoader([1], shuffle=True, sampler=[0]),
    lambda lib, data: data.DataLoader([1], batch_sampler=[[0]], batch_size=2),
    lambda lib, data: data.DataLoader([1], batch_sampler=[[0]], shuffle=True),
    lambda lib, data: data.DataLoader([1], batch_size=None, drop_last=True),
    lambda lib, data: data.DataLoader([], shuffle=True),
    lambda lib, data: setattr(data.DataLoader([1]), "batch_size", 2),
    lambda lib, data: data.DataLoader(Stream(data), shuffle=True),
    lambda lib, data: data.DataLoader(Stream(data), sampler=[0]),
    lambda lib, data: data.DataLoader(Stream(data), batch_sampler=[[0]]),
    lambda lib, data: len(data.DataLoader(Stream(data))),
    lambda lib, data: data.RandomSampler([1], replacement=1),
    lambda lib, data: data.RandomSampler([1], num_samples=0),
    lambda lib, data: data.WeightedRandomSampler([1.0], 0),
    lambda lib, data: data.WeightedRandomSampler([1.0], 1, replacement=1),
    lambda lib, data: data.WeightedRandomSampler([[1.0]], 1),
    lambda lib, data: list(data.WeightedRandomSampler([1.0], 2, False)),
    lambda lib, data: data.random_split([1, 2], [1, 2]),
    lambda lib, data: data.random_split([1, 2], [1.5, -0.5]),
    lambda lib, data: data.random_split([1, 2], [1.0, 1e-15]),
    lambda lib, data: data.random_split([], [0.5, 0.4]),
    lambda lib, data: len(data.TensorDataset()),
    lambda lib, data: data.TensorDataset(lib.ones(2), lib.ones(3)),
    lambda lib, data: setattr(data.DataLoader([1]), "persistent_workers", True),
    lambda lib, data: setattr(data.DataLoader([1]), "batch_sampler", [[0]]),
    lambda lib, data: data.ConcatDataset([]),
    lambda lib, data: data.ConcatDataset([Stream(data)]),
    lambda lib, data: data.ConcatDataset([[1]])[1],
    lambda lib, data: data.ConcatDataset([[1]])[-2],
    lambda lib, data: data.Subset([1, 2], [5])[0],
    lambda lib, data: data.TensorDataset(lib.ones(2))[2],
    lambda lib, data: next(iter(data.DataLoader(data.Subset(data.TensorDataset(lib.ones(2)), [5])))),
]


def Stream(data: Any) -> Any:
    return type("Stream", (data.IterableDataset,), {"__iter__": lambda self: iter(range(3))})()


@pytest.mark.parametrize("program", ERRORS)
def test_errors_have_torchs_class(program: Any) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever PyTorch raises
        program(torch, torch.utils.data)
    with pytest.raises(theirs.type):
        program(microgad, microgad.utils.data)


def test_a_tensor_dataset_may_have_no_tensors() -> None:
    assert [lib.utils.data.TensorDataset()[0] for lib in (microgad, torch)] == [(), ()]


def test_random_split_warns_about_empty_parts() -> None:
    for lib in LIBRARIES:
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
            lib.utils.data.random_split([1], [0.5, 0.5])


def test_custom_collate_function_gets_a_list() -> None:
    def by_length(batch: Any) -> Any:
        batch.sort(key=lambda sample: sample[0].item())
        batch.append(batch[0])
        return isinstance(batch, list), [int(y) for _, y in batch + batch]

    def program(lib: Any, data: Any) -> Any:
        rows = data.TensorDataset(lib.tensor([3.0, 1.0, 2.0]), lib.tensor([0, 1, 2]))
        return [list(data.DataLoader(each, 2, collate_fn=by_length)) for each in (rows, data.Subset(rows, [2, 0, 1]))]

    check_same(program)


def test_samples_that_a_subset_fetches_are_a_list() -> None:
    """A subclass, and a program that calls the method itself, may add to it."""

    def program(lib: Any, data: Any) -> Any:
        class Repeated(data.Subset):
            def __getitems__(self, indices: Any) -> Any:
                found = super().__getitems__(indices)
                found.append(found[0])
                return found

        rows = data.TensorDataset(lib.arange(4.0), lib.arange(4))
        part = data.random_split(rows, [3, 1], lib.Generator().manual_seed(1))[0]
        assert not hasattr(rows, "__getitems__")
        found = [*part.__getitems__([0, 2]), *data.Subset(part, [1]).__getitems__([0])]
        batches = [[x.tolist() for x in batch] for batch in data.DataLoader(Repeated(rows, [0, 1, 2]), 2)]
        return [[x.item() for x in sample] for sample in found], batches

    check_same(program)


class Longer:
    """Yields 4 samples, 2 more than its length."""

    def __iter__(self) -> Any:
        return iter(range(4))

    def __len__(self) -> int:
        return 2

    def __repr__(self) -> str:
        return "Longer()"


def test_warnings_of_too_many_samples_and_workers() -> None:
    """A dataset's length is known once it was asked for; each worker may yield all of its samples."""

    def program(lib: Any) -> list[str]:
        data = lib.utils.data
        loader = data.DataLoader(type("Stream", (Longer, data.IterableDataset), {})(), batch_size=None)
        workers = data.DataLoader(
            loader.dataset, batch_size=None, num_workers=1, persistent_workers=True, multiprocessing_context="fork"
        )
        assert (loader.prefetch_factor, workers.prefetch_factor) == (None, 2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of a fork beside other threads
            assert [*loader, *workers] == [*range(4), *range(4)]
            assert not caught
            assert (len(loader), len(workers)) == (2, 2)
            assert [*loader, *workers] == [*range(4), *range(4)]
            data.DataLoader([1], num_workers=9999)
        return [str(w.message) for w in caught]

    ours, theirs = map(program, LIBRARIES)
    assert ours == theirs
    assert len(ours) == 5

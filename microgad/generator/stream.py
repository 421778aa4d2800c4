"""Generator: the stream of random words, and its state in PyTorch's bytes (ATen's CPUGeneratorImpl)."""

from __future__ import annotations

import os
from _thread import RLock  # the one of threading, without its import, which takes a millisecond
from collections.abc import Callable
from functools import cache, wraps
from operator import index
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import numpy as np

from .. import function
from ..backend import gpu_count
from ..backend.devices import CPU
from ..backend.devices import device as Device
from ..errors import DeviceError, DtypeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SEED = 67280421310721

# The layout of torch.Generator.get_state(). `next` is the index of the next word in the block of 624.
STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "words", "normal", "has_normal"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", 624), "<f8", "<i4"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040],
        "itemsize": 5056,
    }
)
WORDS_END = 24 + 8 * 624  # in bytes; after the words comes the cached normal
# Uniform numbers are the low bits of a word or pair, times a step. NumPy takes 0-d arrays faster than numbers.
LOW_24, LOW_53 = np.array(2**24 - 1, np.uint32), np.array(2**53 - 1, np.uint64)
_STEP_24, _STEP_53 = np.array(2.0**-24, np.float32), np.array(2.0**-53)


def _alone(method: F) -> F:
    """Decorate a method of Generator: it runs while no other thread draws."""

    @wraps(method)
    def locked(self: Generator, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked  # type: ignore[return-value]


class Generator:
    """A stream of random numbers: `torch.Generator`. Pickles and deep copies include its state.

    A new one has PyTorch's default seed, 67280421310721; the default generator has a random one. One for a GPU has the
    CPU's stream, too. A device that isn't there raises RuntimeError. Source: torch.Generator.

    >>> torch.randperm(8, generator=torch.Generator().manual_seed(2024))
    tensor([0, 1, 6, 3, 7, 4, 2, 5])
    """

    __slots__ = (
        "__weakref__", "_engine", "_fresh", "_known", "_seed", "_seeded", "_start", "cached_normal", "device", "lock",
    )  # fmt: skip

    def __init__(self, device: Any = "cpu") -> None:
        self.device = CPU
        if device is not None and str(device).partition(":")[0] != "cpu":
            if str(device).partition(":")[0] != "cuda" or not gpu_count():
                raise RuntimeError(f"Generator: device is {device}, but the streams are PyTorch's CPU streams")
            self.device = Device("cuda", Device(device).index or 0)
        self.lock = RLock()  # held during a draw, so that threads draw one after the other, as in PyTorch
        _generators.add(self)
        self._engine: Any = None  # made when first needed: importing numpy.random takes milliseconds
        # Caches, as to read or set the state of NumPy's engine takes 30 times as long as to seed it: the current state,
        # if known, and the last seed whose initial state was read, with that state. Neither has a cached normal.
        self._known: NDArray[np.uint8] | None
        self._start: tuple[int, NDArray[np.uint8]] = 0, np.empty(0, np.uint8)
        self.cached_normal: float | None  # scalar normal draws come in pairs; the second one is kept here
        self.manual_seed(DEFAULT_SEED)

    @_alone
    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream from a seed, and return self.

        A negative seed stands for seed + 2**64. Raises ValueError unless -2**63 <= seed < 2**64, and RuntimeError for
        a seed that isn't an integer.

        >>> torch.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        try:
            number = index(None if isinstance(seed, (bool, np.bool)) else seed)  # type: ignore[arg-type]
        except TypeError:
            raise DtypeError(f"manual_seed: seed must be an integer, but got {type(seed).__name__}") from None
        if not -(2**63) <= number < 2**64:
            raise ValueError(f"manual_seed: seed must be in [-2**63, 2**64), but got {number}")
        self._seed, self._fresh, self.cached_normal = number % 2**64, True, None
        self._seeded = True  # as opposed to a state that was set
        self._known = self._start[1] if self._start[1].size and self._start[0] == self._seed else None
        if self._engine is not None:
            self._reseed(self._engine)
        return self

    def seed(self) -> int:
        """Restart the stream from a seed drawn from the operating system's entropy, and return the seed.

        >>> g = torch.Generator()
        >>> g.seed() == g.initial_seed()
        True
        """
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def get_offset(self) -> int:
        """Raise RuntimeError, as PyTorch's generators on the CPU."""
        raise DeviceError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> None:
        """Raise RuntimeError, as PyTorch's generators on the CPU."""
        self.get_offset()

    def initial_seed(self) -> int:
        """Return the last seed, all 64 bits of it.

        >>> torch.Generator().initial_seed()
        67280421310721
        """
        return self._seed

    def get_state(self) -> Tensor:
        """Return the state as a Tensor, which can go into a checkpoint: `torch.Generator.get_state`.

        >>> torch.Generator().get_state().shape
        torch.Size([5056])
        """
        return function.Tensor._wrap(self.snapshot())

    @_alone
    def snapshot(self) -> NDArray[np.uint8]:
        """Return the state as an array, uint8 (5056,), in the bytes of PyTorch's `Generator.get_state()`.

        >>> torch.Generator().snapshot().shape
        (5056,)
        """
        if self._known is None:
            mt19937 = self._started_engine()[0].state["state"]
            record = np.zeros(1, STATE)
            record["seed"], record["seeded"], record["words"] = self._seed, 1, mt19937["key"]
            record["left"], record["next"] = 625 - mt19937["pos"], 0 if self._fresh else mt19937["pos"]
            self._known = record.view(np.uint8)
            if self._fresh and self._seeded:
                self._start = self._seed, self._known
        state = self._known.copy()
        if self.cached_normal is not None:
            record = state.view(STATE)
            record["normal"], record["has_normal"] = self.cached_normal, 1
        return state

    @_alone
    def set_state(self, state: ArrayLike) -> Generator:
        """Continue from a state, uint8 (5056,), that PyTorch's or this `get_state()` returned, and return self.

        Raises TypeError for another dtype, RuntimeError for another size or an impossible state; both change nothing.

        >>> a = torch.Generator().manual_seed(1)
        >>> b = torch.Generator().set_state(a.get_state())
        >>> b.initial_seed(), bool(a.random32(1) == b.random32(1))
        (1, True)
        """
        data = np.asarray(state)
        if data.dtype != np.uint8:
            raise TypeError(f"set_state: state must be uint8, but got {data.dtype}")
        if data.size != STATE.itemsize:
            raise RuntimeError(f"set_state: state must have {STATE.itemsize} bytes, but got {data.size}")
        data = np.ascontiguousarray(data.reshape(-1))
        record = data.view(STATE)[0]
        if not _same_words(data, self._known):
            if _same_words(data, self._start[1]):
                self.manual_seed(self._start[0])
            else:
                self._set_words(record)
                self._known = data.copy()
                self._known[WORDS_END:] = 0
        self.cached_normal = float(record["normal"]) if record["has_normal"] else None
        return self

    def _set_words(self, record: Any) -> None:
        """Check a state, and put NumPy's engine into it."""
        seeded, left, position = int(record["seeded"]), int(record["left"]), int(record["next"])
        fresh = (left, position) == (1, 0)
        if seeded != 1 or not 1 <= left <= 624 or not (fresh or position == 625 - left):
            raise RuntimeError(
                f"set_state: not a state of MT19937: seeded = {seeded} (must be 1), left = {left} (must be 1 to 624), "
                f"next = {position} (must be 625 - left)"
            )
        # NumPy takes a list of words in a fraction of the time of an array.
        words = {"key": (record["words"] & 0xFFFFFFFF).tolist(), "pos": 625 - left}
        self._started_engine()[0].state = {"bit_generator": "MT19937", "state": words}
        self._seed, self._fresh, self._seeded = int(record["seed"]), fresh, False

    def clone_state(self) -> Generator:
        """Return a new Generator in the same state: `torch.Generator.clone_state`.

        >>> g = torch.Generator().manual_seed(3)
        >>> bool(g.clone_state().random32(1) == g.random32(1))
        True
        """
        clone = Generator(self.device)
        return clone.set_state(self.snapshot())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.device,), (self.initial_seed(), None, function.Tensor._wrap(self.snapshot()))

    def __setstate__(self, saved: tuple[Any, ...]) -> None:
        if len(saved) == 2:  # a device and a state, from before pickles were as PyTorch's
            Generator.__init__(self, saved[0])
        self.set_state(saved[-1])

    def random32(self, count: int) -> NDArray[np.uint32]:
        """Draw the next `count` words, uint32.

        >>> torch.Generator().manual_seed(2024).random32(2)
        array([2525503112, 3251949050], dtype=uint32)
        """
        bits, _, bulk = self._started_engine()
        if count:
            self._fresh, self._known = False, None
        if count < 2000:  # a call of random_raw is cheap, a call of integers costs microseconds
            return bits.random_raw(count).astype(np.uint32)
        return bulk.integers(0, 2**32, count, dtype=np.uint32)

    def random64(self, count: int) -> NDArray[np.uint64]:
        """Draw `count` pairs of words, uint64; the first word of a pair is the high half.

        >>> int(torch.Generator().manual_seed(2024).random64(1)[0]) == 2525503112 << 32 | 3251949050
        True
        """
        bits, _, bulk = self._started_engine()
        if count:
            self._fresh, self._known = False, None
        if count < 500:
            words = bits.random_raw(2 * count)
            return words[::2] << 32 | words[1::2]
        return bulk.integers(0, 2**64, count, dtype=np.uint64)

    def uniform(self, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Draw `count` uniform numbers in [0, 1): float32 from 24 bits of a word, float64 from 53 bits of a pair.

        >>> torch.Generator().manual_seed(2024).uniform(3, np.dtype(np.float32))
        array([0.53171587, 0.83126795, 0.971838  ], dtype=float32)
        """
        if dtype.char == "f":
            words = self.random32(count)
            words &= LOW_24
            values = words.view(np.int32).astype(np.float32)  # a signed integer converts faster
            values *= _STEP_24
        else:
            pairs = self.random64(count)
            pairs &= LOW_53
            values = pairs.view(np.int64).astype(np.float64)
            values *= _STEP_53
        return values

    def unit(self) -> float:
        """Draw one uniform number as `uniform(1, float64)` does, in a tenth of the time.

        >>> g, h = torch.Generator().manual_seed(2024), torch.Generator().manual_seed(2024)
        >>> g.unit() == h.uniform(1, np.dtype(np.float64))
        array([ True])
        """
        word = self._started_engine()[0].random_raw
        self._fresh, self._known = False, None
        return ((word() << 32 | word()) & (2**53 - 1)) * 2.0**-53

    def units(self, count: int) -> list[float]:
        """Draw `uniform(count, float64).tolist()`, for few numbers in half the time.

        >>> g, h = torch.Generator().manual_seed(2024), torch.Generator().manual_seed(2024)
        >>> g.units(3) == h.uniform(3, np.dtype(np.float64)).tolist()
        True
        """
        words = iter(self._started_engine()[0].random_raw(2 * count).tolist())
        if count:
            self._fresh, self._known = False, None
        return [((high << 32 | low) & (2**53 - 1)) * 2.0**-53 for high, low in zip(words, words, strict=True)]

    def _started_engine(self) -> Any:
        """Return NumPy's (MT19937, RandomState, Generator) on one stream, made on first use.

        The first gives single words and the state, the second has PyTorch's seeding, the third draws in bulk.
        """
        if self._engine is None:
            with self.lock:
                if self._engine is None:
                    bits = np.random.MT19937(_no_seed())
                    engine = bits, np.random.RandomState(bits), np.random.Generator(bits)
                    self._reseed(engine)
                    self._engine = engine
        return self._engine

    def _reseed(self, engine: Any) -> None:
        engine[1].seed(self._seed & 0xFFFFFFFF)  # as in PyTorch, only the low word counts


@cache
def _no_seed() -> Any:
    """What an engine is made from that gets its state afterwards: NumPy takes 90 µs to make one from a number."""

    class NoSeed(np.random.bit_generator.ISeedSequence):
        def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
            return [0] * n_words  # NumPy takes the words of a list one by one in a fraction of an array's time

    return NoSeed()


def _same_words(state: NDArray[np.uint8], other: NDArray[np.uint8] | None) -> bool:
    """Whether two states are the same apart from a cached normal."""
    return other is not None and bool(np.array_equal(state[:WORDS_END], other[:WORDS_END]))


_generators: WeakSet[Generator] = WeakSet()


def _unlock() -> None:
    """Give the generators of a forked process locks which no thread of its parent holds."""
    for generator in _generators:
        generator.lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_unlock)
default_generator = Generator()
default_generator.seed()  # as in PyTorch, a program that sets no seed draws differently in each process


def generator_or_default(generator: Generator | None) -> Generator:
    """Return the given generator, or the default one. Raises TypeError for anything else."""
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(f"argument 'generator' must be torch.Generator, not {type(generator).__name__}")
    return generator

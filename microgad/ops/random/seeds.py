"""The seed and the state of the default generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ... import backend
from ...generator import Generator, default_generator
from ...type_aliases import Real, Tensor


def manual_seed(seed: Real) -> Generator:
    """Restart the default generator from a seed, and return the generator.

    Raises ValueError unless it is an integer of 64 bits. Source: torch.manual_seed.

    >>> torch.manual_seed(0).initial_seed()
    0
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Restart the default generator from a random seed, and return the seed. Source: torch.seed.

    >>> torch.seed() == torch.initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed of the default generator, random in each process that sets none. Source: torch.initial_seed.

    >>> _ = torch.manual_seed(3)
    >>> torch.initial_seed()
    3
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return the default generator's state, a uint8 Tensor in PyTorch's layout. Source: torch.get_rng_state.

    >>> saved = torch.get_rng_state()
    >>> a = torch.rand(2)
    >>> torch.set_rng_state(saved)
    >>> torch.equal(a, torch.rand(2))
    True
    """
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator's state. Raises TypeError unless it is uint8. Source: torch.set_rng_state.

    >>> torch.set_rng_state(torch.get_rng_state())
    """
    default_generator.set_state(backend.to_numpy(getattr(new_state, "array", new_state)))


@contextmanager
def fork_rng(
    devices: Any = None, enabled: bool = True, _caller: str = "fork_rng", _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iterator[None]:  # fmt: skip
    """Run a block, and then reset the default generator to its state before. Source: torch.random.fork_rng.

    One stream serves all devices, so `devices` makes no difference.

    >>> _ = torch.manual_seed(0)
    >>> with torch.random.fork_rng():
    ...     a = torch.rand(2)
    >>> torch.equal(a, torch.rand(2))
    True
    """
    saved = default_generator.snapshot() if enabled else None
    try:
        yield
    finally:
        if saved is not None:
            default_generator.set_state(saved)

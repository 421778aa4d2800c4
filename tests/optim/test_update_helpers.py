"""Steps go over arrays chunk by chunk, in memory that may run out."""

import numpy as np
import pytest

import microgad
from microgad.optim import (
    ASGD,
    SGD,
    SMORMS3,
    AdaBelief,
    AdaBound,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSBound,
    AMSGrad,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    SantaE,
)
from microgad.optim.update_helpers import CHUNK_SIZE, chunks


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE + 3])
def test_chunks_cover_every_element_once(size: int) -> None:
    array = np.zeros(size, np.float32)
    for part, spare in chunks(array, scratch=1):
        assert part.shape == spare.shape
        assert part.dtype == spare.dtype
        part += 1
    assert (array == 1).all()


STEPPING = [
    ASGD, SGD, SMORMS3, AdaBelief, AdaBound, Adadelta, Adafactor, Adagrad, Adam, Adamax, AdamW, AMSBound, AMSGrad, Muon,
    NAdam, RAdam, RMSprop, Rprop, SantaE,
]  # fmt: skip


def failing_at(patch, which):
    """Make the allocation of this number fail."""
    calls = iter(range(1, 1000))

    def counted(right):
        def allocate(*args, **kwargs):
            if next(calls) == which:
                raise MemoryError("no more")
            return right(*args, **kwargs)

        return allocate

    for name in ("empty_like", "zeros_like"):
        patch.setattr(np, name, counted(getattr(np, name)))


@pytest.mark.parametrize("cls", STEPPING, ids=lambda cls: cls.__name__)
def test_memory_that_runs_out_leaves_no_half_made_state(cls, monkeypatch):
    """Whichever allocation fails: the error names the optimizer, and a parameter's state is whole or nothing."""
    options = {"lr": 0.01, **({"momentum": 0.9} if cls in (SGD, RMSprop) else {})}
    for which in range(1, 3):
        params = [microgad.full((3, 3), 2.0, requires_grad=True) for _ in range(2)]
        optimizer = cls(params, **options)
        (params[0] * params[0] + params[1]).sum().backward()
        with monkeypatch.context() as patch:
            failing_at(patch, which)
            with pytest.raises(MemoryError, match=rf"^{cls.__name__}\.step: no more") as caught:
                optimizer.step()
        assert isinstance(caught.value, RuntimeError)
        before = [set(optimizer.state[p]) for p in params]
        optimizer.step()
        after = [set(optimizer.state[p]) for p in params]
        assert all(names in (set(), whole) for names, whole in zip(before, after, strict=True))
        assert all(p.isfinite().all() for p in params)


def test_a_momentum_that_found_no_room_to_be_added_is_not_kept(monkeypatch):
    p = microgad.ones(3, requires_grad=True)
    p.grad = microgad.full((3,), 2.0)
    optimizer = SGD([p], lr=0.5, momentum=0.9)
    right, calls = np.empty_like, iter(range(10))

    def allocate(*args, **kwargs):
        if next(calls) == 1:  # after the momentum's own
            raise MemoryError
        return np.full_like(args[0], 1e30)

    with monkeypatch.context() as patch:
        patch.setattr(np, "empty_like", allocate)
        with pytest.raises(MemoryError, match=r"SGD\.step"):
            optimizer.step()
    assert np.empty_like is right
    optimizer.step()
    assert p.tolist() == [0.0] * 3

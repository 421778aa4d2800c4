"""Helpers of updates: chunks of arrays, and consistent states after an allocation fails."""

import numpy as np
import pytest

import microgad
from microgad import optim
from microgad.optim.update_helpers import CHUNK_SIZE, chunks


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE + 3])
def test_chunks_cover_every_element_once(size: int) -> None:
    array = np.zeros(size, np.float32)
    for part, spare in chunks(array, scratch=1):
        assert part.shape == spare.shape
        assert part.dtype == spare.dtype
        part += 1
    assert (array == 1).all()


NAMES = """ASGD SGD SMORMS3 AdaBelief AdaBound Adadelta Adafactor Adagrad Adam Adamax AdamW AMSBound AMSGrad Muon NAdam
    RAdam RMSprop Rprop SantaE"""
OPTIMIZERS = [getattr(optim, name) for name in NAMES.split()]


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("dtype", [microgad.float64, microgad.float32])
def test_steps_in_chunks_are_those_of_the_whole(cls, dtype, monkeypatch):
    """Seven elements in chunks of four: the last one is shorter."""
    options = {"momentum": 0.9} if cls in (optim.SGD, optim.RMSprop) else {}
    found = []
    for size in (CHUNK_SIZE, 4):
        monkeypatch.setattr(optim.update_helpers, "CHUNK_SIZE", size)
        p = microgad.linspace(-1, 2, 7, dtype=dtype).view(7, 1).requires_grad_()
        optimizer = cls([p], lr=0.01, **options)
        microgad.manual_seed(0)
        for _ in range(4):
            p.grad = (p * p - p).detach()
            optimizer.step()
        found.append([p, *(x for x in optimizer.state[p].values() if isinstance(x, microgad.Tensor))])
    for whole, parts in zip(*found, strict=True):
        np.testing.assert_array_equal(whole.detach().array, parts.detach().array)


def test_weight_decay_is_by_the_present_learning_rate():
    p = microgad.ones(3, requires_grad=True)
    optimizer = optim.AdamW([p], lr=0.5, weight_decay=0.2)
    scheduler = microgad.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
    for _ in range(2):
        p.grad = microgad.zeros(3)
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(p.detach().array, (1 - 0.5 * 0.2) * (1 - 0.05 * 0.2), 1e-6)


def test_rmsprop_keeps_its_averages_under_pytorch_s_names():
    p = microgad.ones(1, requires_grad=True)
    optimizer = optim.RMSprop([p], alpha=0.75, momentum=0.5, centered=True, eps=0)
    p.grad = microgad.full((1,), 2.0)
    optimizer.step()
    state = {name: x.item() for name, x in optimizer.state[p].items()}
    assert (state["square_avg"], state["grad_avg"]) == (1, 0.5)
    assert state["momentum_buffer"] == pytest.approx(2 / 0.75**0.5)


def fail_allocation(patch, n):
    """Make the n-th allocation fail."""
    calls = iter(range(1, 1000))

    def failing(original):
        def allocate(*args, **kwargs):
            if next(calls) == n:
                raise MemoryError("no more")
            return original(*args, **kwargs)

        return allocate

    for name in ("empty_like", "zeros_like"):
        patch.setattr(np, name, failing(getattr(np, name)))


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda cls: cls.__name__)
def test_running_out_of_memory_leaves_no_incomplete_state(cls, monkeypatch):
    """The error names the optimizer, and the state of each parameter is complete or empty."""
    options = {"lr": 0.01, **({"momentum": 0.9} if cls in (optim.SGD, optim.RMSprop) else {})}
    for n in range(1, 3):
        params = [microgad.full((3, 3), 2.0, requires_grad=True) for _ in range(2)]
        optimizer = cls(params, **options)
        (params[0] * params[0] + params[1]).sum().backward()
        with monkeypatch.context() as patch:
            fail_allocation(patch, n)
            with pytest.raises(MemoryError, match=rf"^{cls.__name__}\.step: no more") as caught:
                optimizer.step()
        assert isinstance(caught.value, RuntimeError)
        before = [set(optimizer.state[p]) for p in params]
        optimizer.step()
        after = [set(optimizer.state[p]) for p in params]
        assert all(names in (set(), complete) for names, complete in zip(before, after, strict=True))
        assert all(p.isfinite().all() for p in params)


def test_a_momentum_whose_step_ran_out_of_memory_is_not_kept(monkeypatch):
    p = microgad.ones(3, requires_grad=True)
    p.grad = microgad.full((3,), 2.0)
    optimizer = optim.SGD([p], lr=0.5, momentum=0.9)
    original, calls = np.empty_like, iter(range(10))

    def allocate(*args, **kwargs):
        if next(calls) == 1:  # the allocation after that of the momentum
            raise MemoryError
        return np.full_like(args[0], 1e30)

    with monkeypatch.context() as patch:
        patch.setattr(np, "empty_like", allocate)
        with pytest.raises(MemoryError, match=r"SGD\.step"):
            optimizer.step()
    assert np.empty_like is original
    optimizer.step()
    assert p.tolist() == [0.0] * 3

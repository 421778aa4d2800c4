"""State: what belongs to a thread of execution."""

from __future__ import annotations

import gc
import weakref

import microgad as torch
from microgad import nn, state


class Seeing(nn.Module):
    """Remembers what it was called in."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(state.current())
        return x


def test_what_is_called_again_runs_in_the_same_state():
    seeing = Seeing()
    model = nn.Sequential(nn.ReLU(), nn.Sequential(seeing))
    for _ in range(2):
        model(torch.ones(1))
        with torch.no_grad():
            model(torch.ones(1))
    plain, without, *again = seeing.seen
    assert again == [plain, without]
    assert (plain.path, plain.grad_enabled) == (without.path, not without.grad_enabled) == ("1.0", True)


def test_the_mode_of_a_statement_leaves_no_chain_of_states():
    before = state.current()
    torch.set_grad_enabled(False)
    first = state.current()
    torch.set_grad_enabled(True)
    assert not first.inner
    state.variable.set(before)


def test_a_recorder_dies_with_its_block():
    model = nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1))
    gc.collect()
    gc.disable()
    try:
        with torch.record():
            recorder = weakref.ref(state.current().observer)
            with torch.no_grad():
                model(torch.ones(1, 2))
        assert recorder() is None
    finally:
        gc.enable()

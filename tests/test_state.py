"""The state of a thread: grad mode, module path and recorder."""

from __future__ import annotations

import contextlib
import contextvars
import weakref

import pytest

import microgad as torch
from microgad import gradients, nn, state
from microgad.utils.flop_counter import FlopCounterMode


class StateModule(nn.Module):
    """Notes the states in which it is called."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(state.current())
        return x


def test_repeated_calls_run_in_the_same_state_object():
    module = StateModule()
    model = nn.Sequential(nn.ReLU(), nn.Sequential(module))
    for _ in range(2):
        model(torch.ones(1))
        with torch.no_grad():
            model(torch.ones(1))
    plain, no_grad, *again = module.seen
    assert again == [plain, no_grad]
    assert (plain.path, plain.grad_enabled) == (no_grad.path, not no_grad.grad_enabled) == ("1.0", True)


@pytest.mark.parametrize(
    "make",
    [
        torch.inference_mode, torch.autograd.forward_ad.dual_level, nn.utils.parametrize.cached,
        torch.autograd.graph.allow_mutation_on_saved_tensors, torch._C.DisableTorchFunctionSubclass,
        lambda: torch.autograd.graph.disable_saved_tensors_hooks("no"), torch.overrides.TorchFunctionMode,
    ],
)  # fmt: skip
def test_a_block_may_end_in_another_context(make):
    """As that of an async generator which another task closes."""
    before = state.current()
    block = make()
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert state.current() is before
    assert not torch.is_inference_mode_enabled()


def test_set_grad_enabled_leaves_no_chain_of_states():
    before = state.current()
    torch.set_grad_enabled(False)
    first = state.current()
    torch.set_grad_enabled(True)
    assert not first.inner
    state.variable.set(before)


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_recorder_is_freed_at_the_end_of_its_block():
    model = nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1))
    with torch.record():
        recorder = weakref.ref(state.current().observer)
        with torch.no_grad():
            model(torch.ones(1, 2))
    assert recorder() is None


BLOCKS = {
    torch.device: ["cpu"], torch.inference_mode: [], torch.no_grad: [], torch.autograd.detect_anomaly: [],
    torch.autograd.forward_ad.dual_level: [], FlopCounterMode: [],
}  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("outer", [contextlib.nullcontext, torch.inference_mode, torch.autograd.forward_ad.dual_level])
def test_the_end_of_a_block_that_has_not_begun_raises_and_changes_nothing(block, outer):
    def modes():
        return torch.is_inference_mode_enabled(), torch.is_grad_enabled(), torch.get_default_device(), state.current()

    def check():
        with outer():
            before = modes()
            with pytest.raises((RuntimeError, IndexError, AttributeError)):
                block(*BLOCKS[block]).__exit__(None, None, None)
            assert modes() == before
            assert (torch.zeros(2) + 1).is_inference() == (outer is torch.inference_mode)
            assert (gradients.dual_level.get() is None) == (outer is not torch.autograd.forward_ad.dual_level)

    contextvars.Context().run(check)  # in which no block has begun, as those of other default devices

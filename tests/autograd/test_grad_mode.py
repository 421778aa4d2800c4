"""Grad modes as blocks and decorators: nesting, errors, and independence of other modes."""

from __future__ import annotations

import microgad as torch


def test_set_grad_enabled_as_a_decorator_affects_only_calls() -> None:
    @torch.set_grad_enabled(False)
    def off() -> bool:
        return torch.is_grad_enabled()

    assert torch.is_grad_enabled()
    assert not off()
    assert torch.is_grad_enabled()


def test_leaving_a_block_restores_only_its_own_mode() -> None:
    """Grad mode, anomaly detection, hooks on saved tensors and profilers are independent of each other."""
    with torch.no_grad():
        torch.autograd.set_detect_anomaly(True)
    assert torch.is_anomaly_enabled()
    torch.no_grad(lambda: torch.autograd.set_detect_anomaly(False))()
    assert not torch.is_anomaly_enabled()
    profiler = torch.autograd.profiler.profile()
    with torch.inference_mode():
        profiler.__enter__()
    torch.ones(2).exp()
    profiler.__exit__(None, None, None)
    assert "aten::exp" in [event.name for event in profiler.function_events]
    for block in (
        torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x),
        torch.autograd.set_detect_anomaly(True),
    ):
        with block:
            torch.set_grad_enabled(False)
        assert not torch.is_grad_enabled()
        torch.set_grad_enabled(True)
    assert not torch.is_anomaly_enabled()


def test_grad_modes_nest_and_are_restored_after_an_error() -> None:
    try:
        with torch.no_grad(), torch.enable_grad():
            assert torch.is_grad_enabled()
            raise KeyError
    except KeyError:
        pass
    assert torch.is_grad_enabled()
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_a_grad_mode_can_be_entered_again() -> None:
    off, seen = torch.set_grad_enabled(False), []
    for _ in range(2):
        with off:
            seen.append(torch.is_grad_enabled())
        seen.append(torch.is_grad_enabled())
    assert seen == [False, True, False, True]


def test_multithreading_is_a_mode_without_effect() -> None:
    enabled = torch.autograd.is_multithreading_enabled
    with torch.autograd.set_multithreading_enabled(False):
        assert not enabled()
    assert enabled()
    decorated = torch.autograd.set_multithreading_enabled(False)(enabled)  # which sets the mode at once, too
    torch.autograd.set_multithreading_enabled(True)
    assert not decorated()
    assert enabled()

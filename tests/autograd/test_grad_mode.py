"""Grad modes: blocks, decorators, nesting."""

from __future__ import annotations

import microgad as torch


def test_a_decorator_is_for_the_functions_calls_alone() -> None:
    @torch.set_grad_enabled(False)
    def off() -> bool:
        return torch.is_grad_enabled()

    assert torch.is_grad_enabled()
    assert not off()
    assert torch.is_grad_enabled()


def test_modes_nest_and_come_back_after_an_error() -> None:
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

"""torch.inference_mode, which doesn't record and is told from no_grad."""

from __future__ import annotations

import pytest

import microgad

torch = pytest.importorskip("torch")


def test_inference_mode_takes_a_mode():
    x = microgad.ones(1, requires_grad=True)
    with microgad.inference_mode():
        assert not (x * 2).requires_grad
        with microgad.inference_mode(False):
            assert (x * 2).requires_grad
    assert not microgad.inference_mode(lambda: x * 2)().requires_grad
    assert not microgad.inference_mode(True)(lambda: x * 2)().requires_grad


def test_inference_mode_is_told_from_no_grad():
    def told(t):
        def both():
            return t.is_inference_mode_enabled(), t.is_grad_enabled()

        with t.no_grad():
            yield both()
            yield t.inference_mode(both)()
        with t.inference_mode():
            yield both()
            with t.enable_grad():
                yield both()
            with t.inference_mode(False):
                yield both()
        yield both()

    assert list(told(microgad)) == list(told(torch))

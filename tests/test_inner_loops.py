"""The context in which NumPy's ufunc buffer is shorter: it changes nothing else, and nothing after it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from microgad.backend import inner_loops
from microgad.backend.inner_loops import SHORT_RUN, UFUNC_BUFFER, UNCHANGED, unbuffered_runs


def test_the_buffer_is_shorter_inside_and_as_before_afterwards() -> None:
    for _ in range(2):  # the second time it is known what to change
        before = np.getbufsize()
        with unbuffered_runs(1000):
            assert np.getbufsize() == SHORT_RUN
        assert np.getbufsize() == before


def test_runs_that_are_short_or_fill_the_buffer_change_nothing() -> None:
    for length in (SHORT_RUN, UFUNC_BUFFER):
        assert unbuffered_runs(length) is UNCHANGED


@pytest.mark.parametrize("kind", ["ignore", "raise"])
def test_what_is_done_about_errors_stays(kind: Any) -> None:
    with np.errstate(all=kind), unbuffered_runs(1000):
        assert set(np.geterr().values()) == {kind}
        assert np.getbufsize() == SHORT_RUN
    with unbuffered_runs(1000), np.errstate(all=kind):
        assert np.getbufsize() == SHORT_RUN


def test_a_users_buffer_is_restored_also_after_an_error() -> None:
    before = np.setbufsize(4096)
    try:
        with pytest.raises(MemoryError), unbuffered_runs(1000), unbuffered_runs(2000):
            raise MemoryError
        assert np.getbufsize() == 4096
    finally:
        np.setbufsize(before)


def test_without_a_context_variable_in_numpy_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "setbufsize", lambda size: size)
    assert inner_loops._settings() is None
    monkeypatch.setattr(inner_loops, "_shortened", nullcontext)
    with unbuffered_runs(1000):
        assert np.getbufsize() == UFUNC_BUFFER

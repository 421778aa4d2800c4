"""Operations give no NumPy warnings of NaN and infinity, as PyTorch gives none. Direct NumPy calls still do."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import microgad as torch

from .processes import run

pytestmark = pytest.mark.host("a GPU doesn't warn")
NON_FINITE = [
    lambda x: x.log(),
    lambda x: x / 0,
    lambda x: torch.tensor(0.0) / 0,
    lambda x: x.sum(),
    lambda x: x.half(),
    lambda x: (x * 1e38).to(torch.int32),
    lambda x: torch.fft.fft(x),
    lambda x: torch.stack([x, x]).std(0),
    lambda x: x.clone().mul_(1e38),
    lambda x: np.log(x),
]


@pytest.fixture
def warnings_are_errors():
    """All warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_cupy_s_functions_give_no_warning_where_microgad_calls_them(warnings_are_errors):
    """CuPy's np.where converts a number to the dtype on the host: in a module of its own, by NumPy."""
    in_cupy = {"__name__": "cupy._sorting.search", "np": np}
    exec("def where(): return np.array(1e300).astype(np.float32)", in_cupy)
    in_microgad = {"__name__": "microgad.ops.selection", "where": in_cupy["where"]}
    exec("def forward(): return where()", in_microgad)
    assert in_microgad["forward"]() == np.inf
    with pytest.raises(RuntimeWarning, match="overflow encountered in cast"):
        in_cupy["where"]()


@pytest.mark.parametrize("compute", NON_FINITE)
def test_nan_and_infinity_give_no_warning(warnings_are_errors, compute):
    y = compute(torch.tensor([0.0, -1.0, torch.inf, -torch.inf, 3e38]))
    assert y.dtype == torch.int32 or not torch.isfinite(y).all()


def test_backward_gives_no_warning_in_any_thread(warnings_are_errors):
    caught = []

    def work():
        try:
            x = torch.tensor([0.0, -1.0], requires_grad=True)
            (x.log() / 0).sum().backward()
        except RuntimeWarning as warning:
            caught.append(warning)

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not caught


def test_numpy_still_warns_and_errstate_raise_makes_operations_raise(warnings_are_errors):
    with pytest.raises(RuntimeWarning, match="divide by zero"):
        np.log(np.zeros(1))
    with pytest.raises(RuntimeWarning, match="invalid value"):
        np.array([np.inf, -np.inf]).sum()  # the warning comes from Python code of NumPy
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        torch.zeros(1).log()


def test_warning_filters_of_the_program_do_not_bring_the_warnings_back():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.zeros(1).log()
        np.log(np.zeros(1))
        warnings.resetwarnings()
        torch.zeros(2) / 0
        with warnings.catch_warnings():
            warnings.filterwarnings("error", category=RuntimeWarning)
            torch.zeros(3).reciprocal()
            with pytest.raises(RuntimeWarning):
                np.reciprocal(np.zeros(3))
    assert [str(warning.message) for warning in caught] == ["divide by zero encountered in log"]


def test_warnings_filters_lists_and_restores_filters_as_usual():
    with warnings.catch_warnings():
        before = list(warnings.filters)
        warnings.filterwarnings("error", "this", UserWarning)
        first = warnings.filters[0]
        assert len(warnings.filters) == len(before) + 1
        assert warnings.filters[0] is first is before[0]
        with pytest.raises(UserWarning, match="this"):
            warnings.warn("this", UserWarning, stacklevel=1)
        warnings.filterwarnings("ignore", "this", UserWarning)
        warnings.warn("this", UserWarning, stacklevel=1)
    assert list(warnings.filters) == before


def test_other_warnings_are_not_suppressed(warnings_are_errors):
    with pytest.raises(UserWarning, match="degrees of freedom"):
        torch.zeros(1).std()


def test_import_and_operations_give_no_warning_in_a_new_process():
    program = "import microgad as torch; torch.zeros(1).log().sum().item(); torch.tensor([torch.inf, -torch.inf]).sum()"
    done = run("-W", "error", "-c", program)
    assert (done.returncode, done.stderr) == (0, "")

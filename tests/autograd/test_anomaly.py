"""detect_anomaly and set_detect_anomaly: they name the operation that a NaN came from, in forward and backward."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

import microgad as torch
from microgad import nn, state
from microgad.autograd.anomaly import AnomalyError, Tracer, nonfinite_kind
from microgad.autograd.function_hooks import CountHook


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def is_active():
    return isinstance(state.current().observer, Tracer)


def test_an_operation_that_makes_nan_raises():
    x = torch.tensor([-1.0, 4.0], requires_grad=True)
    with torch.autograd.detect_anomaly(), pytest.raises(RuntimeError) as caught:
        x.sqrt()
    assert str(caught.value) == "Sqrt: produced NaN from finite inputs: x (2,) from -1 to 4"
    assert not is_active()


def test_the_error_names_the_module():
    class Root(nn.Module):
        def forward(self, x):
            return x.sqrt()

    model = nn.Sequential(nn.Identity(), Root())
    with torch.no_grad(), torch.autograd.detect_anomaly(), pytest.raises(AnomalyError, match=r"^Sqrt \(1\): produced "):
        model(torch.tensor([-1.0]))


def test_an_infinity_is_named_only_when_it_becomes_nan():
    x = torch.tensor([0.0, 1.0])
    with torch.autograd.detect_anomaly():
        minus_infinity = x.log()
        assert minus_infinity.exp().tolist() == [0.0, 1.0]
        with pytest.raises(AnomalyError, match=r"^Log: produced -inf from .*\. It became NaN in Sub$") as caught:
            minus_infinity - minus_infinity
    assert caught.value.op == "Log"


def test_a_derivative_that_makes_nan_raises():
    """The derivative of sqrt at 0 is infinite, and multiplied by 0."""
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    y = ((x * 0).sqrt() + x).sum()
    message = r"^Function 'MulBackward0' returned nan values in its 0th output\. backward: Sqrt: the gradient of its "
    with torch.autograd.detect_anomaly(), pytest.raises(AnomalyError, match=message):
        y.backward()
    assert x.grad is None


class Root(torch.autograd.Function):
    """A square root that masks, or doesn't mask, the NaN that its backward computes at 0."""

    @staticmethod
    def forward(ctx, masked, x):
        ctx.masked = masked
        ctx.save_for_backward(x)
        return x.sqrt()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        slope = (x * x).sqrt() / (x * x * 2)
        return None, grad * (torch.where(x > 0, slope, 0.0) if ctx.masked else slope)


def test_of_a_custom_backward_only_the_gradients_are_checked():
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    with torch.autograd.detect_anomaly():
        assert torch.autograd.grad(Root.apply(True, x).sum(), x)[0].tolist() == [0.0, 0.125]
        message = "^Function 'RootBackward' returned nan values in its 0th output. backward: Div: produced NaN from "
        with pytest.raises(AnomalyError, match=message):
            Root.apply(False, x).sum().backward()


def test_second_derivatives_are_checked_too():
    x = torch.tensor(0.0, requires_grad=True)
    with torch.autograd.detect_anomaly(), pytest.raises(AnomalyError):
        torch.autograd.grad((x * x).sqrt(), x, create_graph=True)


def test_a_nan_in_an_input_is_named():
    with torch.autograd.detect_anomaly(), pytest.raises(AnomalyError, match="but its input x held NaN before"):
        torch.tensor([float("nan")]).exp()


def test_the_source_of_nan_is_known_through_operations_of_several_results_and_inputs():
    a, b = torch.tensor([1.0]), torch.tensor([-1.0])
    tracer = Tracer()
    with state.scope(observer=tracer):
        parts = torch.cat([a, b.log()]).split(1)
    assert [nonfinite_kind(part) for part in parts] == ["", "NaN"]
    assert (tracer.source(parts[0]), tracer.source(parts[1]).op) == (None, "Log")


def test_detect_anomaly_is_a_decorator_and_nests():
    watch = torch.autograd.detect_anomaly()

    @watch
    def root(x):
        with watch:
            assert is_active()
        assert is_active()
        return x.sqrt()

    assert root(torch.tensor(4.0)).item() == 2
    assert not is_active()
    with pytest.raises(AnomalyError):
        root(torch.tensor(-4.0))


def test_set_detect_anomaly_switches_on_and_off():
    torch.autograd.set_detect_anomaly(True)
    assert is_active()
    torch.autograd.set_detect_anomaly(False)
    assert not is_active()
    with torch.autograd.set_detect_anomaly(True):
        with torch.autograd.set_detect_anomaly(False):
            assert not is_active()
        assert is_active()
    assert not is_active()
    with torch.autograd.detect_anomaly(check_nan=False):
        assert is_active()
        assert not torch.is_anomaly_check_nan_enabled()
        assert torch.tensor(-1.0).sqrt().isnan()


def test_another_observer_is_still_called():
    class Counter(state.Observer):
        def __init__(self):
            self.seen = []

        def forward(self, node, inputs, out):
            self.seen.append(type(node).__name__)

        def backward(self, node, gradients):
            self.seen.append(f"{type(node).__name__} backward")

    counter = Counter()
    x = torch.tensor(2.0, requires_grad=True)
    with state.scope(observer=counter), torch.autograd.detect_anomaly():
        x.exp().backward()
    assert counter.seen == ["Exp", "Exp backward"]


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (torch.tensor([1, 2]), ""), (torch.tensor([1.0, float("inf")]), "inf"), (float("nan"), "NaN"), (3, ""),
        (np.array([-np.inf]), "-inf"), (complex(0, float("inf")), "inf"), (torch.zeros(0), ""), (None, ""),
    ],
)  # fmt: skip
def test_nonfinite_kind(x, expected):
    assert nonfinite_kind(x) == expected


def test_a_nan_in_backward_names_the_line_that_recorded_its_operation():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    with torch.autograd.detect_anomaly():
        y = (x * 0).sqrt() * 0
        line = sys._getframe().f_lineno - 1
        with pytest.raises(RuntimeError, match=rf"backward: .*test_anomaly\.py, line {line}"):
            y.sum().backward()


def test_anomaly_detection_works_under_other_observers_and_can_be_switched_off():
    x = torch.tensor(-1.0)
    with torch.autograd.detect_anomaly(), CountHook() as inner:
        assert torch.is_anomaly_enabled()
        with torch.autograd.set_detect_anomaly(False):
            assert x.log().isnan()
        with pytest.raises(RuntimeError, match="Log: produced NaN"):
            x.log()
    assert inner.calls["Log"] >= 1
    assert not torch.is_anomaly_enabled()


def test_an_observer_that_is_entered_inside_stays_after_the_block():
    counts = CountHook()
    with torch.autograd.detect_anomaly():
        counts.__enter__()
    torch.ones(2).exp()
    counts.__exit__()
    torch.ones(2).exp()
    assert counts.calls["Exp"] == 1


def write_to_a_kept_value():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    middle = x + 1
    out = middle**2
    middle += 1
    return out.sum()


def fail(out):
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


@pytest.mark.parametrize("check_nan", [True, False])
def test_an_error_in_backward_comes_with_the_traceback_of_the_call(check_nan):
    message = r"(?s)^Error detected in PowBackward0\. Traceback of forward call .* in write_to_a_kept_value\n.*middle"
    with torch.autograd.set_detect_anomaly(True, check_nan=check_nan):
        assert torch.is_anomaly_enabled()
        assert torch.is_anomaly_check_nan_enabled() is check_nan
        out = write_to_a_kept_value()
        with pytest.warns(UserWarning, match=message) as seen:
            fail(out)
    assert seen[0].filename == __file__


def test_an_error_in_backward_of_what_was_recorded_before_says_so():
    out = write_to_a_kept_value()
    message = r"^Error detected in PowBackward0\. No forward pass information available"
    with torch.autograd.set_detect_anomaly(True), pytest.warns(UserWarning, match=message):
        fail(out)


def test_the_error_in_backward_is_raised_even_if_warnings_are_errors(capsys):
    with torch.autograd.set_detect_anomaly(True), warnings.catch_warnings():
        warnings.simplefilter("error")
        fail(write_to_a_kept_value())
    assert "Error detected in PowBackward0" in capsys.readouterr().err

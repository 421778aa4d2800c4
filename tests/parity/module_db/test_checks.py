"""The checks detect faults: each fault, planted in a layer, fails the check that is meant to find it."""

from __future__ import annotations

import pytest

import microgad
from microgad import nn

from .checks import LayerChecks

linear = nn.Linear.forward
build = nn.Linear.__init__


def draws_one_more_number(self, *args, **kwargs):
    build(self, *args, **kwargs)
    microgad.rand(1)


def registers_in_another_order(self, *args, **kwargs):
    build(self, *args, **kwargs)
    self._parameters = dict(reversed(self._parameters.items()))


def ignores_dtype_argument(self, *args, dtype=None, **kwargs):
    build(self, *args, **kwargs)
    if dtype is not None:
        self.double()


def swaps_dtype_and_device(self, in_features, out_features, bias=True, dtype=None, device=None):
    build(self, in_features, out_features, bias, device, dtype)


def without_a_setting(self, *args, **kwargs):
    build(self, *args, **kwargs)
    del self.in_features


def computes_with_its_first_weight(self, input):
    weight = self.__dict__.setdefault("kept", self.weight.detach().clone())
    return microgad.nn.functional.linear(input, weight, self.bias)


def writes_its_input(self, input):
    result = linear(self, input)
    with microgad.no_grad():
        input.detach().zero_()
    return result


def raises_no_error(self, *args, **kwargs):
    return "anything"


def wrong_on_noncontiguous_memory(self, input):
    return linear(self, input) if input.array.flags.c_contiguous else linear(self, input * 2)


FAULTS = [
    ("Linear", "__init__", draws_one_more_number, "state float32"),
    ("Linear", "__init__", registers_in_another_order, "state float32"),
    ("Linear", "__init__", ignores_dtype_argument, "factory"),
    ("Linear", "__init__", swaps_dtype_and_device, "arguments"),
    ("Linear", "__init__", without_a_setting, "attributes"),
    ("Linear", "reset_parameters", lambda self: nn.init.ones_(self.weight), "state float32"),
    ("Linear", "extra_repr", lambda self: "", "repr"),
    ("Linear", "forward", lambda self, input: linear(self, input) * (1 + 1e-9), "forward float64"),
    ("Linear", "forward", lambda self, input: linear(self, input).double(), "forward float32"),
    ("Linear", "forward", lambda self, input: linear(self, input.detach()), "gradient float64"),
    ("Linear", "forward", computes_with_its_first_weight, "gradient float64"),
    ("Linear", "forward", writes_its_input, "forward float64"),
    ("Linear", "forward", wrong_on_noncontiguous_memory, "forward float32 noncontiguous"),
    ("Linear", "__deepcopy__", lambda self, memo: self, "copies float64"),
    ("Linear", "_load_from_state_dict", lambda self, *args: None, "state_dict float64"),
    ("BatchNorm2d", "forward", lambda self, x: nn.functional.batch_norm(x, None, None, self.weight, self.bias, True),
     "forward float64"),
    ("MaxPool2d", "forward", raises_no_error, "errors"),
    ("Sigmoid", "forward", lambda self, x: (x * x.detach().neg().exp() / x.detach()).add(1).reciprocal(),
     "gradgrad float64"),
    ("LazyLinear", "has_uninitialized_params", lambda self: True, "forward float32"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "method", "fault", "check"), FAULTS)
def test_fault_fails_its_check(monkeypatch, name, method, fault, check):
    monkeypatch.setattr(getattr(nn, name), method, fault, raising=False)
    assert check in {failure.check for failure in LayerChecks(f"nn.{name}").failures()}


@pytest.mark.parametrize("name", sorted({name for name, *_ in FAULTS}))
def test_layer_without_fault_passes(name):
    assert not list(LayerChecks(f"nn.{name}").failures())

"""Warnings that PyTorch gives are given in the same category, as often, and with the same words."""

from __future__ import annotations

import sys
import warnings
from operator import setitem

import numpy as np
import pytest

import microgad as torch
from microgad import gradients
from microgad.errors import notices
from microgad.lazy import LazyModule
from microgad.nn import functional as F
from microgad.utils.checkpoint import checkpoint, checkpoint_sequential


def result() -> torch.Tensor:
    return torch.ones(2, requires_grad=True) * 2


WARNED = [
    (lambda: result().grad, UserWarning, "not a leaf Tensor is being accessed"),
    (lambda: torch.tensor(torch.ones(2)), UserWarning, "To copy construct from a tensor"),
    (lambda: torch.autograd.detect_anomaly(), UserWarning, "Anomaly Detection has been enabled"),
    (lambda: torch.range(0, 3), UserWarning, "torch.range is deprecated"),
    (lambda: F.upsample(torch.ones(1, 1, 2), 4), UserWarning, "`nn.functional.upsample` is deprecated"),
    (lambda: F.upsample_nearest(torch.ones(1, 1, 2), 4), UserWarning, "`nn.functional.upsample_nearest`"),
    (lambda: F.upsample_bilinear(torch.ones(1, 1, 2, 2), 4), UserWarning, "`nn.functional.upsample_bilinear`"),
    (lambda: torch.exp(torch.ones(2), out=torch.ones(3)), UserWarning, r"resized since it had shape \[3\]"),
    (lambda: torch.arange(3, out=torch.ones(2)), UserWarning, r"shape \[2\] is 2 which .* will be resized"),
    (lambda: torch.fft.fftfreq(3, out=torch.ones(())), UserWarning, "out tensor will be resized"),
    (lambda: torch.istft(torch.ones(3, 2) * 1j, 4, window=torch.ones(4), length=9), UserWarning, "length of signal is"),
    (
        lambda: checkpoint(torch.exp, torch.ones(2, requires_grad=True)),
        UserWarning,
        "checkpoint: the use_reentrant parameter should be",
    ),
    (
        lambda: checkpoint(torch.exp, torch.ones(2), use_reentrant=True),
        UserWarning,
        "None of the inputs have requires_g",
    ),
    (
        lambda: checkpoint(dict.copy, {"x": torch.ones(2, requires_grad=True)}, use_reentrant=True),
        UserWarning,
        "None of the inputs have requires_g",
    ),
    (
        lambda: checkpoint_sequential([abs, abs], 2, torch.ones(2, requires_grad=True)),
        UserWarning,
        "sequential: the use_reentrant parameter",
    ),
    (lambda: torch.utils.data.DataLoader([1], num_workers=9999), UserWarning, "create 9999 worker processes in total"),
    (lambda: torch.ones(2)[torch.ones(2, dtype=torch.uint8)], UserWarning, "indexing with dtype torch.uint8 is now"),
    (lambda: torch.ones(2, 2)[[slice(1), 0]], UserWarning, "Using a non-tuple sequence"),
    (lambda: torch.ones(1).random_(0, 2**25), UserWarning, r"to - 1 is out of bounds \[-\(2\^24\), 2\^24\]"),
    (lambda: torch.nn.NLLLoss2d(), FutureWarning, "`NLLLoss2d` is deprecated"),
]
WARNED_ONCE = [
    (lambda: torch.meshgrid(torch.ones(2), torch.ones(3)), "required to pass the indexing argument"),
    (lambda: torch.cross(torch.ones(3), torch.ones(3)), "without specifying the dim arg"),
    (lambda: torch.chain_matmul(torch.ones(1, 1)), "torch.chain_matmul is deprecated"),
    (lambda: torch.cholesky(torch.ones(1, 1)), "torch.cholesky is deprecated"),
    (lambda: torch.qr(torch.ones(1, 1)), "torch.qr is deprecated"),
    (lambda: torch.lu(torch.ones(1, 1)), "torch.lu is deprecated"),
    (lambda: torch.set_default_tensor_type("torch.FloatTensor"), "set_default_tensor_type.. is deprecated"),
    (lambda: torch.ones(1).storage(), "TypedStorage is deprecated"),
    (lambda: torch.ones(1).index_reduce_(0, torch.tensor([0]), torch.ones(1), "prod"), "index_reduce.. is in beta"),
    (lambda: torch.frombuffer(bytes(8), dtype=torch.float32), "The given buffer is not writable"),
    (lambda: torch.tensor([1 + 1j]).to(torch.float32), "Casting complex values to real discards the imaginary part"),
    (lambda: torch.ones(1).copy_(torch.tensor([1 + 1j])), "Casting complex values to real discards the imaginary part"),
    (lambda: setitem(torch.ones(1), 0, torch.tensor(1 + 1j)), "Casting complex values to real discards"),
    (lambda: float(result().sum()), "Converting a tensor with requires_grad=True to a scalar"),
    (lambda: complex(result().sum()), "Converting a tensor with requires_grad=True to a scalar"),
    (lambda: torch.tensor([result().sum(), 1.0]), "Converting a tensor with requires_grad=True to a scalar"),
    (lambda: torch.tensor([np.ones(2), np.ones(2)]), "Creating a tensor from a list of numpy.ndarrays is extremely sl"),
    (lambda: torch.as_tensor([[np.ones(2)]]), "Creating a tensor from a list of numpy.ndarrays"),
    (lambda: torch.FloatTensor((np.ones(2), [1, 2])), "Creating a tensor from a list of numpy.ndarrays"),
    (lambda: torch.Tensor([np.ones(2)]), "Creating a tensor from a list of numpy.ndarrays"),
    (lambda: torch.ones(1).new_tensor([np.ones(2)]), "Creating a tensor from a list of numpy.ndarrays"),
    (lambda: torch.asarray([np.ones(2)]), "Creating a tensor from a list of numpy.ndarrays"),
    (lambda: torch.ones(1).T, "The use of `x.T` on tensors of dimension other than 2"),
    (lambda: torch.stft(torch.ones(8), 4, return_complex=True), "A window was not provided"),
    (lambda: torch.stft(torch.ones(8), 4, window=torch.ones(4), return_complex=False), "return_complex=False is depr"),
    (lambda: torch.triangular_solve(torch.ones(1, 1), torch.ones(1, 1)), "torch.triangular_solve is deprecated"),
    (lambda: torch.add(torch.ones(1), 2, torch.ones(1)), "This overload of add is deprecated"),
    (lambda: torch.addcmul(torch.ones(1), 2, torch.ones(1), torch.ones(1)), "This overload of"),
    (lambda: torch.ones(1).sub_(2, torch.ones(1)), "This overload of"),
]


@pytest.mark.parametrize(("call", "kind", "message"), WARNED)
def test_warnings_given_each_time(call, kind, message):
    for _ in range(2):
        with pytest.warns(kind, match=message):
            call()


@pytest.mark.parametrize(("call", "message"), WARNED_ONCE)
def test_warnings_given_once(call, message):
    notices.heard.clear()
    with pytest.warns(UserWarning, match=message):
        call()
    call()


def test_set_warn_always_repeats_warnings():
    torch.set_warn_always(True)
    try:
        assert torch.is_warn_always_enabled()
        for _ in range(2):
            with pytest.warns(UserWarning, match="This overload of sub_ is deprecated"):
                torch.ones(1).sub_(2, torch.ones(1))
    finally:
        torch.set_warn_always(False)


def test_no_grad_warns_if_it_decorates_a_class():
    with pytest.warns(FutureWarning, match="Decorating classes"):
        torch.no_grad()(type("C", (), {}))


def test_deprecated_arguments_of_autograd_work_and_warn():
    x = torch.ones(2, requires_grad=True)
    with pytest.warns(FutureWarning, match="grad_variables"):
        torch.autograd.backward(x.sum(), grad_variables=torch.tensor(2.0))
    assert x.grad.tolist() == [2, 2]
    with (
        pytest.warns(FutureWarning, match="grad_variables"),
        pytest.raises(RuntimeError, match="both grad_tensors and grad_variables"),
    ):
        torch.autograd.backward(x.sum(), torch.tensor(2.0), grad_variables=torch.tensor(2.0))
    with pytest.warns(FutureWarning, match="only_inputs"):
        torch.autograd.grad(x.sum(), x, only_inputs=False)


def test_a_warning_from_a_module_that_is_imported_for_it_is_given_at_the_program_s_line(monkeypatch):
    monkeypatch.delitem(sys.modules, "microgad.errors.gradients", raising=False)
    monkeypatch.setattr(gradients, "gradient_errors", LazyModule("microgad.errors.gradients"))
    for _ in range(2):  # the first use of a lazy module's function goes through one frame more
        with pytest.warns(FutureWarning, match="grad_variables") as warned:
            torch.autograd.backward(result(), grad_variables=torch.ones(2))
        assert [each.filename for each in warned] == [__file__]


def test_no_warning_where_pytorch_gives_none():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = result()
        y.retain_grad()
        assert y.grad is None
        y.sum().backward()
        assert y.grad.tolist() == [1, 1]
        assert torch.ones(2).grad is torch.ones(2, requires_grad=True).grad is None
        torch.tensor([torch.tensor(1.0), 2.0])
        notices.heard.clear()
        loss = result().sum()
        assert (int(loss), bool(loss), loss.item(), f"{loss:.1f}", float(loss.detach())) == (4, True, 4.0, "4.0", 4.0)
        with torch.no_grad():
            float(loss)
        torch.utils.data.DataLoader([1], num_workers=1)
        torch.as_tensor(torch.ones(2))
        torch.tensor([np.ones(0)]), torch.tensor(np.ones((1, 2))), torch.tensor([np.float32(1)])
        torch.FloatTensor(torch.ones(2))
        torch.exp(torch.ones(2), out=torch.ones(0))
        torch.meshgrid(torch.ones(2), torch.ones(3), indexing="ij")
        torch.autograd.set_detect_anomaly(True)
        torch.autograd.set_detect_anomaly(False)


@pytest.mark.host("there is a GPU or its stand-in")
def test_pin_memory_without_a_gpu_warns():
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true"):
        torch.utils.data.DataLoader([1], pin_memory=True)


def test_copying_complex_to_real_gives_a_real_gradient_and_warns():
    z = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    notices.heard.clear()
    with pytest.warns(UserWarning, match="Casting complex values"):
        x = torch.zeros(2).copy_(z)
    (x * torch.tensor([2.0, 5.0])).sum().backward()
    assert x.tolist() == [1, 3]
    assert z.grad.tolist() == [2, 5]

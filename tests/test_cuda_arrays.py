"""Arrays on a GPU: which are views and of which memory, shapes without axes or elements, the order of axes in memory.

The GPU is CuPy's stand-in in tests/strictarray, which is as peculiar in these as CuPy.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import nn

F = nn.functional
pytestmark = pytest.mark.usefixtures("cuda")


STRIDED: list[Callable[[Any], Any]] = [
    lambda x: x.as_strided((2,), (2,), 1),
    lambda x: x[1:].as_strided((1,), (3,), 0),
    lambda x: x.unfold(0, 2, 2),
    lambda x: x.as_strided_((2, 2), (1, 2)),
]


@pytest.mark.parametrize("view", STRIDED)
def test_a_strided_view_is_known_as_a_view(view: Callable[[Any], Any]) -> None:
    def facts(device: str) -> Any:
        x = torch.ones(4, device=device, requires_grad=True)
        y = x * 1
        shown = view(y)
        shown.mul_(5)
        y.sum().backward()
        return shown._is_view(), y._version, shown.storage_offset(), shown.stride(), x.grad.tolist()

    assert facts("cuda") == facts("cpu")


def test_the_memory_of_a_strided_view_is_its_base_s() -> None:
    x = torch.arange(4.0, device="cuda")
    for y in (x.expand(3, 4), x.unfold(0, 3, 1), x.resize_(2, 2), *copy.deepcopy((x, x[1:]))[1:]):
        storage, file = y.untyped_storage(), io.BytesIO()
        torch.save(y, file)
        file.seek(0)
        saved = torch.load(file)
        assert storage.nbytes() == saved.untyped_storage().nbytes() == 16
        assert (saved.stride(), saved.storage_offset()) == (y.stride(), y.storage_offset())
        assert y.data_ptr() - storage.data_ptr() == 4 * y.storage_offset()


class TwoResults(torch.autograd.Function):
    """2x, and the sum of x. `backward` gets zeros for the one that isn't used."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2, x.sum()

    @staticmethod
    def backward(ctx: Any, grad: Any, grad_sum: Any) -> Any:
        assert (grad.shape, grad_sum.shape) == ((3,), ())
        return grad


class First(nn.Module):
    """2x, for inputs x and y."""

    def forward(self, x: Any, y: Any) -> Any:
        return 2 * x


def zeros_of_a_hook(x: Any) -> Any:
    found: list[Any] = []
    module = First()
    module.register_full_backward_hook(lambda module, grad_input, grad_output: found.extend(grad_input))
    module(x.requires_grad_(), x[0].detach()).sum().backward()
    return found[1]


WITHOUT_AXES: list[Callable[[Any], Any]] = [
    lambda x: torch.linalg.cholesky_ex(torch.diag(x)).info,
    lambda x: torch.linalg.lstsq(torch.diag(x), torch.diag(x)).rank,
    lambda x: x.scatter(0, torch.zeros((), dtype=torch.int64, device=x.device), 2.0, reduce="multiply"),
    lambda x: torch.autograd.grad(TwoResults.apply(x.requires_grad_())[0].sum(), x)[0],
    zeros_of_a_hook,
    lambda x: torch.func.grad(lambda s: s[None, None].sum())(x[0]),
    lambda x: torch.func.hessian(lambda s: ((y := s * 1)[None].mul_(s), y)[1])(x[0]),
    lambda x: torch.func.grad(lambda x: torch.complex(x, x).imag.sum())(x),
    lambda x: np.full_like(x, 3, shape=()),
]
WITHOUT_ELEMENTS: list[Callable[[Any], Any]] = [
    lambda x: np.ones_like(x, shape=0),
    lambda x: F.softmax(x[:, None][:, :0], -1),
    lambda x: F.layer_norm(x[:, None][:, :0], (0,), x[:0], x[:0]),
    lambda x: F.multilabel_margin_loss(x[:0, None], x[:0, None].long(), reduction="none"),
    lambda x: torch.histogramdd(x[:0, None], [2])[0],
    lambda x: torch.unique(x[:0, None], dim=0, return_inverse=True)[1],
]


@pytest.mark.parametrize("call", [*WITHOUT_AXES, *WITHOUT_ELEMENTS])
def test_results_without_axes_or_elements_have_the_shapes_of_those_on_the_cpu(call: Callable[[Any], Any]) -> None:
    found, expected = (call(torch.ones(3, device=device)) for device in ("cuda", "cpu"))
    assert found.device.type == "cuda"
    assert (found.shape, found.dtype, found.tolist()) == (expected.shape, expected.dtype, expected.tolist())


@pytest.mark.parametrize("scan", [torch.cumsum, torch.cumprod])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int32])
def test_scans_are_contiguous_along_all_axes(scan: Callable[..., Any], dtype: Any) -> None:
    x = torch.ones(2, 3, 4, dtype=dtype, device="cuda")
    for dim in range(3):
        assert scan(x, dim).is_contiguous()


@pytest.mark.parametrize(
    "lay",
    [
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x[:, :, :1, :1].contiguous(memory_format=torch.channels_last),
        lambda x: x[:1].contiguous(memory_format=torch.channels_last),
        lambda x: x.permute(2, 0, 3, 1),
        lambda x: x[0, 0].t(),
        lambda x: x[0, :, ::2].mT,
        lambda x: x[:1, 0, 0].expand(3, 5),
    ],
)
def test_copies_between_devices_keep_the_order_of_the_axes_in_memory(lay: Callable[[Any], Any]) -> None:
    x = lay(torch.rand(2, 3, 4, 5))
    there = x.cuda()
    back = there.cpu()
    assert there.stride() == back.stride() == x.clone().stride()
    assert torch.equal(back, x)

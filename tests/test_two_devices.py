"""Tensors on two devices: what moves to the GPU, what raises, and what only a Tensor on a GPU does.

The GPU is CuPy's stand-in in tests/strictarray. Gradients on another device may also be on "meta", without values.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.function import Function
from microgad.nn import functional as F

from .leaves import closure_of
from .strictarray import ndarray

pytestmark = pytest.mark.usefixtures("cuda")
OTHERS = pytest.mark.parametrize(("own", "other"), [("cuda", "cpu"), ("cpu", "cuda"), ("cpu", "meta")])


def ones(*shape: int) -> Any:
    return torch.ones(*shape).cuda()


class Moved(torch.autograd.Function):
    """2x, with its gradient on another device."""

    @staticmethod
    def forward(ctx: Any, x: Any, to: str) -> Any:
        ctx.to = to
        return x * 2

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad.to(ctx.to), None


def hooked(x: Any, to: str) -> Any:
    y = x * 2
    y.register_hook(lambda grad: grad.to(to))
    return y


@OTHERS
@pytest.mark.parametrize(
    "differentiate",
    [
        lambda x, to: (x * 2).backward(torch.ones(3, device=to)),
        lambda x, to: x.exp().backward(torch.ones(3, device=to)),
        lambda x, to: torch.autograd.grad(x * 2, x, torch.ones(3, device=to)),
        lambda x, to: Moved.apply(x, to).sum().backward(),
        lambda x, to: torch.autograd.grad(Moved.apply(x, to).sum(), x, create_graph=True),
        lambda x, to: hooked(x, to).sum().backward(),
        lambda x, to: torch.func.jvp(torch.sin, (x.detach(),), (torch.ones(3, device=to),)),
    ],
)
def test_gradients_on_another_device_raise(differentiate: Callable[..., Any], own: str, other: str) -> None:
    x = torch.ones(3, device=own, requires_grad=True)
    match = "invalid gradient at index 0 - expected device|a hook changed the gradient|tangents must be on the devices"
    with pytest.raises(RuntimeError, match=match):
        differentiate(x, other)
    assert x.grad is None


def test_the_gradient_of_a_moved_tensor_comes_back() -> None:
    x = torch.ones(2, requires_grad=True)
    x.cuda().exp().backward(ones(2))
    assert x.grad.device.type == "cpu"


OPERANDS: dict[str, Callable[..., Any]] = {
    "add": lambda x, i, m, y: x + y,
    "batch_norm": lambda x, i, m, y: F.batch_norm(x, y[0], y[1], training=True),
    "bincount": lambda x, i, m, y: torch.bincount(x[0].long(), y[0]),
    "bucketize": lambda x, i, m, y: torch.bucketize(x, y[0]),
    "cross": lambda x, i, m, y: torch.linalg.cross(x, y),
    "cross_entropy": lambda x, i, m, y: F.cross_entropy(x, i),
    "cross_entropy, weight": lambda x, i, m, y: F.cross_entropy(x, x, y[0]),
    "embedding": lambda x, i, m, y: F.embedding(i, x),
    "gather": lambda x, i, m, y: x.gather(0, i[None]),
    "grid_sample": lambda x, i, m, y: F.grid_sample(x[None, None], y[:, :2].reshape(1, 1, 3, 2), align_corners=False),
    "histogramdd": lambda x, i, m, y: torch.histogramdd(x[:, :1], [y[0]]),
    "index_add": lambda x, i, m, y: x.index_add(0, i, x),
    "index_add, source": lambda x, i, m, y: x.index_add(0, torch.arange(3, device=x.device), y),
    "index_copy_": lambda x, i, m, y: x.index_copy_(0, i, x + 1),
    "index_fill_": lambda x, i, m, y: x.index_fill_(0, i, 5.0),
    "index_select": lambda x, i, m, y: x.index_select(0, i),
    "masked_fill": lambda x, i, m, y: x.masked_fill(m, x[0, 0]),
    "masked_fill_": lambda x, i, m, y: x.masked_fill_(m, 5.0),
    "masked_scatter": lambda x, i, m, y: x.masked_scatter(x > 0, y),
    "masked_select": lambda x, i, m, y: x.masked_select(m),
    "put_": lambda x, i, m, y: x.put_(i, x[0] + 1),
    "scatter_": lambda x, i, m, y: x.scatter_(0, i[None], x + 1),
    "scatter_add": lambda x, i, m, y: x.scatter_add(0, i[None], x),
    "scatter_reduce": lambda x, i, m, y: x.scatter_reduce(0, torch.zeros_like(x).long(), y, "amax"),
    "searchsorted": lambda x, i, m, y: torch.searchsorted(y[0], x),
    "take": lambda x, i, m, y: x.take(i),
}


@pytest.mark.parametrize(("own", "other"), [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "meta")])
@pytest.mark.parametrize("name", OPERANDS)
def test_operands_on_two_devices_raise(name: str, own: str, other: str) -> None:
    x, i, y = torch.ones(3, 3, device=own), torch.arange(3, device=other), torch.ones(3, 3, device=other)
    with pytest.raises(RuntimeError, match=rf"same device(?=.*{own})(?=.*{other})"):
        OPERANDS[name](x, i, y > 0, y)
    assert x.tolist() == [[1] * 3] * 3


def test_results_are_on_the_gpu_of_their_operands() -> None:
    x = torch.ones(2, 3, device="cuda:1")
    results = [x + 1, x.sum(), x.T.clone(), x[x > 0], torch.topk(x, 2)[1], torch.zeros_like(x), F.dropout(x), *x.max(0)]
    assert {str(y.device) for y in results} == {"cuda:1"}
    y = ones(2, 3)  # on the current device
    assert [str(z.device) for z in (y, x * 2, y * 2, x.to("cuda"), x)] == [
        "cuda:0",
        "cuda:1",
        "cuda:0",
        "cuda:0",
        "cuda:1",
    ]
    assert torch.cuda.current_device() == 0
    with pytest.raises(RuntimeError, match="cuda:1 and cuda:0"):
        x + y


@pytest.mark.parametrize(
    "view", [lambda x: x[:, ::2], lambda x: x[:, :1].expand(2, 6), lambda x: x.mT[1:], lambda x: x.sum() * x[0]]
)
def test_tensors_move_between_gpus(view: Callable[[Any], Any]) -> None:
    x = torch.arange(12.0, device="cuda:1").reshape(2, 6).requires_grad_()
    y = view(x)
    z = y.to("cuda:0")
    assert (str(z.device), z.tolist(), z.stride()) == ("cuda:0", y.tolist(), y.detach().clone().stride())
    (z * torch.ones((), device="cuda:0")).sum().backward()  # the gradient is an expanded number
    assert str(x.grad.device) == "cuda:1"
    assert y.to("cuda:1") is y


def test_copies_into_a_tensor_may_come_from_another_gpu() -> None:
    x, y = torch.zeros(3, device="cuda:1"), torch.arange(3.0, device="cuda:0")
    x.copy_(y)
    x[1:] = y[:2]
    x[x == 1] = y[2]
    assert (str(x.device), x.tolist()) == ("cuda:1", [0, 0, 2])
    with pytest.raises(RuntimeError, match="cuda:1 and cuda:0"):
        x[x == 0] = y[:2]


class Elsewhere(Function):
    """2x, on a GPU of which the current one can't read the memory."""

    def forward(self, x: Any) -> Any:
        if x.device.id != sys.modules["cupy"].cuda.runtime.getDevice():
            raise ValueError(f"({x.device.id}) is different from the current device.")
        return 2 * x


def test_failures_are_tried_once_more_only_where_the_device_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = torch.ones(2, device="cuda:1"), ones(2)
    assert [str(Elsewhere.apply(z).device) for z in (x, y, x)] == ["cuda:1", "cuda:0", "cuda:1"]
    copy = Mock(side_effect=MemoryError)
    monkeypatch.setattr(sys.modules["cupy"], "asarray", copy)
    with pytest.raises(torch.OutOfMemoryError):
        x.to("cuda:0")
    copy.assert_called_once()


def test_layers_may_be_on_several_gpus() -> None:
    a, b, c = (nn.Linear(3, 3).to(f"cuda:{i}") for i in (0, 1, 0))
    for _ in range(2):
        x, y = torch.ones(2, 3, device="cuda:0"), torch.ones(2, 3, device="cuda:1")
        c(a(x).relu() + b(y).relu().to("cuda:0")).sum().backward()
    optimizer = torch.optim.Adam([p for layer in (a, b, c) for p in layer.parameters()])
    optimizer.step()
    for i, layer in enumerate((a, b, c)):
        for p in layer.parameters():
            moments = optimizer.state[p]["exp_avg"], optimizer.state[p]["exp_avg_sq"]
            assert {str(x.device) for x in (p, p.grad, *moments)} == {f"cuda:{i % 2}"}


def test_the_current_gpu_is_that_of_the_program() -> None:
    x = torch.ones(2, device="cuda:1")
    with torch.cuda.device_of(x), torch.device("cuda"):
        assert torch.cuda.current_device() == torch.ones(1).get_device() == torch.get_default_device().index == 1
    assert torch.cuda.current_device() == ones(1).get_device() == 0
    torch.cuda.set_device(1)
    assert ones(1).get_device() == 1
    torch.cuda.set_device(0)


def test_indices_in_brackets_may_be_on_the_cpu() -> None:
    x, i = ones(3), torch.tensor([2, 0])
    x[i] = 5.0
    assert x.index_put((i,), ones(2))[torch.tensor([True, True, False])].tolist() == [1, 1]
    assert x[i].tolist() == [5, 5]


def test_tensor_split_takes_indices_on_the_cpu() -> None:
    with pytest.raises(RuntimeError, match="to be on cpu, but it's on cuda:0"):
        torch.tensor_split(ones(4), torch.tensor([1, 2]).cuda())


@pytest.mark.parametrize(
    "fill",
    [
        lambda x, value: x.masked_fill(x > 0, value),
        lambda x, value: x.masked_fill_(x > 0, value),
        lambda x, value: x.index_fill(0, torch.tensor([0, 1]).cuda(), value),
        lambda x, value: x.index_put((torch.tensor([0, 1]).cuda(),), value),
        lambda x, value: x.index_put_((torch.tensor([0, 1]).cuda(),), value),
    ],
)
def test_a_value_without_dimensions_may_be_on_the_cpu(fill: Callable[..., Any]) -> None:
    value = torch.tensor(5.0, requires_grad=True)
    y = fill(ones(2).clone(), value)
    assert (y.is_cuda, y.tolist()) == (True, [5, 5])
    y.sum().backward()
    assert value.grad == torch.tensor(2.0)


def test_generators_of_a_gpu_make_the_cpu_s_draws() -> None:
    generator = torch.Generator(device="cuda").manual_seed(3)
    assert generator.device == torch.device("cuda", 0)
    draws = torch.rand(2, generator=generator, device="cuda")
    assert draws.tolist() == torch.rand(2, generator=torch.Generator().manual_seed(3)).tolist()
    assert [g.initial_seed() for g in torch.cuda.default_generators] == [torch.initial_seed()]


def test_clipping_moves_its_factor_to_each_gradient() -> None:
    parameters = [torch.zeros(2, requires_grad=True), ones(2).requires_grad_()]
    for p in parameters:
        p.grad = torch.full_like(p, 3)
    nn.utils.clip_grads_with_norm_(parameters, 1, torch.tensor(6.0).cuda())
    assert [p.grad.device.type for p in parameters] == ["cpu", "cuda"]
    assert parameters[1].grad.tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_lbfgs_takes_its_learning_rate_from_any_device(device: str) -> None:
    p = ones(2).requires_grad_()
    optimizer = torch.optim.LBFGS([p], lr=torch.tensor(0.1, device=device), max_iter=1)
    optimizer.step(closure_of(optimizer))
    assert p.tolist() == pytest.approx([0.95, 0.95])


def test_asarray_copies_numpy_s_arrays_to_the_gpu() -> None:
    assert type(torch.asarray(np.ones(2), device="cuda").array) is ndarray
    with torch.device("cuda"):
        assert torch.asarray(np.ones(2)).is_cuda
    with pytest.raises(ValueError, match="needs a copy"):
        torch.asarray(np.ones(2), device="cuda", copy=False)


@pytest.mark.parametrize(
    "make", [torch.empty, torch.zeros, torch.ones, lambda size, device: torch.full(size, 2, device=device)]
)
def test_new_tensors_take_no_memory_of_the_cpu(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys.modules["cupy"], "asarray", lambda x: x if isinstance(x, ndarray) else pytest.fail("copied")
    )
    for shape in ((2, 3), (), (0,)):
        x = make(shape, device="cuda:1")
        assert (tuple(x.shape), str(x.device)) == (shape, "cuda:1")
    with torch.device("cuda"):
        assert torch.zeros(2, dtype=torch.bool).tolist() == [False, False]
        assert torch.empty_strided((2, 3), (1, 2)).stride() == (1, 2)


def test_a_gpu_s_memory_is_shared_and_can_t_be_pinned() -> None:
    x = ones(2)
    assert x.share_memory_() is x
    assert x.is_shared()
    nn.Linear(3, 2).cuda().share_memory()
    with pytest.raises(RuntimeError, match=r"cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors"):
        x.pin_memory()


def test_memory_that_a_stream_uses_is_freed_after_its_work(no_garbage_collection: None) -> None:
    x, stream = ones(4), Mock()
    x[1:].record_stream(stream)
    stream.synchronize.assert_not_called()
    del x
    stream.synchronize.assert_called_once_with()
    with pytest.raises(RuntimeError, match="on a GPU, got one on cpu"):
        torch.ones(2).record_stream(stream)


def test_a_summary_runs_on_the_model_s_device() -> None:
    assert torch.summary(nn.Linear(3, 2).cuda(), (4, 3), verbose=0).total_params == 8


def test_facts_about_a_gpu() -> None:
    x = ones(2)
    torch.cuda.synchronize()
    assert torch.cuda.current_device() == 0
    assert torch.cuda.memory_allocated() == torch.cuda.memory_stats()["allocated_bytes.all.peak"] >= 8
    assert "reserved_bytes.all.peak" in torch.cuda.memory_summary()
    assert torch.cuda.get_device_name() == "stand-in"
    assert x.storage().tolist() == [1, 1]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    "draw",
    [
        lambda x: (x.requires_grad_() * 1)[:, :8].normal_(),
        lambda x: nn.init.normal_(x[:, :8]),
        lambda x: torch.randn(4, 8, out=x[:, :8]),
        lambda x: torch.normal(torch.zeros(4, 8, device=x.device), 1.0, out=x[:, :8]),
    ],
)
def test_normal_numbers_for_a_part_with_gaps_are_drawn_in_pairs(draw: Callable[[Any], Any], device: str) -> None:
    torch.manual_seed(0)
    drawn = draw(torch.zeros(4, 12, device=device))[0, :3].tolist()
    assert drawn == pytest.approx([1.5410, -0.2934, -2.1788], abs=1e-4)

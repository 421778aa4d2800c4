"""The device "meta": Tensors without values, on which libraries create models whose parameters come from a file."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.backend import meta_rules

F = nn.functional


def on_meta(*shape: int, **options: Any) -> torch.Tensor:
    return torch.empty(*shape, device="meta", **options)


def test_meta_tensors_have_shape_strides_and_a_repr() -> None:
    x = on_meta(2, 3)
    assert (x.device, x.is_meta, x.is_cpu, x.is_cuda) == (torch.device("meta"), True, False, False)
    assert (x.shape, x.stride(), x.t().is_contiguous(), x.data_ptr(), x.nbytes) == ((2, 3), (3, 1), False, 0, 24)
    assert repr(x) == "tensor(..., device='meta', size=(2, 3))"
    assert repr(on_meta(2, dtype=torch.int64)) == "tensor(..., device='meta', size=(2,), dtype=torch.int64)"
    assert repr(nn.Linear(2, 3, device="meta").weight).endswith("device='meta', size=(3, 2), requires_grad=True)")


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.item(), lambda x: bool(x), lambda x: float(x), lambda x: x.tolist(), lambda x: x.cpu(),
        lambda x: torch.ones(1).copy_(x), lambda x: x.nonzero(), lambda x: x[x > 0], lambda x: torch.equal(x, x),
        lambda x: np.asarray(x.array), lambda x: torch.unique(x),
    ],
)  # fmt: skip
def test_reading_a_value_raises(read: Any) -> None:
    with pytest.raises(NotImplementedError):
        read(on_meta(1))
    with pytest.raises(TypeError, match="meta"):
        on_meta(1).numpy()


def test_meta_tensors_take_no_memory() -> None:
    resource = pytest.importorskip("resource")
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layer = nn.Linear(20_000, 20_000, device="meta")
    nn.init.zeros_(layer.weight)
    layer.weight.data.mul_(2)[0].fill_(1)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 200e6 < layer.weight.nbytes


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: torch.nonzero_static(x, size=6), (6, 2)),
        (lambda x: x.repeat_interleave(on_meta(2, dtype=torch.int64), 0, output_size=5), (5, 3)),
        (lambda x: x.masked_scatter(on_meta(3, dtype=torch.bool), on_meta(6)), (2, 3)),
        (lambda x: torch.segment_reduce(x, "max", lengths=on_meta(4, dtype=torch.int64)), (4, 3)),
        (lambda x: torch.segment_reduce(x, "mean", offsets=on_meta(2, 5, dtype=torch.int64), axis=1), (2, 4)),
    ],
)
def test_sizes_that_depend_on_values_may_be_given(call: Any, shape: tuple[int, ...]) -> None:
    x = on_meta(2, 3, requires_grad=True)
    made = call(x)
    assert (made.shape, made.is_meta) == (shape, True)
    if made.requires_grad:
        assert torch.autograd.grad(made.sum(), x)[0].shape == (2, 3)


def test_operations_and_derivatives_give_meta_tensors_of_the_right_shape() -> None:
    x, w = on_meta(7, 4), on_meta(4, 5, requires_grad=True)
    y = F.layer_norm(torch.softmax(x @ w + torch.tensor(1.0, device="cpu"), 1).exp(), (5,)).cumsum(0)
    assert (y.shape, y.device.type, y.grad_fn is not None) == ((7, 5), "meta", True)
    y[:, ::2].sum().backward()
    assert w.grad is not None
    assert (w.grad.shape, w.grad.device.type) == ((4, 5), "meta")
    (second,) = torch.autograd.grad((w**3).sum(), w, create_graph=True)
    assert (second.is_meta, second.requires_grad) == (True, True)
    q, mask = on_meta(2, 1, 4, 4, requires_grad=True), on_meta(4, 4)
    attended = F.scaled_dot_product_attention(q, q, q, attn_mask=mask)
    (second,) = torch.autograd.grad(attended.sum(), q, create_graph=True)
    assert (second.is_meta, second.requires_grad, second.shape) == (True, True, q.shape)
    padded = F.conv_transpose1d(
        on_meta(2, 1, 3), on_meta(1, 1, 2), output_padding=1
    )  # elsewhere the stride is too small
    assert padded.shape == (2, 1, 5)
    loss = F.cross_entropy(F.embedding(on_meta(6, dtype=torch.int64), on_meta(9, 3)), on_meta(6, dtype=torch.int64))
    assert (loss.shape, loss.is_meta) == ((), True)
    values, indices = on_meta(3, 4).max(1)
    assert (values.shape, indices.shape, indices.dtype, indices.is_meta) == ((3,), (3,), torch.int64, True)
    for order in (torch.sort, torch.median, torch.mode, lambda x, dim: x.topk(2, dim), lambda x, dim: x.kthvalue(2)):
        real, found = order(torch.ones(3, 4), dim=1), order(on_meta(3, 4), dim=1)
        assert [(x.shape, x.dtype, x.device.type) for x in found] == [(x.shape, x.dtype, "meta") for x in real]
    for layer, shape in [
        (nn.LSTM(4, 3, batch_first=True), (2, 5, 4)), (nn.TransformerEncoderLayer(4, 2, 8), (5, 2, 4)),
        (nn.BatchNorm2d(3), (2, 3, 4, 4)),
        (nn.Sequential(nn.Conv2d(3, 2, 3), nn.MaxPool2d(2), nn.GELU()), (2, 3, 8, 8)),
    ]:  # fmt: skip
        real, found = layer(torch.ones(shape)), layer.to("meta")(on_meta(*shape))
        real, found = (x[0] if isinstance(x, tuple) else x for x in (real, found))
        assert (found.shape, found.stride(), found.is_meta) == (real.shape, real.stride(), True)
        found.sum().backward()
        assert all(p.grad.is_meta and p.grad.shape == p.shape for p in layer.parameters())


@pytest.mark.parametrize(
    "compute",
    [
        torch.linalg.cholesky, torch.linalg.inv, torch.linalg.inv_ex, lambda x: torch.linalg.solve(x, x[0]),
        torch.linalg.lu_factor, torch.linalg.ldl_factor, lambda x: torch.lu_unpack(*torch.linalg.lu_factor(x)),
        lambda x: torch.linalg.lu_solve(*torch.linalg.lu_factor(x), x), lambda x: torch.linalg.matrix_power(x, -2),
        torch.matrix_exp, torch.cholesky_inverse, torch.linalg.det, lambda x: torch.linalg.lstsq(x, x).solution,
        lambda x: F.embedding(x.argmax(1), x, max_norm=1.0), lambda x: F.embedding_bag(x.int() % 4, x, max_norm=1.0),
        torch.nansum, torch.nanmean, lambda x: x.quantile(0.5, 1), lambda x: x.histc(7), lambda x: F.pdist(x),
        lambda x: torch.bucketize(x, x[0]), lambda x: torch.searchsorted(x, x), lambda x: torch.normal(x, x),
        lambda x: torch.searchsorted(x[0], x, sorter=x[0].argsort()),
        lambda x: F.embedding_bag(x.argmax(1), x, x.argmin(1)[:1] * 0), lambda x: F.embedding_bag(x.int() % 4, x),
        lambda x: F.embedding_bag(x.argmax(1), x, x.argmin(1)[:1] * 0, mode="max", padding_idx=2),
        torch.digamma, torch.lgamma, torch.special.spherical_bessel_j0, lambda x: x.multinomial(2),
        lambda x: F.max_unpool1d(*F.max_pool1d(x[None], 2, return_indices=True), 2),
    ],
)  # fmt: skip
def test_what_checks_values_does_not_on_meta(compute: Any) -> None:
    x = torch.tensor([[3.0, 1.0, 1.0, 1.0], [1.0, 4.0, 1.0, 1.0], [1.0, 1.0, 5.0, 1.0], [1.0, 1.0, 1.0, 6.0]])
    facts = []
    for results in (compute(x), compute(x.to("meta"))):
        tensors = results if isinstance(results, tuple) else (results,)
        facts.append([(r.shape, r.dtype, r.stride()) for r in tensors])
    assert facts[0] == facts[1]
    assert all(r.is_meta for r in tensors)


def test_incompatible_shapes_raise() -> None:
    for wrong in (lambda x: x @ x, lambda x: x + on_meta(2), lambda x: x.copy_(torch.ones(4)), lambda x: x.view(5)):
        with pytest.raises(RuntimeError):
            wrong(on_meta(2, 3))


def test_views_share_memory_and_writes_have_no_effect() -> None:
    x = on_meta(2, 3)
    y = x.t()[1:]
    assert y._base is x
    y.add_(1)
    assert x._version == 1
    x[0] = torch.ones(3)
    assert x.copy_(torch.ones(3)).is_meta


def test_assert_close_compares_all_but_the_values() -> None:
    torch.testing.assert_close(on_meta(2), on_meta(2))
    torch.testing.assert_close(on_meta(2), torch.ones(2, device="cpu"), check_device=False)
    for other in (on_meta(3), torch.ones(2, device="cpu"), on_meta(2).double()):
        with pytest.raises(AssertionError, match="do not match"):
            torch.testing.assert_close(on_meta(2), other)


def test_a_device_decorates_functions() -> None:
    """Tensors that they make are there, also those of the steps of a generator."""

    @torch.device("meta")
    def one() -> Any:
        return torch.ones(2)

    @torch.device("meta")
    def many() -> Any:
        yield torch.ones(2)
        yield torch.ones(2)

    found = [one(), torch.ones(2)]
    for x in many():
        found += [x, torch.ones(2)]
    assert [x.device for x in found] == [torch.device("meta"), torch.ones(2).device] * 3


def test_random_functions_draw_nothing() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with torch.device("meta"):
        created = [
            nn.Sequential(nn.Linear(3, 3), nn.Conv1d(2, 2, 2), nn.Embedding(3, 2), nn.LSTM(2, 2)), torch.randn(3),
            torch.randint(0, 3, (2,)), F.gumbel_softmax(torch.ones(3)),
            torch.rand_like(torch.ones(2)), torch.bernoulli(torch.ones(2)),
            nn.init.orthogonal_(torch.empty(3, 3)), nn.init.trunc_normal_(torch.empty(3)), torch.arange(3),
            torch.tensor([1.0]), torch.poisson(torch.ones(2)), torch.complex(torch.ones(2), torch.ones(2)),
        ]  # fmt: skip
    assert all(x.is_meta for part in created for x in (part.parameters() if isinstance(part, nn.Module) else [part]))
    assert torch.equal(torch.rand(3), expected)


def test_a_model_on_meta_gets_its_values_from_a_state_dict() -> None:
    source = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)).eval()
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)).eval()
    with pytest.warns(UserWarning, match="no-op"):
        net.load_state_dict(source.state_dict())
    assert all(p.is_meta for p in net.parameters())
    net.load_state_dict(source.state_dict(), assign=True)
    assert torch.equal(net(torch.ones(2, 4)), source(torch.ones(2, 4)))
    assert all(p.requires_grad for p in net.parameters())
    empty = source.to("meta").to_empty(device="cpu")
    assert {x.device.type for x in empty.state_dict().values()} == {"cpu"}
    assert [torch.zeros_like(on_meta(2), device="cpu").tolist(), torch.empty_like(on_meta(2)).is_meta] == [[0, 0], True]


def test_one_hot_needs_values_only_for_the_number_of_classes() -> None:
    classes = on_meta(2, 3, dtype=torch.int64)
    rows = F.one_hot(classes, 5)
    assert (rows.shape, rows.is_meta, rows.dtype) == ((2, 3, 5), True, torch.int64)
    with pytest.raises(RuntimeError, match=r"^Tensor.item\(\) cannot be called on meta tensors"):
        F.one_hot(classes)


def test_a_number_without_a_value_is_formatted_as_it_is_printed() -> None:
    x = torch.empty((), device="meta")
    assert f"{x}" == repr(x) == "tensor(..., device='meta', size=())"
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{x:.2f}"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allocate what is reserved")
def test_elementwise_operations_on_tensors_larger_than_the_memory() -> None:
    x, row = torch.empty(2**20, 2**20, device="meta"), torch.empty(2**20, device="meta")
    for result in (x.exp(), x + row, row.int() * x, x.mul(2).add_(1), row[:, None] * row, x.half().float()):
        assert (result.shape, result.dtype, result.stride()) == (x.shape, torch.float32, (2**20, 1))
    assert (x > row).dtype == torch.bool
    assert (x.T + 1).stride() == (1, 2**20)
    assert [part.shape for part in torch.frexp(x)] == [x.shape, x.shape]
    images = torch.rand(2**10, 3, 2**16, 2**16, device="meta")  # three of these are more than can be addressed
    assert nn.Conv2d(3, 5, 2, device="meta")((images + 1).relu() * images).shape == (2**10, 5, 2**16 - 1, 2**16 - 1)
    assert torch.cat([x, x], out=x.new_empty(2**21, 2**20)).shape == (2**21, 2**20)
    parameter = torch.nn.Parameter(x)
    (parameter * 0.5).exp().backward(x)
    assert parameter.grad.shape == x.shape


def of_numpy(function: Any, subscripts: str, *operands: torch.Tensor) -> Any:
    """A function of NumPy, applied to the arrays themselves."""
    return torch.Tensor._wrap(function(subscripts, *[x.array for x in operands]))


@pytest.mark.parametrize(
    "compute",
    [
        lambda x, y: x.sum(), lambda x, y: x.sum(1), lambda x, y: x.sum((0, -1), keepdim=True), lambda x, y: x.mean(0),
        lambda x, y: x.max(1), lambda x, y: x.amax((1, 2)), lambda x, y: x.argmin(2), lambda x, y: x.any(0),
        lambda x, y: x.double(), lambda x, y: x.mT.clone(), lambda x, y: x.transpose(0, 2).contiguous(),
        lambda x, y: x @ y, lambda x, y: x @ y[:, 0], lambda x, y: y.new_ones(5) @ y,
        lambda x, y: y.T @ x.transpose(1, 2),
        lambda x, y: of_numpy(np.einsum, "...jk,kl->...jl", x, y), lambda x, y: of_numpy(np.einsum, "ijk,ijk->j", x, x),
        lambda x, y: torch.where(x > 0, x, 0.0), lambda x, y: x.clamp(0, 1), lambda x, y: x.relu(),
        lambda x, y: torch.cat([x, x.double()], 1), lambda x, y: torch.stack([x, x], -1), lambda x, y: x.tril(),
        lambda x, y: x.masked_fill(x > 0, 1), lambda x, y: x.transpose(0, 1).reshape(-1, 5),
        lambda x, y: x.transpose(1, 2).reshape(2, 15), lambda x, y: torch.full_like(x, 3, dtype=torch.int64),
        lambda x, y: torch.zeros_like(x.transpose(0, 2)), lambda x, y: torch.randn_like(x), lambda x, y: x.softmax(1),
        lambda x, y: nn.functional.gelu(x), lambda x, y: nn.functional.layer_norm(x, (5,), y[:, 0], y[:, 1]),
        lambda x, y: nn.functional.linear(x, y.T, y[0]), lambda x, y: nn.functional.dropout(x),
        lambda x, y: nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True),
        lambda x, y: nn.functional.cross_entropy(x[0], torch.zeros(3, dtype=torch.int64, device=x.device)),
        lambda x, y: x.mT.cumsum(1), lambda x, y: x.logcumsumexp(0), lambda x, y: x.cumprod(2), lambda x, y: x.prod(1),
        lambda x, y: x.sort(1), lambda x, y: x.mT.topk(2, dim=0), lambda x, y: x.median(2), lambda x, y: x.roll(1, 2),
        lambda x, y: torch.fft.fft2(x.detach(), dim=(0, 1)), lambda x, y: torch.fft.irfft(x, dim=1),
        lambda x, y: x[:, [0, 2]], lambda x, y: y[x.argmax(0)], lambda x, y: y[[0, 3], [1, 1]],
        lambda x, y: F.embedding(x.argmax(1), y), lambda x, y: torch.linalg.lu(y), lambda x, y: F.avg_pool1d(x, 2),
        lambda x, y: torch.take_along_dim(x.mT, x.argmax(1, keepdim=True).mT, 1), lambda x, y: F.max_pool1d(x, 3, 2, 1),
        lambda x, y: F.interpolate(x, scale_factor=2),
        lambda x, y: torch.empty(2, 3, 1, device="meta").expand(2, 3, 4) * y[:4, 0],
    ],
)  # fmt: skip
def test_rules_for_large_tensors_give_the_layouts_of_what_is_computed(monkeypatch: Any, compute: Any) -> None:
    found = []
    for large in (meta_rules.LARGE, 1):
        monkeypatch.setattr(meta_rules, "LARGE", large)
        x, y = (on_meta(*shape, requires_grad=True) for shape in ((2, 3, 5), (5, 4)))
        results = compute(x, y)
        results = list(results) if isinstance(results, tuple) else [results]
        gradients = torch.autograd.grad(results[0].sum(), (x, y), allow_unused=True) if results[0].grad_fn else ()
        results += [g for g in gradients if g is not None]
        found.append([(r.shape, r.dtype, r.stride()) for r in results])
    assert found[0] == found[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allocate what is reserved")
def test_a_layer_computes_with_tensors_larger_than_the_memory() -> None:
    layer = nn.TransformerEncoderLayer(4096, 32, 16384, batch_first=True, device="meta")
    layer(torch.empty(8, 8192, 4096, device="meta")).sum().backward()
    torch.optim.Adam(layer.parameters()).step()
    assert layer.linear1.weight.grad.shape == (16384, 4096)
    net = nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64), nn.ReLU()).to("meta")
    net(torch.empty(1024, 64, 512, 512, device="meta")).sum().backward()
    assert net[0].weight.grad.shape == (64, 64, 3, 3)
    table = torch.empty(2**20, 2**14, device="meta", requires_grad=True)
    F.embedding(torch.zeros(2**10, 2**14, dtype=torch.int64, device="meta"), table).sort(2)[0].sum().backward()
    images = torch.empty(64, 64, 512, 512, device="meta", requires_grad=True)
    F.avg_pool2d(F.interpolate(F.max_pool2d(images, 3, 2, 1), scale_factor=4.0), 2).cumsum(1).sum().backward()
    assert (table.grad.shape, images.grad.shape) == (table.shape, images.shape)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allocate what is reserved")
def test_a_tensor_larger_than_the_memory() -> None:
    layer = nn.Conv2d(20000, 320000, kernel_size=3, device="meta")
    assert layer.weight.stride() == (180000, 9, 3, 1)
    assert layer.weight.untyped_storage().nbytes() == 230_400_000_000
    with torch.device("meta"):
        assert torch.zeros(2_000_000, 300_000)[1:].T.shape == (300_000, 1_999_999)
    assert torch.empty(2, 3, 4, 5, device="meta", memory_format=torch.channels_last).stride() == (60, 1, 15, 3)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    assert file.tell() < 2000
    file.seek(0)
    found = torch.load(file)["weight"]
    assert (found.is_meta, found.shape, found.stride()) == (True, layer.weight.shape, layer.weight.stride())


def test_a_graph_on_the_meta_device_is_read_and_recorded_without_its_values() -> None:
    layer, x = nn.Linear(2, 3, device="meta"), on_meta(4, 2)
    with torch.record(values=True) as tape:
        loss = layer(x).sum() * torch.tensor(2.0, device="meta")
    assert [op.name for op in tape] == ["Linear", "Sum", "Mul"]
    assert {op.name for op in tape} <= set(re.findall(r"\w+", loss.graph().source))


@pytest.mark.parametrize("option", ["replay", "stats"])
def test_what_needs_values_is_not_recorded_on_the_meta_device(option: str) -> None:
    layer, x = nn.Linear(2, 3, device="meta"), on_meta(4, 2)
    with pytest.raises(NotImplementedError, match=f"record: {option}=True needs"), torch.record(**{option: True}):
        layer(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda here, there: here * there,
        lambda here, there: torch.dot(here[0], there[0]),
        lambda here, there: torch.cat([here, there]),
        lambda here, there: torch.where(here > 0, here, there),
        torch.nn.functional.mse_loss,
        lambda here, there: torch.nn.Linear(3, 2)(there),
        lambda here, there: torch.nn.Linear(3, 2, device="meta")(here),
    ],
)
def test_tensors_on_meta_and_elsewhere_raise(call: Any) -> None:
    """The result would be on meta, and hide that a layer has no values yet."""
    with pytest.raises(RuntimeError, match=r"on the same device.* (and meta|meta and )"):
        call(torch.ones(3, 3), torch.ones(3, 3, device="meta"))


def test_a_number_on_the_cpu_may_stand_beside_meta() -> None:
    assert (torch.ones(3, device="meta") * torch.tensor(2.0, device="cpu")).is_meta

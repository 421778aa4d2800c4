"""FlopCounterMode and ModuleTracker: PyTorch's FLOP counts by module and operation, and its module names."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")


def utils_module(lib: Any, name: str) -> Any:
    return importlib.import_module(f"{lib.__name__}.utils.{name}")


def flop_counts(lib: Any, program: Any) -> dict[str, dict[str, int]]:
    lib.manual_seed(0)
    with utils_module(lib, "flop_counter").FlopCounterMode(display=False) as counter:
        program(lib)
    assert counter.get_total_flops() == sum(counter.flop_counts["Global"].values())
    return {module: {str(op): n for op, n in counts.items()} for module, counts in counter.get_flop_counts().items()}


def check_both(program: Any) -> Any:
    found, expected = flop_counts(microgad, program), flop_counts(torch, program)
    assert found == expected
    return expected


def leaf(t: Any, *sizes: int, double: bool = False) -> Any:
    return t.ones(*sizes, dtype=t.float64 if double else t.float32).requires_grad_()


def net(t: Any) -> Any:
    class Net(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = t.nn.Sequential(
                t.nn.Conv2d(1, 4, 3, padding=1), t.nn.ReLU(), t.nn.Conv2d(4, 8, 3, groups=2, stride=2)
            )
            self.head = t.nn.Linear(72, 5)

        def forward(self, x: Any) -> Any:
            return self.head(self.features(x).flatten(1))

    return Net()


@pytest.mark.parametrize(
    "program",
    [
        lambda t: net(t)(t.ones(2, 1, 8, 8)).sum().backward(),
        lambda t: net(t)(leaf(t, 2, 1, 8, 8)).sum().backward(),
        lambda t: t.no_grad()(net(t))(t.ones(2, 1, 8, 8)),
        lambda t: [net(t)(t.ones(2, 1, 8, 8)).sum().backward() for _ in range(2)],
        lambda t: [net(t)(t.ones(2, 1, 8, 8)).sum().backward(), t.ones(2, 3) @ t.ones(3, 4)],
        lambda t: (lambda m: [m.head(t.ones(2, 72)), m(t.ones(2, 1, 8, 8)).sum().backward()])(net(t)),
        lambda t: t.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)(t.ones(2, 3, 8)).sum().backward(),
        lambda t: t.nn.MultiheadAttention(8, 2, batch_first=True)(*[leaf(t, 2, 3, 8)] * 3)[0].sum().backward(),
    ],
)
def test_flops_by_module(program):
    assert len(check_both(program)) > 1


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(3,), (2, 3), (2, 4, 3), (2, 2, 4, 3)])
def test_flops_of_linear_layers(sizes, bias):
    check_both(lambda t: t.nn.Linear(3, 5, bias)(t.ones(*sizes)).sum().backward())
    check_both(lambda t: t.nn.Linear(3, 5, bias)(leaf(t, *sizes)).sum().backward())
    if len(sizes) == 3:
        check_both(lambda t: t.nn.Linear(3, 5, bias)(t.ones(3, 4, 2).permute(2, 1, 0)))


@pytest.mark.parametrize("requires_grad", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((6, 5, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)),
    ],
)  # fmt: skip
def test_flops_of_matmul(first, second, requires_grad):
    def program(t: Any) -> None:
        a, b = (t.ones(*n).requires_grad_(flag) for n, flag in zip((first, second), requires_grad, strict=True))
        out = (a @ b).sum()
        if any(requires_grad):
            out.backward()

    check_both(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda t: t.addmm(leaf(t, 2, 4), leaf(t, 2, 3), leaf(t, 3, 4)),
        lambda t: t.baddbmm(leaf(t, 5, 2, 4), leaf(t, 5, 2, 3), leaf(t, 5, 3, 4)),
        lambda t: t.addmv(leaf(t, 2), leaf(t, 2, 3), leaf(t, 3)),
        lambda t: t.einsum("ij,jk->ik", leaf(t, 2, 3), leaf(t, 3, 4)),
        lambda t: t.einsum("bij,bkj->bik", leaf(t, 5, 2, 3), leaf(t, 5, 4, 3)),
        lambda t: t.einsum("ij,ij->ij", leaf(t, 2, 3), leaf(t, 2, 3)),
        lambda t: t.einsum("ij,jk,kl->il", leaf(t, 2, 3), leaf(t, 3, 4), leaf(t, 4, 5)),
        lambda t: t.inner(leaf(t, 2, 3), leaf(t, 4, 3)),
        lambda t: t.outer(leaf(t, 2), leaf(t, 4)),
        lambda t: t.linalg.multi_dot([leaf(t, 2, 3), leaf(t, 3, 4), leaf(t, 4, 5)]),
        # 3-D: no fused kernel in PyTorch
        lambda t: t.nn.functional.scaled_dot_product_attention(*[leaf(t, 2, 3, 4)] * 3),
        lambda t: t.nn.functional.scaled_dot_product_attention(
            leaf(t, 2, 4, 3, 4), leaf(t, 2, 4, 5, 4), leaf(t, 2, 4, 5, 6)
        ),
        lambda t: t.nn.functional.scaled_dot_product_attention(t.ones(2, 3, 4), t.ones(2, 5, 4), leaf(t, 2, 5, 4)),
        lambda t: t.nn.RNNCell(3, 4)(t.ones(5, 3)),
        lambda t: t.nn.RNN(3, 4, 2)(t.ones(5, 2, 3))[0],
        lambda t: t.nn.GRU(3, 4, bidirectional=True)(leaf(t, 5, 2, 3))[0],
        lambda t: t.nn.LSTM(3, 4, 2, bias=False).double()(leaf(t, 5, 2, 3, double=True))[0],
        lambda t: t.nn.LSTM(3, 4, bias=False, proj_size=2).double()(
            t.ones(5, 2, 3).double(), (leaf(t, 1, 2, 2, double=True), leaf(t, 1, 2, 4, double=True))
        )[0],
    ],
)
def test_flops_of_products_and_their_derivatives(program):
    check_both(lambda t: program(t).sum().backward())


@pytest.mark.parametrize("settings", [{}, {"groups": 2}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"bias": False}])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_flops_of_convolutions(dims, settings):
    for kind in (f"Conv{dims}d", f"ConvTranspose{dims}d"):
        for x in ((2, 4, 7, 6, 5)[: dims + 2], (4, 7, 6, 5)[: dims + 1]):
            check_both(lambda t, x=x, kind=kind: getattr(t.nn, kind)(4, 6, 3, **settings)(t.ones(*x)).sum().backward())
            check_both(lambda t, x=x, kind=kind: getattr(t.nn, kind)(4, 6, 3, **settings)(leaf(t, *x)).sum().backward())


def test_flops_of_a_backward_pass_alone():
    losses = {t: net(t)(t.ones(2, 1, 8, 8)).sum() for t in (microgad, torch)}
    check_both(lambda t: losses[t].backward())


def test_operations_have_pytorchs_names_in_the_counts():
    for lib in (microgad, torch):
        with utils_module(lib, "flop_counter").FlopCounterMode(display=False) as counter:
            _ = lib.ones(2, 3) @ lib.ones(3, 4)
        assert repr(counter.get_flop_counts()) == "{'Global': {<OpOverloadPacket(op='aten.mm')>: 48}}"


def test_module_tracker_knows_the_active_modules():
    def names(t: Any) -> list[Any]:
        seen = []
        model = t.nn.Sequential(t.nn.Linear(2, 2), t.nn.Sequential(t.nn.Tanh()), t.nn.Linear(2, 1))

        def record(*_: Any) -> None:
            seen.append((sorted(tracker.parents), tracker.is_bw))

        with utils_module(t, "module_tracker").ModuleTracker() as tracker:
            model[1][0].register_forward_hook(record)
            x = leaf(t, 3, 2)
            hidden = model[0](x).tanh()
            hidden.register_hook(record)
            model[1][0].register_full_backward_hook(record)
            out = model(hidden)
            model[2].weight.register_hook(record)
            out.sum().backward()
            record()
        out = model(x)  # outside
        record()
        return seen

    assert names(microgad) == names(torch)

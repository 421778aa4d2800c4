"""FlopCounterMode and ModuleTracker: the numbers of PyTorch's, by module and by operation."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")


def of(lib: Any, room: str) -> Any:
    return importlib.import_module(f"{lib.__name__}.utils.{room}")


def counted(lib: Any, program: Any) -> dict[str, dict[str, int]]:
    lib.manual_seed(0)
    with of(lib, "flop_counter").FlopCounterMode(display=False) as counter:
        program(lib)
    assert counter.get_total_flops() == sum(counter.flop_counts["Global"].values())
    return {module: {str(op): n for op, n in counts.items()} for module, counts in counter.get_flop_counts().items()}


def both(program: Any) -> Any:
    found, expected = counted(microgad, program), counted(torch, program)
    assert found == expected
    return expected


def given(t: Any, *sizes: int, double: bool = False) -> Any:
    return t.ones(*sizes, dtype=t.float64 if double else t.float32).requires_grad_()


def net(t: Any) -> Any:
    class Net(t.nn.Module):  # type: ignore[misc, name-defined]
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
        lambda t: net(t)(given(t, 2, 1, 8, 8)).sum().backward(),
        lambda t: t.no_grad()(net(t))(t.ones(2, 1, 8, 8)),
        lambda t: [net(t)(t.ones(2, 1, 8, 8)).sum().backward() for _ in range(2)],
        lambda t: [net(t)(t.ones(2, 1, 8, 8)).sum().backward(), t.ones(2, 3) @ t.ones(3, 4)],
        lambda t: (lambda m: [m.head(t.ones(2, 72)), m(t.ones(2, 1, 8, 8)).sum().backward()])(net(t)),
        lambda t: t.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)(t.ones(2, 3, 8)).sum().backward(),
        lambda t: t.nn.MultiheadAttention(8, 2, batch_first=True)(*[given(t, 2, 3, 8)] * 3)[0].sum().backward(),
    ],
)
def test_modules(program):
    assert len(both(program)) > 1


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(3,), (2, 3), (2, 4, 3), (2, 2, 4, 3)])
def test_linear(sizes, bias):
    both(lambda t: t.nn.Linear(3, 5, bias)(t.ones(*sizes)).sum().backward())
    both(lambda t: t.nn.Linear(3, 5, bias)(given(t, *sizes)).sum().backward())
    if len(sizes) == 3:
        both(lambda t: t.nn.Linear(3, 5, bias)(t.ones(3, 4, 2).permute(2, 1, 0)))


@pytest.mark.parametrize("wanting", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((6, 5, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)),
    ],
)  # fmt: skip
def test_matmul(first, second, wanting):
    def program(t: Any) -> None:
        a, b = (t.ones(*n).requires_grad_(wants) for n, wants in zip((first, second), wanting, strict=True))
        out = (a @ b).sum()
        if any(wanting):
            out.backward()

    both(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda t: t.addmm(given(t, 2, 4), given(t, 2, 3), given(t, 3, 4)),
        lambda t: t.baddbmm(given(t, 5, 2, 4), given(t, 5, 2, 3), given(t, 5, 3, 4)),
        lambda t: t.addmv(given(t, 2), given(t, 2, 3), given(t, 3)),
        lambda t: t.einsum("ij,jk->ik", given(t, 2, 3), given(t, 3, 4)),
        lambda t: t.einsum("bij,bkj->bik", given(t, 5, 2, 3), given(t, 5, 4, 3)),
        lambda t: t.einsum("ij,ij->ij", given(t, 2, 3), given(t, 2, 3)),
        lambda t: t.einsum("ij,jk,kl->il", given(t, 2, 3), given(t, 3, 4), given(t, 4, 5)),
        lambda t: t.inner(given(t, 2, 3), given(t, 4, 3)),
        lambda t: t.outer(given(t, 2), given(t, 4)),
        lambda t: t.linalg.multi_dot([given(t, 2, 3), given(t, 3, 4), given(t, 4, 5)]),
        lambda t: t.nn.functional.scaled_dot_product_attention(*[given(t, 2, 3, 4)] * 3),  # no kernel of PyTorch's
        lambda t: t.nn.functional.scaled_dot_product_attention(
            given(t, 2, 4, 3, 4), given(t, 2, 4, 5, 4), given(t, 2, 4, 5, 6)
        ),
        lambda t: t.nn.functional.scaled_dot_product_attention(t.ones(2, 3, 4), t.ones(2, 5, 4), given(t, 2, 5, 4)),
        lambda t: t.nn.RNNCell(3, 4)(t.ones(5, 3)),
        lambda t: t.nn.RNN(3, 4, 2)(t.ones(5, 2, 3))[0],
        lambda t: t.nn.GRU(3, 4, bidirectional=True)(given(t, 5, 2, 3))[0],
        lambda t: t.nn.LSTM(3, 4, 2, bias=False).double()(given(t, 5, 2, 3, double=True))[0],
        lambda t: t.nn.LSTM(3, 4, bias=False, proj_size=2).double()(
            t.ones(5, 2, 3).double(), (given(t, 1, 2, 2, double=True), given(t, 1, 2, 4, double=True))
        )[0],
    ],
)
def test_products_and_their_derivatives(program):
    both(lambda t: program(t).sum().backward())


@pytest.mark.parametrize("settings", [{}, {"groups": 2}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"bias": False}])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolutions(dims, settings):
    for kind in (f"Conv{dims}d", f"ConvTranspose{dims}d"):
        for x in ((2, 4, 7, 6, 5)[: dims + 2], (4, 7, 6, 5)[: dims + 1]):
            both(lambda t, x=x, kind=kind: getattr(t.nn, kind)(4, 6, 3, **settings)(t.ones(*x)).sum().backward())
            both(lambda t, x=x, kind=kind: getattr(t.nn, kind)(4, 6, 3, **settings)(given(t, *x)).sum().backward())


def test_what_was_recorded_before():
    losses = {t: net(t)(t.ones(2, 1, 8, 8)).sum() for t in (microgad, torch)}
    both(lambda t: losses[t].backward())


def test_names_of_operations():
    for lib in (microgad, torch):
        with of(lib, "flop_counter").FlopCounterMode(display=False) as counter:
            _ = lib.ones(2, 3) @ lib.ones(3, 4)
        assert repr(counter.get_flop_counts()) == "{'Global': {<OpOverloadPacket(op='aten.mm')>: 48}}"


def test_modules_at_work():
    def names(t: Any) -> list[Any]:
        seen = []
        model = t.nn.Sequential(t.nn.Linear(2, 2), t.nn.Sequential(t.nn.Tanh()), t.nn.Linear(2, 1))

        def see(*_: Any) -> None:
            seen.append((sorted(tracker.parents), tracker.is_bw))

        with of(t, "module_tracker").ModuleTracker() as tracker:
            model[1][0].register_forward_hook(see)
            x = given(t, 3, 2)
            hidden = model[0](x).tanh()
            hidden.register_hook(see)
            model[1][0].register_full_backward_hook(see)
            out = model(hidden)
            model[2].weight.register_hook(see)
            out.sum().backward()
            see()
        out = model(x)  # outside
        see()
        return seen

    assert names(microgad) == names(torch)

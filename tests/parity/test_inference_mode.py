"""torch.inference_mode, which doesn't record and is told from no_grad."""

from __future__ import annotations

import copy

import pytest

import microgad

from .both import Programs, leaf

torch = pytest.importorskip("torch")
programs = Programs()


def test_inference_mode_takes_a_mode():
    x = microgad.ones(1, requires_grad=True)
    with microgad.inference_mode():
        assert not (x * 2).requires_grad
        with microgad.inference_mode(False):
            assert (x * 2).requires_grad
    assert not microgad.inference_mode(lambda: x * 2)().requires_grad
    assert not microgad.inference_mode(True)(lambda: x * 2)().requires_grad


def test_inference_mode_is_told_from_no_grad():
    def told(t):
        def both():
            return t.is_inference_mode_enabled(), t.is_grad_enabled()

        with t.no_grad():
            yield both()
            yield t.inference_mode(both)()
        with t.inference_mode():
            yield both()
            with t.enable_grad():
                yield both()
            with t.inference_mode(False):
                yield both()
        yield both()

    assert list(told(microgad)) == list(told(torch))


@pytest.mark.parametrize("name", programs)
def test_it_gives_the_same_or_raises_the_same(name):
    programs.check(name, in_words=False)


def made(t):
    """Tensors of all kinds, made in inference_mode of a leaf and of what wants no gradient."""
    w, x = leaf(t, 3), t.ones(3)
    with t.inference_mode():
        y = x * 2
        y.mul_(2)
        x.add_(1)
        first = [y, w * 1, w.max(0)[0], y[:1], t.ones(2, requires_grad=True), x.clone(), t.stack([x]), x[t.tensor([0])]]
        shown = [x[:1], x.detach(), x.view(3, 1), x.to(t.float32), x.expand(2, 3)]
        with t.inference_mode(False):
            normal = [t.ones(1), y[:1], x * 2]
    return w, x, y, [*first, *shown, *normal], t.nn.Linear(3, 1).weight


@programs
def what_is_an_inference_tensor(t, nn):
    w, x, y, tensors, _ = made(t)
    later = [y.clone(), y + 1, y[:1], y.view(3, 1), y.detach(), y + w, t.relu(w + y)]
    (w + y).sum().backward()
    return [(z.is_inference(), t.is_inference(z), z.requires_grad) for z in tensors + later], x._version, w.grad


for name, use in {
    "no count of writes": lambda t, y, w: y._version,
    "kept for backward": lambda t, y, w: y * w,
    "kept with others": lambda t, y, w: nn_linear(t, y, w),
    "kept by a Function": lambda t, y, w: Keeps(t).apply(w, y),
    "written to": lambda t, y, w: y.add_(1),
    "written to at a place": lambda t, y, w: y.__setitem__(0, 1),
    "written to through a view": lambda t, y, w: y[:1].zero_(),
    "written to as out": lambda t, y, w: t.add(w.detach(), 1, out=y),
    "wants a gradient": lambda t, y, w: y.requires_grad_(),
    "a Parameter": lambda t, y, w: t.nn.Parameter(y),
}.items():
    programs[name] = lambda t, nn, use=use: use(t, made(t)[2], leaf(t, 3))


def nn_linear(t, y, w):
    return t.nn.functional.linear(y, t.ones(2, 3, requires_grad=True))


def Keeps(t):
    class Keeps(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(y)
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return grad, None

    return Keeps


@programs
def a_model_made_there_is_not_trained(t, nn):
    with t.inference_mode():
        layer = nn.Linear(3, 1)
    assert layer.weight.requires_grad
    layer(leaf(t, 3).float())


@programs
def a_copy_of_the_same_memory_made_outside_is_normal(t, nn):
    with t.inference_mode():
        x = t.ones(2)
        inside = copy.copy(x)
    outside = copy.copy(x)
    outside.add_(1)
    return x, inside.is_inference(), outside.is_inference()


def test_writes_are_counted_where_a_tape_is_recorded():
    with microgad.inference_mode(), microgad.record() as tape:
        x = microgad.ones(2)
        y = x * 2
        y.add_(1)
        y.sum()
    assert len(tape.ops) == 3

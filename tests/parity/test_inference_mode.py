"""torch.inference_mode doesn't record, and its Tensors can't be used for backward, unlike those of no_grad."""

from __future__ import annotations

import copy

import pytest

import microgad

from .side_by_side import checked_programs, leaf, submodule

torch = pytest.importorskip("torch")
programs, test_program_behaves_as_in_torch = checked_programs(
    messages=False,
    warning_classes=lambda name: not name.startswith("transforms"),  # imports of modules of PyTorch that warn
)


def test_inference_mode_as_context_and_decorator():
    x = microgad.ones(1, requires_grad=True)
    with microgad.inference_mode():
        assert not (x * 2).requires_grad
        with microgad.inference_mode(False):
            assert (x * 2).requires_grad
    assert not microgad.inference_mode(lambda: x * 2)().requires_grad
    assert not microgad.inference_mode(True)(lambda: x * 2)().requires_grad


def test_inference_and_grad_mode_flags():
    def flags(t):
        def current():
            return t.is_inference_mode_enabled(), t.is_grad_enabled()

        with t.no_grad():
            yield current()
            yield t.inference_mode(current)()
        with t.inference_mode():
            yield current()
            with t.enable_grad():
                yield current()
            with t.inference_mode(False):
                yield current()
        yield current()

    assert list(flags(microgad)) == list(flags(torch))


def tensors_of_inference_mode(t):
    """A leaf, a Tensor without grad, and what is made of them in inference_mode and in normal mode within it."""
    w, x = leaf(t, 3), t.ones(3)
    with t.inference_mode():
        y = x * 2
        y.mul_(2)
        x.add_(1)
        first = [y, w * 1, w.max(0)[0], y[:1], t.ones(2, requires_grad=True), x.clone(), t.stack([x]), x[t.tensor([0])]]
        views = [x[:1], x.detach(), x.view(3, 1), x.to(t.float32), x.expand(2, 3)]
        with t.inference_mode(False):
            normal = [t.ones(1), y[:1], x * 2]
    return w, x, y, [*first, *views, *normal], t.nn.Linear(3, 1).weight


@programs
def which_tensors_are_inference_tensors(t, nn):
    w, x, y, tensors, _ = tensors_of_inference_mode(t)
    later = [y.clone(), y + 1, y[:1], y.view(3, 1), y.detach(), y + w, t.relu(w + y)]
    (w + y).sum().backward()
    return [(z.is_inference(), t.is_inference(z), z.requires_grad) for z in tensors + later], x._version, w.grad


@programs
def grad_modes_record_nothing_in_inference_mode(t, nn):
    w, seen = leaf(t, 3), []
    functional = submodule(t, "autograd.functional")

    def look(*made):
        seen.extend((x.requires_grad, x.is_leaf, x.is_inference(), x.grad_fn) for x in (w * 2, *made))
        seen.append(t.is_grad_enabled())

    with t.inference_mode():
        x = t.ones(3).double()
        with t.enable_grad():
            look(w * x, w.exp().sum(), t.stack([w, x]) ** 2, nn.functional.cross_entropy(w, t.tensor(1)))
            seen += functional.jacobian(lambda x: x * x, x), functional.vjp(lambda w: w * x, w, x)
            seen += t.func.grad(lambda x: (x * w).sum())(x)
            with t.no_grad():
                look()
                t.enable_grad()(look)()
        with t.set_grad_enabled(True):
            look(w * x)
        with t.enable_grad():
            with t.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
                look()
            look()
        look()
        t.enable_grad()(look)()
        t.set_grad_enabled(True)
        look()
    seen.append((t.is_grad_enabled(), (w * 2).requires_grad))
    return seen


@programs
def transforms_take_inference_tensors_outside_of_the_mode(t, nn):
    with t.inference_mode():
        x = t.ones(3).double() * 2
    y, f = t.ones(3).double(), t.func
    found = [f.grad(lambda x: (x**2).sum())(x), f.grad(lambda y, x: (y * x**2).sum())(y, x), f.jacfwd(t.exp)(x)]
    return found, f.vjp(lambda x: x * x, x)[1](x), f.jvp(lambda x: x * x, (x,), (x,)), f.hessian(lambda x: x @ x)(x)


@programs
def a_graph_from_before_inference_mode(t, nn):
    y = (leaf(t, 3) ** 2).sum()
    with t.inference_mode(), t.enable_grad():
        y.backward()
        t.autograd.grad((leaf(t, 3) ** 2).sum(), leaf(t, 3))


@programs
def views_of_inference_tensors_are_not_tracked(t, nn):
    with t.inference_mode():
        c, x = t.ones(2, 3, requires_grad=True), t.ones(3)
        views = [c, c.view(-1), c.t(), c[0], c.unbind(0)[0], c.detach(), x[:1], nn.Linear(3, 1)(x)[0]]
        views += [nn.Linear(3, 1).weight.t()]
    return [(v.requires_grad, v.is_leaf, v._is_view()) for v in views]


@programs
def version_of_an_inference_tensor_is_not_incremented(t, nn):
    with t.inference_mode():
        x = t.ones(2)
    t.autograd.graph.increment_version([x])
    return x


for name, use in {
    "version": lambda t, y, w: y._version,
    "saved for backward": lambda t, y, w: y * w,
    "saved for backward of several inputs": lambda t, y, w: linear_of_saved_input(t, y, w),
    "saved by a Function": lambda t, y, w: saves_for_backward(t).apply(w, y),
    "in-place write": lambda t, y, w: y.add_(1),
    "write by index": lambda t, y, w: y.__setitem__(0, 1),
    "write through a view": lambda t, y, w: y[:1].zero_(),
    "write by out=": lambda t, y, w: t.add(w.detach(), 1, out=y),
    "requires_grad_": lambda t, y, w: y.requires_grad_(),
    "a Parameter": lambda t, y, w: t.nn.Parameter(y),
}.items():
    programs[name] = lambda t, nn, use=use: use(t, tensors_of_inference_mode(t)[2], leaf(t, 3))


def linear_of_saved_input(t, y, w):
    return t.nn.functional.linear(y, t.ones(2, 3, requires_grad=True))


def saves_for_backward(t):
    """A Function that saves its second argument for backward."""

    class SavesForBackward(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(y)
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return grad, None

    return SavesForBackward


@programs
def model_made_in_inference_mode(t, nn):
    with t.inference_mode():
        layer = nn.Linear(3, 1)
    assert layer.weight.requires_grad
    layer(leaf(t, 3).float())


@programs
def shallow_copy_outside_inference_mode(t, nn):
    with t.inference_mode():
        x = t.ones(2)
        inside = copy.copy(x)
    outside = copy.copy(x)
    outside.add_(1)
    return x, inside.is_inference(), outside.is_inference()


def test_writes_in_inference_mode_are_recorded_on_a_tape():
    with microgad.inference_mode(), microgad.record() as tape:
        x = microgad.ones(2)
        y = x * 2
        y.add_(1)
        y.sum()
    assert len(tape.ops) == 3


@programs
def grad_modes_are_printed(t, nn):
    with t.set_grad_enabled(False) as nothing, t.no_grad():
        return nothing, repr(t.set_grad_enabled(True)), str(t.set_grad_enabled(mode=False))

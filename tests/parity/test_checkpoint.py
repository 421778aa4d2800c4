"""torch.utils.checkpoint: the same programs give the same in both libraries."""

from __future__ import annotations

import functools
import itertools

import pytest

import microgad

torch = pytest.importorskip("torch")

from .test_autograd import X  # noqa: E402
from .test_autograd import both as both  # noqa: E402 - a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoint_gives_torchs_gradients_and_random_stream(both, reentrant):
    def program(t):
        t.manual_seed(3)
        checkpoint = t.utils.checkpoint.checkpoint
        net = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.Tanh(), t.nn.Dropout(0.5), t.nn.Linear(8, 2))
        x = t.tensor(X, dtype=t.float32, requires_grad=True)
        y = checkpoint(net, x, use_reentrant=reentrant)
        z = checkpoint(net, y[[0, 1, 0]] * 1, use_reentrant=reentrant)
        z.sum().backward()
        return z, x.grad, [p.grad for p in net.parameters()], t.rand(2)

    both(program, rtol=1e-5)


def attention(t, x):
    return t.nn.functional.scaled_dot_product_attention(x.sin(), x, x, dropout_p=0.5)


DRAWING = {
    "dropout": lambda t, x: t.nn.functional.dropout(x, 0.5),
    "dropout between": lambda t, x: t.nn.functional.dropout(x.sin().exp(), 0.5).sin(),
    "dropout and a factor": lambda t, x: t.nn.functional.dropout(x, 0.5) + t.randn(2, 3, 4) * x,
    "alpha_dropout": lambda t, x: t.nn.functional.alpha_dropout(x * x, 0.5, True) + t.nn.functional.dropout1d(x),
    "attention": attention,
    "gumbel_softmax": lambda t, x: t.nn.functional.gumbel_softmax(x).square(),
    "index": lambda t, x: x[:, t.randint(0, 3, (5,))],
    "mask": lambda t, x: x.masked_fill(t.rand(2, 3, 4) > 0.5, 0.0),
}


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", DRAWING)
def test_without_preserve_rng_state_backward_draws_anew(both, reentrant, name):
    def program(t):
        t.manual_seed(3)
        x = t.rand(2, 3, 4, requires_grad=True)
        call = lambda x: DRAWING[name](t, x)  # noqa: E731
        y = t.utils.checkpoint.checkpoint(call, x, use_reentrant=reentrant, preserve_rng_state=False)
        y.sum().backward()
        return y, x.grad, t.rand(2)

    both(program, rtol=1e-4)


COUNTING = {
    "factor": lambda t, x, n: x * n * 3 + x.sin() * n,
    "factor alone": lambda t, x, n: x * n,
    "exponent": lambda t, x, n: x**n,
    "bound": lambda t, x, n: x.clamp(max=n - 1.5) * x,
    "slope": lambda t, x, n: t.nn.functional.leaky_relu(-x, n),
    "shift": lambda t, x, n: x.roll(n) * x.flip(0),
    "part": lambda t, x, n: x[n - 1 : n] * x[n : n + 1],
    "in place": lambda t, x, n: (x * n).mul_(n)[0:2].add_(x[0:2] * n),
    "full": lambda t, x, n: x * t.full((3,), float(n)),
}


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", COUNTING)
def test_numbers_that_change_between_the_calls(both, reentrant, name):
    """Reentrant, backward uses those of the second call; otherwise those of the first, but the second's Tensors."""

    def program(t):
        x, count = t.tensor([0.5, -1.25, 2.0], requires_grad=True), itertools.count(1)
        y = t.utils.checkpoint.checkpoint(lambda x: COUNTING[name](t, x, next(count)), x, use_reentrant=reentrant)
        y.sum().backward()
        return y, x.grad, next(count)

    both(program, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch makes the first call under no_grad
@pytest.mark.parametrize("preserve", [False, True])
@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("outer", [False, True])
def test_nested_checkpoints_call_their_functions_as_often_as_torchs(both, outer, inner, preserve):
    def program(t):
        t.manual_seed(3)
        x, calls, checkpoint = t.ones(6, requires_grad=True), [], t.utils.checkpoint.checkpoint
        options = {"preserve_rng_state": preserve}

        def g(x):
            calls.append("g")
            return t.nn.functional.dropout(x.sin(), 0.5) * len(calls)

        def f(x):
            calls.append("f")
            return checkpoint(g, x * len(calls), use_reentrant=inner, **options).exp() * len(calls)

        y = checkpoint(f, x * 1, use_reentrant=outer, **options)
        y.sum().backward()
        return y, x.grad, t.rand(2), "".join(calls)

    both(program, rtol=1e-4)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_call_that_writes_to_an_argument(both, reentrant):
    """PyTorch refuses it unless reentrant, where the second call writes once more."""

    def program(t):
        x, w = t.ones(2, requires_grad=True), t.ones(2)
        y = t.utils.checkpoint.checkpoint(lambda x, w: x * w.add_(1), x, w, use_reentrant=reentrant)
        if reentrant:
            y.sum().backward()
        else:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                y.sum().backward()
        return y, w, t.zeros(2) if x.grad is None else x.grad

    both(program)


@pytest.mark.parametrize("reentrant", [False, True])
def test_hooks_on_saved_tensors_around_a_checkpoint_see_none_of_its_own(both, reentrant):
    def program(t):
        x, sizes, linear = t.ones(3, requires_grad=True), [], t.nn.functional.linear
        with t.autograd.graph.saved_tensors_hooks(lambda x: (sizes.append(x.numel()), x)[1], lambda x: x):
            y = t.utils.checkpoint.checkpoint(lambda x: linear(x, t.ones(5, 3)).sin(), x, use_reentrant=reentrant)
        y.sum().backward()
        return 5 in sizes, 15 in sizes, x.grad

    both(program, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("options", [{}, {"use_reentrant": True}, {"use_reentrant": False}])
def test_which_inputs_and_parameters_get_gradients(both, options):
    """By default, as in PyTorch, there are no gradients if no argument requires grad."""

    def program(t):
        t.manual_seed(3)
        checkpoint, x = t.utils.checkpoint, t.tensor(X, dtype=t.float32)
        net = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 2))
        y = checkpoint.checkpoint(net, x, **options)
        z = checkpoint.checkpoint_sequential(net, 2, x, **options)
        z.sum().backward()
        nested = checkpoint.checkpoint(lambda xs: xs[0] * 2, [x.clone().requires_grad_()], **options)
        return y.requires_grad, nested.requires_grad, [p.grad is not None for p in net.parameters()], z

    both(program, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("options", [{}, {"use_reentrant": False}, {"use_reentrant": False, "early_stop": False}])
def test_recomputation_stops_early_only_if_enabled(both, options):
    def program(t):
        t.manual_seed(3)
        checkpoint, x, calls = t.utils.checkpoint, t.arange(6.0).reshape(2, 3).requires_grad_(), []
        net = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.BatchNorm1d(4))

        def call(x):
            y = net(x).sum()
            calls.append(y.requires_grad)
            return y * 2

        checkpoint.checkpoint(call, x, **options).backward()
        with checkpoint.set_checkpoint_early_stop(not options.get("early_stop", True)):
            checkpoint.checkpoint(call, x * 2, **options).backward()
        return len(calls), net[1].running_mean, net[1].num_batches_tracked

    both(program, rtol=1e-4)


LAYERS = {
    "relu": lambda t: [t.nn.ReLU()],
    "linear": lambda t: [t.nn.Linear(3, 4), t.nn.ReLU(), t.nn.Flatten(0)],
    "batch norm": lambda t: [t.nn.Linear(3, 4), t.nn.BatchNorm1d(4), t.nn.Unflatten(1, (2, 2))],
    "averaged batch norm": lambda t: [t.nn.BatchNorm1d(3, momentum=None)],
    "instance norm": lambda t: [t.nn.Unflatten(1, (1, 3)), t.nn.InstanceNorm1d(1, track_running_stats=True)],
    "dropout": lambda t: [t.nn.Linear(3, 4), t.nn.Dropout(0.0)],
    "in place": lambda t: [t.nn.Linear(3, 4), t.nn.ELU(inplace=True)],
    "lstm": lambda t: [t.nn.LSTM(3, 4)],
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("layers", LAYERS)
def test_what_follows_the_last_kept_value_is_not_done_again(both, layers, nested):
    """Code that users write there changes buffers, counts calls or draws; hooks of the last module are called once."""

    def program(t):
        t.manual_seed(3)
        checkpoint = functools.partial(t.utils.checkpoint.checkpoint, use_reentrant=False)
        net, calls, ema = t.nn.Sequential(*LAYERS[layers](t)).double(), [], t.zeros(1)
        for i, layer in enumerate(net):
            layer.register_forward_hook(lambda *_, i=i: calls.append(i))

        def call(x):
            y = checkpoint(net, x) if nested else net(x)
            y = y[0] if isinstance(y, tuple) else y
            with t.no_grad():
                ema.mul_(0.9).add_(y.mean() + 1)
            calls.append(t.rand(1))
            return y + 1

        x = (t.arange(12.0, dtype=t.float64) ** 2).sin().reshape(4, 3).requires_grad_()
        checkpoint(call, x).exp().sum().backward()
        return *calls, ema, x.grad, t.rand(1), *net.buffers()

    both(program, rtol=1e-6)


@pytest.mark.parametrize(
    "options", [{"k": 2}, {"k": 2, "use_reentrant": True}, {"context_fn": list, "use_reentrant": True}]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_errors_of_unexpected_arguments(options):
    for t in (torch, microgad):
        with pytest.raises(
            ValueError, match=r"Unexpected keyword arguments: k|only supported when use_reentrant=False"
        ):
            t.utils.checkpoint.checkpoint(lambda x, k: x * k, t.ones(2, requires_grad=True), **options)


def test_second_derivatives_equal_pytorchs(both):
    def program(t):
        x = t.tensor(X, requires_grad=True)
        y = t.utils.checkpoint.checkpoint(lambda x: (x.sin() * x).exp(), x, use_reentrant=False)
        (g,) = t.autograd.grad(y.sum(), x, create_graph=True)
        return g, *t.autograd.grad((g * g).sum(), x)

    both(program)


@pytest.mark.parametrize(
    ("second", "options", "message"),
    [
        (
            lambda x: x.sin(),
            {},
            "A different number of tensors was saved during the original forward and",
        ),
        (lambda x: x.sin().exp().sin(), {"early_stop": False}, "trying to save more tensors during recomputation than"),
        (lambda x: x.sin().exp().sin(), {}, None),
        (lambda x: x[:1].sin().exp(), {}, "tensors have different metadata than during the forward pass"),
    ],
)
def test_a_recomputation_that_differs_is_refused_in_torchs_words(second, options, message):
    for t in (torch, microgad):
        functions = [lambda x: x.sin().exp(), second]
        x = t.ones(2, requires_grad=True)
        y = t.utils.checkpoint.checkpoint(lambda x, f=functions: f.pop(0)(x), x, **{"use_reentrant": False} | options)
        if message is None:
            y.sum().backward()
            assert x.grad is not None
        else:
            with pytest.raises(t.utils.checkpoint.CheckpointError, match=message):
                y.sum().backward()

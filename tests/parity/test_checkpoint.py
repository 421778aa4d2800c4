"""torch.utils.checkpoint: the same programs give the same in both libraries."""

from __future__ import annotations

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


def test_second_derivatives(both):
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
        (lambda x: x.sin().exp().sin(), {"use_reentrant": True}, None),
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

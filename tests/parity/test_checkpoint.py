"""torch.utils.checkpoint: the same programs on both libraries."""

from __future__ import annotations

import pytest

import microgad

torch = pytest.importorskip("torch")

from .test_autograd import X, ad  # noqa: E402
from .test_autograd import both as both  # noqa: E402 - a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint(both, reentrant):
    def program(t):
        t.manual_seed(3)
        checkpoint = ad(t, "utils.checkpoint").checkpoint
        net = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.Tanh(), t.nn.Dropout(0.5), t.nn.Linear(8, 2))
        x = t.tensor(X, dtype=t.float32, requires_grad=True)
        y = checkpoint(net, x, use_reentrant=reentrant)
        z = checkpoint(net, y[[0, 1, 0]] * 1, use_reentrant=reentrant)
        z.sum().backward()
        return z, x.grad, [p.grad for p in net.parameters()], t.rand(2)

    both(program, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("said", [{}, {"use_reentrant": True}, {"use_reentrant": False}])
def test_what_a_checkpoint_has_gradients_of(both, said):
    """By default, as PyTorch's, of nothing where no argument requires a gradient."""

    def program(t):
        t.manual_seed(3)
        room, x = ad(t, "utils.checkpoint"), t.tensor(X, dtype=t.float32)
        net = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 2))
        y = room.checkpoint(net, x, **said)
        z = room.checkpoint_sequential(net, 2, x, **said)
        z.sum().backward()
        given = room.checkpoint(lambda xs: xs[0] * 2, [x.clone().requires_grad_()], **said)
        return y.requires_grad, given.requires_grad, [p.grad is not None for p in net.parameters()], z

    both(program, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("said", [{}, {"use_reentrant": False}, {"use_reentrant": False, "early_stop": False}])
def test_how_far_a_checkpoint_is_called_again(both, said):
    def program(t):
        t.manual_seed(3)
        room, x, ran = ad(t, "utils.checkpoint"), t.arange(6.0).reshape(2, 3).requires_grad_(), []
        net = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.BatchNorm1d(4))

        def call(x):
            y = net(x).sum()
            ran.append(y.requires_grad)
            return y * 2

        room.checkpoint(call, x, **said).backward()
        with room.set_checkpoint_early_stop(not said.get("early_stop", True)):
            room.checkpoint(call, x * 2, **said).backward()
        return len(ran), net[1].running_mean, net[1].num_batches_tracked

    both(program, rtol=1e-4)


@pytest.mark.parametrize(
    "said", [{"k": 2}, {"k": 2, "use_reentrant": True}, {"context_fn": list, "use_reentrant": True}]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_a_checkpoint_refuses(said):
    for t in (torch, microgad):
        with pytest.raises(
            ValueError, match=r"Unexpected keyword arguments: k|only supported when use_reentrant=False"
        ):
            ad(t, "utils.checkpoint").checkpoint(lambda x, k: x * k, t.ones(2, requires_grad=True), **said)


def test_second_derivatives_through_a_checkpoint(both):
    def program(t):
        x = t.tensor(X, requires_grad=True)
        y = ad(t, "utils.checkpoint").checkpoint(lambda x: (x.sin() * x).exp(), x, use_reentrant=False)
        (g,) = t.autograd.grad(y.sum(), x, create_graph=True)
        return g, *t.autograd.grad((g * g).sum(), x)

    both(program)

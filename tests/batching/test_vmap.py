"""A function of slices is called once; where that can't be, once for each, with nothing done twice."""

from __future__ import annotations

import copy
import gc
import io
import itertools
import pickle
import weakref

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.func import functional_call, grad, hessian, jacfwd, jacrev, stack_module_state, vjp, vmap


class Counted:
    """A function, and how often it is called."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args):
        self.calls += 1
        return self.function(*args)


def numbers(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def in_turn(function, *args, dims=0):
    """What vmap is."""
    dims = (dims,) * len(args) if not isinstance(dims, tuple) else dims
    size = next(x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None)
    slices = [[x if d is None else x.select(d, i) for x, d in zip(args, dims, strict=True)] for i in range(size)]
    return torch.stack([function(*each) for each in slices])


def close(a, b):
    np.testing.assert_allclose(a.detach().cpu().numpy(), b.detach().cpu().numpy(), rtol=1e-10, atol=1e-12)


NET = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
X, W, PLACES = numbers(5, 3), numbers(3, 3, seed=1), torch.tensor([2, 0])
FUNCTIONS = {
    "a network": lambda x: NET(x).squeeze(),
    "its gradient": grad(lambda x: NET(x).squeeze()),
    "its second derivatives": hessian(lambda x: NET(x).squeeze()),
    "a matrix of all": lambda x: torch.softmax(W @ x, 0) * x[0],
    "a choice of which all make one": lambda x: x.sin() if x.ndim == 1 and bool((x < 100).all()) else x.cos(),
    "an index": lambda x: torch.gather(W, 1, (x > 0).long()[:, None])[:, 0],
    "indices with a slice between": lambda x: (x[:, None, None] * W)[PLACES, :, PLACES].sum(1),
    "writes into its own": lambda x: x.clone().mul_(2).index_fill_(0, torch.tensor([0]), 1.0),
    "convolution": lambda x: nn.functional.conv1d(x[None, None], W[None, :1, :2]).flatten(),
    "a window's winner": lambda x: nn.functional.max_pool1d(x[None], 2).flatten(),
    "cross entropy": lambda x: nn.functional.cross_entropy(x[None], torch.tensor([1])),
    "a mapping in it": lambda x: vmap(lambda y: y * x.sum())(x),
    "one of rows in it": lambda x: vmap(torch.dot, (None, 0))(x, W),
    "a Jacobian in it": jacrev(lambda x: (W @ x).sin()),
    "pulled by all of its own": lambda x: vmap(lambda v: vjp(torch.sin, x)[1](v)[0])(torch.eye(3).double()),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_called_once_and_gives_what_slices_give(name: str) -> None:
    function = Counted(FUNCTIONS[name])
    found = vmap(function)(X)
    assert function.calls == 1
    close(found, in_turn(FUNCTIONS[name], X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_flow_to_what_slices_are_of_and_to_what_they_have_in_common(name: str) -> None:
    weights = list(NET.parameters())
    x = X.clone().requires_grad_()
    grads = [
        torch.autograd.grad(y.sin().sum(), [x, *weights], allow_unused=True, materialize_grads=True)
        for y in (vmap(FUNCTIONS[name])(x), in_turn(FUNCTIONS[name], x))
        if y.requires_grad
    ]
    for pair in zip(*grads, strict=True):
        close(*pair)
    assert grads or name == "an index"


@pytest.mark.parametrize("dims", [1, -1])
def test_what_a_formula_writes_is_in_the_result_wherever_the_batch_axis_is_in_memory(dims: int) -> None:
    for name in ("i0e", "erfcx", "ndtri", "log_ndtr", "airy_ai"):
        function, x = getattr(torch.special, name), numbers(3, 2, 4).abs()
        close(vmap(function, dims)(x), in_turn(function, x, dims=dims))
        close(vmap(vmap(function, dims), 2)(x), in_turn(vmap(function, dims), x, dims=2))
        y = x.transpose(0, 1)  # whose slices are transposed in memory
        close(vmap(function, dims)(y), in_turn(function, y, dims=dims))


CALLED_FOR_EACH = {
    "ways that slices go": lambda x: x.sin() if x[0] > 0 else x.cos(),
    "values as numbers": lambda x: x * float(x[0]),
    "what NumPy alone knows": lambda x: torch.tensor(np.sort(x.cpu().numpy())),
    "numbers of its own": lambda x: x[x > 0].sum(),
    "half precision": lambda x: x.half().double(),
}


@pytest.mark.parametrize("name", CALLED_FOR_EACH)
def test_what_slices_dont_share_is_done_for_each(name: str) -> None:
    close(vmap(CALLED_FOR_EACH[name])(X), in_turn(CALLED_FOR_EACH[name], X))


def test_what_slices_have_in_common_is_written_once_for_each() -> None:
    total, steps = torch.zeros(3).double(), torch.zeros(())

    def function(x):
        steps.add_(1)
        total.add_(x)
        return x

    vmap(function)(X)
    close(total, X.sum(0))
    assert steps == len(X)


def test_what_is_the_same_for_all_is_written_once_and_one_of_two_mappings_may_go_apart() -> None:
    steps, rows = torch.zeros(2), torch.zeros(2, 3).double()

    def function(x, apart):
        steps[1] += 1
        rows.mul_(2)
        rows[0] += 1
        new = torch.zeros(3).double()
        new[0] = 5
        return x * (float(x.sum()) if apart else 1) + new + steps[1]

    call = Counted(function)
    close(vmap(call, (0, None))(X, False), X + torch.tensor([6.0, 1, 1]))
    assert (call.calls, steps.tolist(), rows.tolist()) == (1, [0, 1], [[1] * 3, [0] * 3])
    vmap(function, (0, None))(X, True)
    assert (steps.tolist(), rows[0].tolist()) == ([0, 1 + len(X)], [2 ** (len(X) + 1) - 1] * 3)
    vmap(vmap(function, (0, None)), (0, None))(X[None].expand(2, 5, 3), False)
    assert steps[1] == 2 + len(X)


def test_what_a_generator_fills_is_filled_for_each_where_slices_draw_different_values() -> None:
    held = torch.zeros(3)
    torch.manual_seed(0)
    found = vmap(lambda x: x + held.uniform_(), randomness="different")(X)
    torch.manual_seed(0)
    close(found, X + torch.rand(5, 3))
    torch.manual_seed(0)
    close(vmap(lambda x: x + held.uniform_(), randomness="same")(X), X + held)


def test_a_layer_that_counts_counts_each_slice() -> None:
    layer, again = nn.BatchNorm1d(3).double(), nn.BatchNorm1d(3).double()
    x = numbers(4, 6, 3)
    close(vmap(layer)(x), in_turn(again, x))
    assert layer.num_batches_tracked == 4
    close(layer.running_mean, again.running_mean)


def test_draws_are_one_for_all_and_the_generator_is_where_it_was() -> None:
    for randomness, shape in (("same", (3,)), ("different", (5, 3))):
        function = Counted(lambda x: x + torch.randn(3))
        torch.manual_seed(0)
        first = vmap(function, randomness=randomness)(X)
        state = torch.get_rng_state()
        torch.manual_seed(0)
        close(first, X + torch.randn(*shape))
        assert (torch.get_rng_state() == state).all()
        assert function.calls == 1
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="randomness"):
        vmap(lambda x: x + torch.randn(3))(X)
    assert (torch.get_rng_state() == before).all()


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_slices_that_go_apart_draw_what_they_would_together(randomness: str) -> None:
    def draws(x):
        return x + torch.randn(3), torch.nn.functional.dropout(x), torch.rand_like(x) + torch.randperm(3)

    def apart(x):
        return (draws, draws)[int(x[0] > 0)](x)

    found, sources = [], [torch.Generator().manual_seed(7) for _ in range(2)]
    for function, source in zip((draws, apart), sources, strict=True):
        torch.manual_seed(0)
        drawn = vmap(lambda x, f=function, g=source: (torch.rand(2, generator=g), f(x)), randomness=randomness)(X)
        found.append([drawn[0], *drawn[1], torch.rand(2), torch.rand(2, generator=source)])
    for pair in zip(*found, strict=True):
        close(*pair)


def test_what_each_slice_has_its_own_chances_for_is_drawn_at_once() -> None:
    def slopes(p):
        return torch.rrelu(p - 0.5, training=True)

    chances = torch.rand(5, 4)
    for draw in (torch.bernoulli, torch.poisson, lambda p: torch.multinomial(p, 3), slopes):
        function = Counted(lambda p, draw=draw: draw(p))
        vmap(function, randomness="different")(chances)
        assert function.calls == 1
        with pytest.raises(RuntimeError, match="randomness"):
            vmap(draw)(chances)


def test_a_chunk_is_computed_at_once() -> None:
    for randomness in ("error", "different"):
        function = Counted(lambda x: x.sin())
        close(vmap(function, chunk_size=2, randomness=randomness)(X), X.sin())
        assert function.calls == 3
    x = X.clone()
    close(vmap(lambda x: x.mul_(2) if x[0] > 0 else x.mul_(3), 0, -1, chunk_size=3)(x).T, x)


def test_a_write_through_a_slice_is_one_into_the_whole() -> None:
    x = X.clone()
    function = Counted(lambda row: row.mul_(2))
    close(vmap(function)(x), X * 2)
    close(x, X * 2)


def test_a_write_through_a_slice_of_what_is_on_a_graph_is_on_it() -> None:
    x = X.clone().requires_grad_()
    y = x * 1
    vmap(lambda row: row.mul_(row.detach() + 1))(y)
    close(y, X * (X + 1))
    y.sum().backward()
    close(x.grad, X + 1)


def test_a_write_is_noticed_by_what_has_kept_the_whole() -> None:
    x, w = X.clone(), numbers(5, 3, seed=2).requires_grad_()
    y = (x * w).sum()
    vmap(lambda row: row.mul_(2))(x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize(
    "use",
    [
        repr, torch.sin, list, pickle.dumps, torch.Tensor.tolist, torch.Tensor.data_ptr, lambda x: x + 1,
        lambda x: x.detach().cpu().numpy(), lambda x: copy.deepcopy(x.detach()), lambda x: x @ x, lambda x: x.float(),
        lambda x: x[0], lambda x: x.add_(1), lambda x: torch.zeros(2).add_(x),
        lambda x: torch.equal(x, x), lambda x: torch.cat([x, x]), lambda x: torch.save(x, io.BytesIO()),
        lambda x: x.sum().backward(),
    ],
)  # fmt: skip
def test_what_is_kept_beyond_says_so(use) -> None:
    kept, w = [], torch.ones(2, requires_grad=True)
    vmap(lambda x: (kept.append(x * w), x)[1])(X[:, :2])
    with pytest.raises(RuntimeError, match="kept beyond"):
        use(kept[0])


def apart(x):
    x.mul_(2)
    x[0] = 7
    return x * 3 if x.sum().item() > 30 else x


def within(x):
    """What all of the inner mapping's slices have in common is one of the outer's."""
    before = x.sum()
    vmap(lambda _: x.mul_(2))(X)
    return x * 3 if before.item() > 9 else x


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("function", [apart, lambda rows: vmap(apart)(rows), within])
def test_what_was_written_before_slices_went_apart_is_written_once(function, dim) -> None:
    x = torch.arange(18.0).reshape(3, 2, 3) if function is not within else torch.arange(9.0).reshape(3, 3)
    mine, expected = x.clone(), x.clone()
    found = vmap(function, dim)(mine)
    close(found, in_turn(lambda x: function(x), expected, dims=dim))
    close(mine, expected)


def test_what_a_function_that_fails_has_written_is_written_once() -> None:
    x = torch.ones(3, 2)
    with pytest.raises(KeyError):
        vmap(lambda row: {}[row.mul_(2)])(x)
    assert x.amax().item() == 2


def test_a_jvp_alone_is_each_slice_s() -> None:
    class Wave(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x.sin()

        @staticmethod
        def jvp(ctx, tangent):
            return tangent * ctx.saved_tensors[0].cos()

    x = X.clone().requires_grad_()
    vmap(Wave.apply)(x).sum().backward()
    close(x.grad, X.cos())


def test_a_slice_that_fails_fails_alone() -> None:
    matrices = torch.stack([torch.eye(2), -torch.eye(2), 4 * torch.eye(2)]).double()
    factors, info = vmap(torch.linalg.cholesky_ex)(matrices)
    assert info.tolist() == [0, 1, 0]
    close(factors[[0, 2]], torch.stack([torch.eye(2), 2 * torch.eye(2)]).double())


def test_an_error_is_the_function_s_own() -> None:
    with pytest.raises(ZeroDivisionError):
        vmap(lambda x: 1 / 0)(X)
    with pytest.raises(RuntimeError, match="size"):
        vmap(lambda x: x @ torch.ones(7).double())(X)


def test_networks_side_by_side() -> None:
    nets = [nn.Linear(3, 2).double() for _ in range(4)]
    parameters, buffers = stack_module_state(nets)
    parameters = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    call = Counted(lambda p, b, x: functional_call(nets[0], (p, b), (x,)))
    found = vmap(call, (0, 0, None))(parameters, buffers, X)
    assert call.calls == 1
    close(found, torch.stack([net(X) for net in nets]))
    found.sin().sum().backward()
    for i, net in enumerate(nets):
        net(X).sin().sum().backward()
        for name, p in net.named_parameters():
            close(parameters[name].grad[i], p.grad)


def test_jacobians_are_one_pass_or_as_many_as_are_asked_for() -> None:
    passes = []
    x = numbers(6)

    def function(x):
        y = W.repeat(2, 2) @ x
        y.register_hook(lambda g: passes.append(1))
        return y.sin()

    whole = jacrev(function)(x)
    assert len(passes) == 1
    close(jacrev(function, chunk_size=4)(x), whole)
    assert len(passes) == 3
    close(jacrev(function, chunk_size=1)(x), whole)
    assert len(passes) == 9
    close(jacfwd(function)(x), whole)
    close(torch.autograd.functional.jacobian(function, x, vectorize=True), whole)
    close(torch.autograd.functional.jacobian(function, x), whole)


def test_a_batch_of_gradients_lets_go_of_the_graph_at_its_end() -> None:
    x = numbers(3).requires_grad_()
    y = x.sin() * x
    (rows,) = torch.autograd.grad(y, x, torch.eye(3).double(), is_grads_batched=True)
    close(rows, torch.diag(x.cos() * x + x.sin()))
    with pytest.raises(RuntimeError, match="freed"):
        torch.autograd.grad(y.sum(), x)


class Choosy(torch.Function):
    """x², whose derivative chooses by x between two ways to say the same."""

    def forward(self, x):
        return x * x

    def grad_x(self, grad, x):
        return grad * (2 * x) if bool((x[:1] > 0).all()) else grad * (x + x)


def test_a_derivative_by_which_slices_go_apart_when_the_mapping_is_over() -> None:
    x = X.clone().requires_grad_()
    vmap(Choosy.apply)(x).sum().backward()
    close(x.grad, 2 * X)


@pytest.mark.parametrize("transforms", [*itertools.product((jacrev, jacfwd), repeat=3)])
def test_matrices_of_matrices(transforms) -> None:
    """A backward pass through a mapping that is over, in one that goes on, and in one that is over by then as well."""
    first, second, third = transforms
    x = numbers(3)
    fs = [lambda x: W @ (x * x * x), lambda x: W @ x * x * x]
    one, other = (third(second(first(f)))(x) for f in fs)
    eye = torch.eye(3).double()
    close(one, 6 * torch.einsum("ij,jk,jl,jm->iklm", W, eye, eye, eye))
    terms = [torch.einsum("ia,ib,ic->iabc", *each) for each in ((W, eye, eye), (eye, W, eye), (eye, eye, W))]
    close(other, 2 * sum(terms))
    close(second(first(fs[0]))(x), 6 * torch.einsum("ij,jk,jl,j->ikl", W, eye, eye, x))


def test_kept_values_that_are_packed_are_unpacked_where_slices_go_apart_in_a_derivative() -> None:
    x, function = X.clone().requires_grad_(), Counted(Choosy.apply)
    y = vmap(lambda x: torch.utils.checkpoint.checkpoint(function, x, use_reentrant=False))(x)
    assert function.calls == 1
    y.sum().backward()
    close(x.grad, 2 * X)


def test_gradients_of_what_slices_have_in_common_count_once_where_it_leaves_once() -> None:
    def function(x):
        common = W[0].clone().requires_grad_() * w
        return x * common, common, common

    for chunks in (None, 1):
        w = numbers(3).requires_grad_()
        each, every, once = vmap(function, out_dims=(0, 0, None), chunk_size=chunks)(X)
        (each.sum() + every.sum() + once.sum()).backward(create_graph=True)
        close(w.grad, W[0] * (X.sum(0) + 5 + 1))
        w.grad = None
        each, every = vmap(lambda x: function(x)[:2], chunk_size=chunks)(X)  # a gradient that shows one number
        (each.sum() + every.sum()).backward()
        close(w.grad, W[0] * (X.sum(0) + 5))


@pytest.mark.parametrize("randomness", ["same", "different"])
@pytest.mark.parametrize("apart", [False, True])
def test_what_is_computed_again_draws_the_same_again(randomness: str, apart: bool) -> None:
    def function(x):
        return torch.nn.functional.dropout(x.sin()) * x * torch.randn(3) * (x.detach().sum().item() if apart else 1)

    def again(x):
        return torch.utils.checkpoint.checkpoint(function, x, use_reentrant=False)

    grads = []
    for f in (function, again):
        torch.manual_seed(0)
        x = X.clone().requires_grad_()
        vmap(lambda x, f=f: torch.rand(2).sum() * f(x), randomness=randomness)(x).sum().backward()
        grads.append((x.grad, torch.rand(2)))
    for pair in zip(*grads, strict=True):
        close(*pair)


def test_a_hook_that_tells_slices_apart_is_called_for_each() -> None:
    seen = []

    def scaled(grad):
        seen.append(grad.sum().item())
        return grad * grad if seen[-1] > 0 else None

    def function(x, hook=scaled):
        y = x * W[0]
        y.register_hook(hook)
        return (y.sin() * y).sum()

    x, again = X.clone().requires_grad_(), X.clone().requires_grad_()
    (found,) = torch.autograd.grad(vmap(function)(x).sum(), x, create_graph=True)
    assert len(seen) == len(X)
    (expected,) = torch.autograd.grad(in_turn(function, again).sum(), again, create_graph=True)
    close(found, expected)
    close(vmap(grad(function))(X), expected)
    for g, leaf in ((found, x), (expected, again)):
        g.sum().backward()
        assert leaf.grad is not None
    close(x.grad, again.grad)
    shapes = []
    vmap(lambda x: function(x, lambda g: shapes.append(g.shape)))(x).sum().backward()
    assert shapes == [(3,)]  # it was called once


def test_nothing_is_held_when_it_is_over() -> None:
    gc.collect()
    gc.disable()
    try:
        x = X.clone().requires_grad_()
        found = vmap(lambda row: torch.softmax(NET(row) * row, 0))(x)
        apart = vmap(lambda row: row.sin() if row[0] > 0 else row.cos())(x)
        vmap(hessian(lambda row: NET(row).squeeze()))(X)
        held = [weakref.ref(each) for each in (x.array, found.array, found.node, apart.array)]
        del x, found, apart
        assert [ref() is None for ref in held] == [True] * len(held)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_an_observer_sees_the_operations_of_each_slice() -> None:
    with torch.record() as tape:
        vmap(torch.sin)(X)
    assert sum("sin" in repr(op).lower() for op in tape.ops) == len(X)

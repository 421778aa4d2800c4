"""vmap: a function is called once for the whole batch, or, where that is impossible, once for each sample.

Writes and draws that were made before a call turned out to be impossible for the whole batch aren't repeated.
"""

from __future__ import annotations

import contextlib
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
    """A function that counts its calls."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args):
        self.calls += 1
        return self.function(*args)


def numbers(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def loop(function, *args, dims=0):
    """What vmap computes, as a loop over the samples."""
    dims = (dims,) * len(args) if not isinstance(dims, tuple) else dims
    size = next(x.shape[d] for x, d in zip(args, dims, strict=True) if d is not None)
    samples = [[x if d is None else x.select(d, i) for x, d in zip(args, dims, strict=True)] for i in range(size)]
    return torch.stack([function(*each) for each in samples])


def assert_close(a, b):
    np.testing.assert_allclose(a.detach().cpu().numpy(), b.detach().cpu().numpy(), rtol=1e-10, atol=1e-12)


NET = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
X, W, INDICES = numbers(5, 3), numbers(3, 3, seed=1), torch.tensor([2, 0])
FUNCTIONS = {
    "a network": lambda x: NET(x).squeeze(),
    "its gradient": grad(lambda x: NET(x).squeeze()),
    "its second derivatives": hessian(lambda x: NET(x).squeeze()),
    "a shared matrix": lambda x: torch.softmax(W @ x, 0) * x[0],
    "a branch that all samples take": lambda x: x.sin() if x.ndim == 1 and bool((x < 100).all()) else x.cos(),
    "an index": lambda x: torch.gather(W, 1, (x > 0).long()[:, None])[:, 0],
    "indices with a slice between them": lambda x: (x[:, None, None] * W)[INDICES, :, INDICES].sum(1),
    "in-place writes": lambda x: x.clone().mul_(2).index_fill_(0, torch.tensor([0]), 1.0),
    "convolution": lambda x: nn.functional.conv1d(x[None, None], W[None, :1, :2]).flatten(),
    "max pooling": lambda x: nn.functional.max_pool1d(x[None], 2).flatten(),
    "cross entropy": lambda x: nn.functional.cross_entropy(x[None], torch.tensor([1])),
    "an inner vmap": lambda x: vmap(lambda y: y * x.sum())(x),
    "an inner vmap over shared rows": lambda x: vmap(torch.dot, (None, 0))(x, W),
    "an inner Jacobian": jacrev(lambda x: (W @ x).sin()),
    "an inner vmap of vjp": lambda x: vmap(lambda v: vjp(torch.sin, x)[1](v)[0])(torch.eye(3).double()),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_called_once_and_equal_a_loop(name: str) -> None:
    function = Counted(FUNCTIONS[name])
    found = vmap(function)(X)
    assert function.calls == 1
    assert_close(found, loop(FUNCTIONS[name], X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_batched_and_of_shared_inputs_equal_those_of_a_loop(name: str) -> None:
    weights = list(NET.parameters())
    x = X.clone().requires_grad_()
    grads = [
        torch.autograd.grad(y.sin().sum(), [x, *weights], allow_unused=True, materialize_grads=True)
        for y in (vmap(FUNCTIONS[name])(x), loop(FUNCTIONS[name], x))
        if y.requires_grad
    ]
    for pair in zip(*grads, strict=True):
        assert_close(*pair)
    assert grads or name == "an index"


@pytest.mark.parametrize("dims", [1, -1])
def test_what_a_formula_writes_is_in_the_result_wherever_the_batch_axis_is_in_memory(dims: int) -> None:
    for name in ("i0e", "erfcx", "ndtri", "log_ndtr", "airy_ai"):
        function, x = getattr(torch.special, name), numbers(3, 2, 4).abs()
        assert_close(vmap(function, dims)(x), loop(function, x, dims=dims))
        assert_close(vmap(vmap(function, dims), 2)(x), loop(vmap(function, dims), x, dims=2))
        y = x.transpose(0, 1)  # whose samples are transposed in memory
        assert_close(vmap(function, dims)(y), loop(function, y, dims=dims))


FALLBACKS = {
    "a branch that depends on the sample": lambda x: x.sin() if x[0] > 0 else x.cos(),
    "a conversion to a number": lambda x: x * float(x[0]),
    "NumPy arrays": lambda x: torch.tensor(np.sort(x.cpu().numpy())),
    "a size that depends on the sample": lambda x: x[x > 0].sum(),
    "half precision": lambda x: x.half().double(),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_functions_without_a_batched_form_equal_a_loop(name: str) -> None:
    assert_close(vmap(FALLBACKS[name])(X), loop(FALLBACKS[name], X))


@pytest.mark.parametrize("falls_back", [False, True])
def test_writes_of_shared_values_happen_once(falls_back: bool) -> None:
    steps, rows, unknown = torch.zeros(2), torch.zeros(2, 3).double(), torch.zeros(1)

    def function(x):
        steps[1] += 1
        unknown[0] = float("nan")
        rows.mul_(2)
        rows[0] += 1
        new = torch.zeros(3).double()
        new[0] = 5
        return x * (float(x.sum()) if falls_back else 1) + new + steps[1]

    call = Counted(function)
    expected = X * X.sum(1, keepdim=True) if falls_back else X
    assert_close(vmap(call)(X), expected + torch.tensor([6.0, 1, 1]))
    assert falls_back or call.calls == 1
    assert (steps.tolist(), rows.tolist()) == ([0, 1], [[1] * 3, [0] * 3])
    with torch.record():  # computes one sample after another
        vmap(function)(X)
    vmap(vmap(function))(X[None].expand(2, 5, 3))
    assert (steps.tolist(), rows.tolist(), unknown.isnan().all()) == ([0, 3], [[7] * 3, [0] * 3], True)


def test_writes_of_different_values_raise_and_are_undone() -> None:
    """In whatever way the samples are computed, and also if only some of them write."""
    total, on_graph = torch.ones(3).double(), numbers(3).requires_grad_() * 2

    def add(x):
        return total.add_(x)

    functions = [
        add, vmap(add), lambda x: add(x) if x.sum() > 0 else x, lambda x: on_graph.mul_(2) * x,
        lambda x: total.add_(1) * float(add(x).sum()),
    ]  # fmt: skip
    before = on_graph.clone()
    for i, function in enumerate(functions):
        with torch.record() if i % 2 else contextlib.nullcontext(), pytest.raises(RuntimeError, match="made outside"):
            vmap(function)(X[None] if i == 1 else X)
        assert_close(total, torch.ones(3).double())
        assert_close(on_graph, before)


def test_random_fills_of_shared_tensors_follow_randomness() -> None:
    shared = torch.zeros(3)
    with pytest.raises(RuntimeError, match="made outside"):
        vmap(lambda x: x + shared.uniform_(), randomness="different")(X)
    assert shared.count_nonzero() == 0
    torch.manual_seed(0)
    found = vmap(lambda x: x + shared.uniform_(), randomness="same")(X)
    torch.manual_seed(0)
    assert_close(found, X + torch.rand(3))


def test_batch_norm_tracks_no_samples_of_different_statistics() -> None:
    layer, x = nn.BatchNorm1d(3).double(), numbers(4, 6, 3)
    with pytest.raises(RuntimeError, match="made outside"):
        vmap(layer)(x)
    assert (layer.num_batches_tracked, layer.running_mean.count_nonzero()) == (0, 0)
    assert_close(vmap(layer.eval())(x), loop(layer, x))


def test_draws_follow_randomness_and_advance_the_generator_as_one_draw() -> None:
    for randomness, shape in (("same", (3,)), ("different", (5, 3))):
        function = Counted(lambda x: x + torch.randn(3))
        torch.manual_seed(0)
        first = vmap(function, randomness=randomness)(X)
        state = torch.get_rng_state()
        torch.manual_seed(0)
        assert_close(first, X + torch.randn(*shape))
        assert (torch.get_rng_state() == state).all()
        assert function.calls == 1
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="randomness"):
        vmap(lambda x: x + torch.randn(3))(X)
    assert (torch.get_rng_state() == before).all()


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_functions_that_fall_back_draw_the_same_numbers(randomness: str) -> None:
    def draws(x):
        return x + torch.randn(3), torch.nn.functional.dropout(x), torch.rand_like(x) + torch.randperm(3)

    def falls_back(x):
        return (draws, draws)[int(x[0] > 0)](x)

    found, sources = [], [torch.Generator().manual_seed(7) for _ in range(2)]
    for function, source in zip((draws, falls_back), sources, strict=True):
        torch.manual_seed(0)
        drawn = vmap(lambda x, f=function, g=source: (torch.rand(2, generator=g), f(x)), randomness=randomness)(X)
        found.append([drawn[0], *drawn[1], torch.rand(2), torch.rand(2, generator=source)])
    for pair in zip(*found, strict=True):
        assert_close(*pair)


def test_draws_with_batched_parameters_are_made_at_once() -> None:
    def slopes(p):
        return torch.rrelu(p - 0.5, training=True)

    probabilities = torch.rand(5, 4)
    for draw in (torch.bernoulli, torch.poisson, lambda p: torch.multinomial(p, 3), slopes):
        function = Counted(lambda p, draw=draw: draw(p))
        vmap(function, randomness="different")(probabilities)
        assert function.calls == 1
        with pytest.raises(RuntimeError, match="randomness"):
            vmap(draw)(probabilities)


def test_chunk_size_calls_the_function_once_for_each_chunk() -> None:
    for randomness in ("error", "different"):
        function = Counted(lambda x: x.sin())
        assert_close(vmap(function, chunk_size=2, randomness=randomness)(X), X.sin())
        assert function.calls == 3
    x = X.clone()
    assert_close(vmap(lambda x: x.mul_(2) if x[0] > 0 else x.mul_(3), 0, -1, chunk_size=3)(x).T, x)


def test_writes_to_samples_change_the_batch() -> None:
    x = X.clone()
    function = Counted(lambda row: row.mul_(2))
    assert_close(vmap(function)(x), X * 2)
    assert_close(x, X * 2)


def test_writes_to_samples_of_a_recorded_batch_are_recorded() -> None:
    x = X.clone().requires_grad_()
    y = x * 1
    vmap(lambda row: row.mul_(row.detach() + 1))(y)
    assert_close(y, X * (X + 1))
    y.sum().backward()
    assert_close(x.grad, X + 1)


def test_a_write_to_samples_of_a_kept_value_raises_in_backward() -> None:
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
def test_using_a_batched_tensor_after_vmap_raises(use) -> None:
    escaped, w = [], torch.ones(2, requires_grad=True)
    vmap(lambda x: (escaped.append(x * w), x)[1])(X[:, :2])
    with pytest.raises(RuntimeError, match="kept beyond"):
        use(escaped[0])


def branch(x):
    x.mul_(2)
    x[0] = 7
    return x * 3 if x.sum().item() > 30 else x


def inner_write(x):
    """Writes to a sample of the outer vmap, which all samples of the inner one share."""
    before = x.sum()
    vmap(lambda _: x.mul_(2))(X)
    return x * 3 if before.item() > 9 else x


def write_to_rows(rows):
    vmap(lambda row: row.mul_(2))(rows)
    return rows * 3 if rows.sum().item() > 60 else rows


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("function", [branch, lambda rows: vmap(branch)(rows), inner_write, write_to_rows])
def test_writes_before_a_fallback_happen_once(function, dim) -> None:
    x = torch.arange(18.0).reshape(3, 2, 3) if function is not inner_write else torch.arange(9.0).reshape(3, 3)
    written, expected = x.clone(), x.clone()
    found = vmap(function, dim)(written)
    assert_close(found, loop(lambda x: function(x), expected, dims=dim))
    assert_close(written, expected)


def test_writes_before_an_error_happen_once() -> None:
    x = torch.ones(3, 2)
    with pytest.raises(KeyError):
        vmap(lambda row: {}[row.mul_(2)])(x)
    assert x.amax().item() == 2


def test_a_sample_that_cannot_be_factorized_does_not_affect_the_others() -> None:
    matrices = torch.stack([torch.eye(2), -torch.eye(2), 4 * torch.eye(2)]).double()
    factors, info = vmap(torch.linalg.cholesky_ex)(matrices)
    assert info.tolist() == [0, 1, 0]
    assert_close(factors[[0, 2]], torch.stack([torch.eye(2), 2 * torch.eye(2)]).double())


@pytest.mark.parametrize("result", [torch.clone, lambda x: x[0].item(), lambda x: x.cpu().numpy(), lambda x: repr(x)])
def test_a_result_that_depends_on_the_slice_raises_if_out_dims_is_none(result) -> None:
    mapped = vmap(lambda x: (x.sin(), result(x * float(x.sum()))), out_dims=(0, None))
    with pytest.raises(ValueError, match="can not return a"):
        mapped(X)
    assert type(mapped(X[:1].expand(5, 3))[1]) is type(result(X[0]))


@pytest.mark.parametrize("other", [lambda x: {"b": x}, lambda x: [x], lambda x: x, lambda x: {"a": x, "b": x}])
def test_results_of_another_structure_for_some_slices_raise(other) -> None:
    with pytest.raises(ValueError, match="must return the same structure for all slices"):
        vmap(lambda x: {"a": x} if x[0] > 0 else other(x))(X)


def test_errors_of_the_function_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        vmap(lambda x: 1 / 0)(X)
    with pytest.raises(RuntimeError, match="size"):
        vmap(lambda x: x @ torch.ones(7).double())(X)


def test_stacked_networks_equal_the_networks_one_by_one() -> None:
    nets = [nn.Linear(3, 2).double() for _ in range(4)]
    parameters, buffers = stack_module_state(nets)
    parameters = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    call = Counted(lambda p, b, x: functional_call(nets[0], (p, b), (x,)))
    found = vmap(call, (0, 0, None))(parameters, buffers, X)
    assert call.calls == 1
    assert_close(found, torch.stack([net(X) for net in nets]))
    found.sin().sum().backward()
    for i, net in enumerate(nets):
        net(X).sin().sum().backward()
        for name, p in net.named_parameters():
            assert_close(parameters[name].grad[i], p.grad)


def test_jacobians_take_one_backward_pass_for_each_chunk() -> None:
    passes = []
    x = numbers(6)

    def function(x):
        y = W.repeat(2, 2) @ x
        y.register_hook(lambda g: passes.append(1))
        return y.sin()

    expected = jacrev(function)(x)
    assert len(passes) == 1
    assert_close(jacrev(function, chunk_size=4)(x), expected)
    assert len(passes) == 3
    assert_close(jacrev(function, chunk_size=1)(x), expected)
    assert len(passes) == 9
    assert_close(jacfwd(lambda x: (W.repeat(2, 2) @ x).sin())(x), expected)
    assert_close(torch.autograd.functional.jacobian(function, x, vectorize=True), expected)
    assert_close(torch.autograd.functional.jacobian(function, x), expected)


def test_is_grads_batched_frees_the_graph() -> None:
    x = numbers(3).requires_grad_()
    y = x.sin() * x
    (rows,) = torch.autograd.grad(y, x, torch.eye(3).double(), is_grads_batched=True)
    assert_close(rows, torch.diag(x.cos() * x + x.sin()))
    with pytest.raises(RuntimeError, match="freed"):
        torch.autograd.grad(y.sum(), x)


class Branching(torch.Function):
    """x², whose derivative has a branch on x with the same result on both sides."""

    def forward(self, x):
        return x * x

    def grad_x(self, grad, x):
        return grad * (2 * x) if bool((x[:1] > 0).all()) else grad * (x + x)


def test_a_derivative_that_falls_back_after_vmap_ended() -> None:
    x = X.clone().requires_grad_()
    vmap(Branching.apply)(x).sum().backward()
    assert_close(x.grad, 2 * X)


@pytest.mark.parametrize("transforms", [*itertools.product((jacrev, jacfwd), repeat=3)])
def test_nested_jacobians_of_both_modes_agree_with_the_formula(transforms) -> None:
    """Backward passes go through vmaps that ended and through vmaps that are still running."""
    first, second, third = transforms
    x = numbers(3)
    functions = [lambda x: W @ (x * x * x), lambda x: W @ x * x * x]
    one, other = (third(second(first(f)))(x) for f in functions)
    eye = torch.eye(3).double()
    assert_close(one, 6 * torch.einsum("ij,jk,jl,jm->iklm", W, eye, eye, eye))
    terms = [torch.einsum("ia,ib,ic->iabc", *each) for each in ((W, eye, eye), (eye, W, eye), (eye, eye, W))]
    assert_close(other, 2 * sum(terms))
    assert_close(second(first(functions[0]))(x), 6 * torch.einsum("ij,jk,jl,j->ikl", W, eye, eye, x))


def test_packed_values_are_unpacked_for_a_derivative_that_falls_back() -> None:
    x, function = X.clone().requires_grad_(), Counted(Branching.apply)
    y = vmap(lambda x: torch.utils.checkpoint.checkpoint(function, x, use_reentrant=False))(x)
    assert function.calls == 1
    y.sum().backward()
    assert_close(x.grad, 2 * X)


def test_gradients_of_shared_results_count_once_if_out_dims_is_none() -> None:
    def function(x):
        common = W[0].clone().requires_grad_() * w
        return x * common, common, common

    for chunks in (None, 1):
        w = numbers(3).requires_grad_()
        each, every, once = vmap(function, out_dims=(0, 0, None), chunk_size=chunks)(X)
        (each.sum() + every.sum() + once.sum()).backward(create_graph=True)
        assert_close(w.grad, W[0] * (X.sum(0) + 5 + 1))
        w.grad = None
        each, every = vmap(lambda x: function(x)[:2], chunk_size=chunks)(X)  # a broadcast gradient
        (each.sum() + every.sum()).backward()
        assert_close(w.grad, W[0] * (X.sum(0) + 5))


@pytest.mark.parametrize("randomness", ["same", "different"])
@pytest.mark.parametrize("falls_back", [False, True])
def test_checkpointed_regions_draw_the_same_numbers_again(randomness: str, falls_back: bool) -> None:
    def function(x):
        factor = x.detach().sum().item() if falls_back else 1
        return torch.nn.functional.dropout(x.sin()) * x * torch.randn(3) * factor

    def checkpointed(x):
        return torch.utils.checkpoint.checkpoint(function, x, use_reentrant=False)

    grads = []
    for f in (function, checkpointed):
        torch.manual_seed(0)
        x = X.clone().requires_grad_()
        vmap(lambda x, f=f: torch.rand(2).sum() * f(x), randomness=randomness)(x).sum().backward()
        grads.append((x.grad, torch.rand(2)))
    for pair in zip(*grads, strict=True):
        assert_close(*pair)


def test_a_hook_that_falls_back_is_called_for_each_sample() -> None:
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
    (expected,) = torch.autograd.grad(loop(function, again).sum(), again, create_graph=True)
    assert_close(found, expected)
    assert_close(vmap(grad(function))(X), expected)
    for g, leaf in ((found, x), (expected, again)):
        g.sum().backward()
        assert leaf.grad is not None
    assert_close(x.grad, again.grad)
    shapes = []
    vmap(lambda x: function(x, lambda g: shapes.append(g.shape)))(x).sum().backward()
    assert shapes == [(3,)]  # called once for the whole batch


@pytest.mark.usefixtures("no_garbage_collection")
def test_vmap_leaves_nothing_for_the_garbage_collector() -> None:
    x = X.clone().requires_grad_()
    found = vmap(lambda row: torch.softmax(NET(row) * row, 0))(x)
    fallback = vmap(lambda row: row.sin() if row[0] > 0 else row.cos())(x)
    vmap(hessian(lambda row: NET(row).squeeze()))(X)
    references = [weakref.ref(each) for each in (x.array, found.array, found.node, fallback.array)]
    del x, found, fallback
    assert [ref() is None for ref in references] == [True] * len(references)
    assert gc.collect() == 0


def test_a_recorded_vmap_shows_the_operations_of_each_sample() -> None:
    with torch.record() as tape:
        vmap(torch.sin)(X)
    assert sum("sin" in repr(op).lower() for op in tape.ops) == len(X)

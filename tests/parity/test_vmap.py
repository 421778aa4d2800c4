"""torch.func.vmap in edge cases: programs that both libraries run."""

from __future__ import annotations

from functools import partial

import pytest

from .side_by_side import checked_programs, leaf, randn, submodule
from .side_by_side import function as custom_function

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own

DIFFERENT = {"randomness": "different"}
programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


@programs
def vmap_in_dims_and_out_dims_of_nested_containers(t, nn):
    def f(d, xs):
        return {"a": d["a"] * xs[0] + xs[1], "b": (xs[0], d["a"].sum())}

    args = {"a": randn(t, 3, 2)}, (randn(t, 2, 3, seed=3), randn(t, 2))
    return t.func.vmap(f, in_dims=({"a": 0}, (1, None)), out_dims={"a": 1, "b": (-1, 0)})(*args)


@programs
def the_node_of_what_vmap_returns(t, nn):
    x, y = leaf(t, 2, 3), leaf(t, 3)
    results = t.func.vmap(lambda a: a * y.sin())(x), t.func.vmap(t.exp, out_dims=1)(x), t.func.vmap(lambda a: y + 1)(x)
    return [result.grad_fn.name() for result in results]


@programs
def vmap_does_not_batch_keyword_arguments(t, nn):
    return t.func.vmap(lambda x, y=None: x * y)(randn(t, 3, 2), y=randn(t, 3, 2))


@programs
def vmap_with_unbatched_results(t, nn):
    return t.func.vmap(lambda x: (x, t.tensor([float("nan"), 1]), 3), out_dims=(0, None, None))(randn(t, 3, 2))


@programs
def vmap_over_an_empty_batch(t, nn):
    return t.func.vmap(lambda x: (x.sum(), x * 2), out_dims=(0, 1))(t.zeros(0, 3))


@programs
def vmap_of_random_draws_raises_by_default(t, nn):
    return t.func.vmap(lambda x: x + t.rand(2))(randn(t, 3, 2))


@programs
def vmap_randomness(t, nn):
    """Several dropouts in a net, in chunks; nested vmap; permutations."""
    t.manual_seed(5)
    net = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 9), nn.Dropout(0.3))
    one = [t.func.vmap(net, randomness="different", chunk_size=n)(t.ones(5, 4)) for n in (None, 2)]
    nested = t.func.vmap(t.func.vmap(lambda x: t.rand(2).sum() + t.randn(20), **DIFFERENT), randomness="same")
    both_different = t.func.vmap(t.func.vmap(lambda x: x + t.rand(2) + t.randint(9, ()), **DIFFERENT), **DIFFERENT)
    shuffled = t.func.vmap(lambda x: t.randperm(5) + t.rand(5) + t.empty_like(x).normal_(), **DIFFERENT)
    return one, nested(t.ones(2, 3)), both_different(t.ones(2, 3, 1)), shuffled(t.ones(3, 5)), t.rand(1)


@programs
def vmap_of_writes_to_unbatched_buffers(t, nn):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", t.zeros(()))

        def forward(self, x):
            self.calls += 1
            made = t.zeros(2)
            made[1] = 3
            return x * self.calls + made

    found = []
    for wrap, options in ((lambda f: f, {}), (lambda f: f, {"chunk_size": 2}), (t.vmap, {})):
        net = Counting()
        found.append((t.vmap(wrap(net), **options)(t.ones(3, 2, 2)), net.calls))
    return found


@programs
def equal_writes_happen_once_where_slices_are_computed_one_after_another(t, nn):
    """microgad does so for half precision."""
    calls, total = t.zeros(2), t.ones(3, dtype=t.half)

    def function(x):
        before = calls.sum()
        calls.add_(1)
        total.mul_(2)
        calls[0].add_(before + 1)
        made = t.zeros_like(x)
        made.add_(x)
        return made * calls.sum() * total + before

    x = t.ones(3, 3, dtype=t.half)
    found = t.vmap(function)(x)
    return found, t.vmap(lambda rows: t.vmap(function)(rows) + 1)(x.expand(2, 3, 3)), calls, total


def after_a_refused_write(write):
    """A program that writes different values into a shared Tensor, and returns what is there after the error."""

    def program(t, nn):
        found = []
        for dtype in (t.float32, t.half):
            x, shared = t.arange(6, dtype=dtype).reshape(2, 3), t.ones(3, dtype=dtype)
            for function in (
                lambda x, b: write(t, b, x),
                lambda x, b: t.vmap(lambda y: write(t, b, y) + x)(x[:, None]),
            ):
                with pytest.raises(RuntimeError):
                    t.vmap(function, (0, None), **DIFFERENT)(x, shared)
                found.append(shared.clone())
        return found

    return program


for case, write in {
    "add_": lambda t, b, x: b.add_(x),
    "copy_": lambda t, b, x: b.copy_(x),
    "setitem": lambda t, b, x: b.__setitem__(0, x[0]) or x,
    "index_add_": lambda t, b, x: b.index_add_(0, t.tensor([0]), x[:1]),
    "through a view": lambda t, b, x: b.view(-1)[1:].mul_(x[:1]).sum(),
    "uniform_": lambda t, b, x: b.uniform_(),
    "batch_norm": lambda t, b, x: t.nn.functional.batch_norm(x.expand(2, 3) + 0, b, b.clone(), training=True),
}.items():
    programs[f"a refused write: {case}"] = after_a_refused_write(write)


@programs
def vmap_of_a_custom_function_with_a_vmap_rule(t, nn):
    """The rule gets the whole batch and says in which dimension its results are batched; also in nested vmap."""
    seen = []

    class Custom(t.autograd.Function):
        @staticmethod
        def forward(x, others, k):
            return x.sin() * others[0] * k, x + 1

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0], inputs[1][0])
            ctx.k = inputs[2]

        @staticmethod
        def backward(ctx, grad, plain):
            x, other = ctx.saved_tensors
            return grad * x.cos() * other * ctx.k + plain, None, None

        @staticmethod
        def vmap(info, in_dims, x, others, k):
            seen.append((info.batch_size, info.randomness, in_dims[1:]))
            y, plain = Custom.apply(x.movedim(in_dims[0], 0), others, k)
            return (y.movedim(0, -1) * 10, plain.sum(0)), (-1, None)

    x, w = leaf(t, 3, 2, 2), randn(t, 2)
    y, plain = t.vmap(lambda x: Custom.apply(x, [w], 2), 1, randomness="same")(x)
    (y.sum() + plain.sin().sum()).backward()
    nested = t.vmap(t.vmap(lambda x: Custom.apply(x, [w[0]], 2)[0]))(randn(t, 3, 2, 2))
    return y, plain, x.grad, nested, seen


@programs
def vmap_of_dropout_raises(t, nn):
    return t.func.vmap(lambda x: nn.functional.dropout(x, 0.5))(randn(t, 3, 2))


@programs
def vmap_of_one_index_into_a_shared_tensor(t, nn):
    x, indices = randn(t, 1, 4), t.zeros(2, 1, dtype=t.int64)
    return t.vmap(lambda i: t.take_along_dim(x, i[:, None], 0))(indices), t.vmap(lambda i: x[i])(indices)


@programs
def as_strided_under_vmap(t, nn):
    def strided_views(x):
        at = x.storage_offset()
        parts = x.as_strided((2,), (1,), 4), x[1:].as_strided((1,), (2,), 5), x.as_strided((1,), (1,), at)
        return *parts, t.tensor(float(at))

    x = leaf(t, 4, 3)
    found = t.func.vmap(strided_views)(x[1:3])
    inner = t.func.vmap(t.func.vmap(lambda x: x.as_strided((1,), (1,), 1)))(x.reshape(2, 2, 3))
    sides = t.func.vmap(lambda x, y: x.as_strided((2,), (6,), 3) * y, in_dims=(1, None))(x, x[0, 0])
    return found, inner, sides, t.autograd.grad(inner.sum() + sides.sum(), x)


@programs
def vmap_over_autograd_grad_frees_the_graph_once(t, nn):
    """The rows of a Jacobian by vmap over vector-Jacobian products, as in PyTorch's tutorial."""

    def rows(y, x, seeds, **options):
        return t.vmap(lambda v: t.autograd.grad(y, x, v)[0], **options)(seeds)

    x = leaf(t, 3)
    y, z = x.exp().pow(2), x.exp().pow(3)
    whole = rows(y, x, t.eye(3).double())
    inner = t.vmap(t.vmap(lambda v: t.autograd.grad(z, x, v)[0]))(t.eye(3).double().expand(2, 3, 3))
    over = []
    for again in (lambda: y.sum().backward(), lambda: rows(x.exp(), x, t.eye(3).double(), chunk_size=2)):
        with pytest.raises(RuntimeError, match="second time"):
            again()
        over.append(True)
    return whole, inner, over


@programs
def second_derivatives_of_mapped_attention_with_masks(t, nn):
    q, found = leaf(t, 2, 1, 4, 3), []
    causal = t.arange(4)[None] <= t.arange(4)[:, None]
    for mask in (randn(t, 4, 4), causal, causal & (t.arange(4) > 0)[:, None], None):
        attend = partial(nn.functional.scaled_dot_product_attention, attn_mask=mask, is_causal=mask is None)
        (g,) = t.autograd.grad(t.func.vmap(lambda a, f=attend: f(a, a, a))(q).sin().sum(), q, create_graph=True)
        found.append(t.autograd.grad((g**2).sum(), q))
    return found


def with_a_static_vmap(t, seen):
    """A Function whose static vmap multiplies by 20 instead of 2, which shows whether it is used."""

    def batched(info, in_dims, x):
        seen.append((info.batch_size, x.shape))
        return x * 20, in_dims[0]

    return custom_function(
        t, forward=lambda x: x * 2, setup_context=lambda *_: None, backward=lambda _, g: g, vmap=batched
    )


@programs
def a_static_vmap_is_used_for_any_number_of_slices(t, nn):
    x, seen = randn(t, 3, 2), []
    apply = with_a_static_vmap(t, seen).apply
    return [t.func.vmap(apply)(x[:1]), *(t.func.vmap(apply, chunk_size=n)(x) for n in (1, 2, 3))], seen


@programs
def results_that_share_memory_with_arguments(t, nn):
    found = []
    for f, dims in {
        (lambda x: x): (0, 0),
        (lambda x: x + 0): (0, 0),
        (lambda x: x.add_(1)): (1, 1),
        t.Tensor.exp_: (0, 1),
        (lambda x: (x[:1].mul_(2), x.detach())[1]): (0, 0),
        (lambda x: x[0]): (0, 0),
        (lambda x: x[1:].view(1, -1).unsqueeze(0)): (0, -1),
        (lambda x: x.expand(4, *x.shape)): (1, 0),
        t.vmap(lambda x: x.neg_()): (0, 0),
    }.items():
        x = randn(t, 2, 3)
        y = t.vmap(f, *dims)(x)
        found.append((y.clone(), y.stride(), y is x, y.data_ptr() == x.data_ptr()))
        x.add_(1)
        found += y.clone(), t.vmap(f, *dims, chunk_size=1)(x).data_ptr() == x.data_ptr()
    return found


@programs
def a_nested_mapping_that_returns_views_is_called_once(t, nn):
    calls = []

    def f(x):
        calls.append(x.shape)
        return x[1:], x

    return t.vmap(t.vmap(f), 1)(randn(t, 2, 3, 4)), calls


@programs
def gradients_of_writes_to_what_shares_memory_with_arguments(t, nn):
    x, w = randn(t, 2, 3), leaf(t, 2)
    t.vmap(lambda x: x[1:])(x).mul_(w)
    z = leaf(t, 2, 3) * 1
    same = t.vmap(lambda z: z)(z)
    same.mul_(w[0])
    written = t.vmap(lambda z: z.mul_(2), 1, 1)(z)
    return same is z, written is z, t.autograd.grad((x * z).sin().sum(), w)


def doubling_in_place(t):
    """A Function that doubles its argument in place, also in its static vmap."""
    made = custom_function(
        t,
        forward=lambda x: x.mul_(2),
        setup_context=lambda ctx, inputs, output: ctx.mark_dirty(*inputs),
        backward=lambda ctx, g: g * 2,
        vmap=lambda info, in_dims, x: (made.apply(x), in_dims[0]),
    )
    return made.apply


@programs
def a_static_vmap_writes_to_the_argument(t, nn):
    double, x, rows, same = doubling_in_place(t), randn(t, 2, 3), randn(t, 2, 2, 3), []

    def doubles(a):
        same.append(double(a) is a)
        return a * 10

    return t.func.vmap(doubles)(x), x, t.func.vmap(t.func.vmap(doubles))(rows), rows, same


@programs
def gradients_of_what_a_static_vmap_writes(t, nn):
    double = doubling_in_place(t)

    def writes(a, part=slice(None)):
        b = a * 3
        double(b[part])
        return b.sin()

    def to_a_part(a):
        return writes(a, slice(1))

    def to_a_mapped_tensor(a):
        double(a)
        return a * 10

    x, found = leaf(t, 2, 3), []
    for y in t.func.vmap(writes)(x), t.func.vmap(to_a_part)(x), t.func.vmap(to_a_mapped_tensor)(x * 1):
        found += y, *t.autograd.grad(y.sum(), x)
    return found, t.func.vmap(t.func.grad(lambda a: writes(a).sum()))(x.detach())


for case, returned in {
    "1 / 0": lambda x: 1 / 0,
    "an attribute": lambda x: x.no_such,
    "a key": lambda x: {}["key"],
    "a shape": lambda x: (x.reshape(99), 0),
    "a Tensor alone": lambda x: x[0],
    "None": lambda x: None,
    "three results": lambda x: (x, 0, 0),
    "a dimension that isn't there": lambda x: (x * 7, 5),
    "a tuple of dimensions for a Tensor": lambda x: (x * 7, (0,)),
    "a list of dimensions for a tuple": lambda x: ((x, x), [0, 0]),
    "dimensions under other keys": lambda x: ({"a": x}, {"b": 0}),
    "results by name": lambda x: ({"a": x * 7, "b": (x.T * 2,)}, {"a": 0, "b": (1,)}),
    "one dimension for all": lambda x: ([x * 7, (x * 2, x)], 0),
}.items():
    programs[f"a static vmap: {case}"] = lambda t, nn, returned=returned: t.func.vmap(
        custom_function(
            t, forward=lambda x: x * 1, setup_context=lambda *_: None, vmap=lambda info, dims, x: returned(x)
        ).apply
    )(t.ones(2, 3))


@programs
def a_static_vmap_beside_a_generated_one(t, nn):
    made = custom_function(t, forward=lambda x: x, setup_context=lambda *_: None, vmap=lambda info, dims, x: (x, 0))
    made.generate_vmap_rule = True
    return t.func.vmap(made.apply)(t.ones(2, 3))


@programs
def a_static_vmap_is_given_keyword_arguments(t, nn):
    def forward(x, *, k):
        return x * k

    made = custom_function(
        t, forward=forward, setup_context=lambda *_: None, vmap=lambda info, dims, x, k: (forward(x, k=k), 0)
    )
    with pytest.raises(NotImplementedError):
        t.func.vmap(lambda x: made.apply(x, k=t.ones(3)))(t.ones(2, 3))
    return t.func.vmap(lambda x: made.apply(x, k=2))(t.ones(2, 3))


@programs
def a_function_is_mapped_once_under_hooks_and_anomaly_detection(t, nn):
    x, w, seen, packed = randn(t, 3, 2), leaf(t, 2), [], []
    apply, graph = with_a_static_vmap(t, seen).apply, submodule(t, "autograd.graph")
    mapped = t.func.vmap(lambda a: apply(a) * w.exp())
    nested = t.func.vmap(t.func.vmap(lambda a: (a * w[0]).exp()))

    def packs(tensor):
        packed.append(tensor.shape)
        return tensor.tolist()

    with graph.saved_tensors_hooks(packs, lambda values: t.tensor(values).double()):
        found = [mapped(x), nested(x)]
    with graph.save_on_cpu():
        found += [mapped(x), nested(x)]
    with t.autograd.detect_anomaly():
        found += [mapped(x), nested(x)]
        (g,) = t.autograd.grad(sum(y.sum() for y in found), w)
    return found, g, seen, sorted(packed)


@programs
def anomaly_of_one_slice(t, nn):
    with t.autograd.detect_anomaly():
        t.func.vmap(lambda a: (a * a).sqrt())(t.arange(3.0).requires_grad_()).sum().backward()


@programs
def a_mapped_function_that_raises_is_called_once(t, nn):
    x, calls = t.zeros(3, 2), []

    def refuses(a):
        calls.append(a.shape)
        a.add_(1)
        raise ValueError("no")

    def asserts(a):
        calls.append(a.shape)
        a.add_(t.rand(1))
        assert a.ndim == 3

    for f, error in (refuses, ValueError), (asserts, AssertionError):
        with pytest.raises(error):
            t.func.vmap(f, randomness="same")(x)
    return calls, x, t.rand(1)


for case, call in {
    "a number": lambda t: t.vmap(lambda x, k: x * k)(t.ones(3, 2), 2),
    "a dimension that isn't there": lambda t: t.vmap(lambda x: x, in_dims=2)(t.ones(3, 2)),
    "no dimension": lambda t: t.vmap(lambda x: x)(t.ones(())),
    "a fractional dimension": lambda t: t.vmap(lambda x: x, in_dims=0.5)(t.ones(3, 2)),
    "in_dims of another structure": lambda t: t.vmap(lambda x: x[0], in_dims=((0, 0, 0),))((t.ones(3), t.ones(3))),
    "out_dims of another structure": lambda t: t.vmap(lambda x: x, out_dims=(0, 0))(t.ones(3)),
    "a result that is no Tensor": lambda t: t.vmap(lambda x: 3.0)(t.ones(3, 2)),
    "randomness": lambda t: t.vmap(lambda x: x, randomness="some"),
    "no chunk": lambda t: t.vmap(lambda x: x, chunk_size=0),
}.items():
    programs[case] = lambda t, nn, call=call: call(t)

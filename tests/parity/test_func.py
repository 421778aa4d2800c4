"""torch.func, torch.autograd.functional and forward mode in edge cases: programs that both libraries run."""

from __future__ import annotations

import collections

import pytest

from .side_by_side import Programs, leaf, randn, submodule

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own

DIFFERENT = {"randomness": "different"}
programs = Programs()


@pytest.mark.parametrize("name", programs)
def test_program_behaves_as_in_torch(name: str) -> None:
    programs.check(name, messages=False, warning_classes=False)


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
def forward_mode_of_in_place_writes_to_arguments(t, nn):
    def f(x):
        x[0] = x[1] * 5
        x[1:].mul_(x[0])
        return x * x

    def fresh():
        return randn(t, 3)

    return t.func.jvp(f, (fresh(),), (t.ones(3).double(),)), t.func.jacfwd(f)(fresh())


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
    "no chunk of rows": lambda t: t.func.jacrev(lambda x: x, chunk_size=0),
    "argnums twice": lambda t: t.func.grad(lambda x, y: (x * y).sum(), (0, 0))(t.ones(2), t.ones(2)),
    "the same argnum twice": lambda t: t.func.grad(lambda x, y: (x * y).sum(), (1, -1))(t.ones(2), t.ones(2)),
    "no argnums": lambda t: t.func.grad(lambda x: x.sum(), ())(t.ones(2)),
    "no result": lambda t: t.func.vjp(lambda x: (), t.ones(2)),
    "no rows": lambda t: t.func.jacrev(lambda x: [])(t.ones(2)),
    "a number for a result": lambda t: t.func.vjp(lambda x: 3.0, t.ones(2)),
    "numbers for rows": lambda t: t.func.jacrev(lambda x: 3.0)(t.ones(2)),
    "primals alone": lambda t: t.func.jvp(lambda x: x, t.ones(2), t.ones(2)),
    "constants, strictly": lambda t: t.func.jvp(lambda x: t.ones(2), (t.ones(2),), (t.ones(2),), strict=True),
    "another dtype": lambda t: t.func.linearize(t.sin, t.ones(2))[1](t.ones(2).double()),
    "complex arguments": lambda t: t.func.jacrev(lambda z: z * z)(t.ones(2) * 1j),
    "complex arguments forward": lambda t: t.func.jacfwd(lambda z: z * z)(t.ones(2) * 1j),
    "complex results": lambda t: t.func.jacrev(lambda x: x * 1j)(t.ones(2)),
    "a list of inputs": lambda t: submodule(t, "autograd.functional").jacobian(lambda x: x, [t.ones(2)]),
    "a linear function's graph": lambda t: submodule(t, "autograd.functional").jacobian(
        lambda x: x * 2, t.ones(2), create_graph=True, strict=True
    ),
    "a linear function's product": lambda t: submodule(t, "autograd.functional").vjp(
        lambda x: x * 2, t.ones(2), t.ones(2), create_graph=True, strict=True
    ),
    "a linear function's tangent": lambda t: submodule(t, "autograd.functional").jvp(
        lambda x: x * 2, t.ones(2), t.ones(2), create_graph=True, strict=True
    ),
    "an input that the result does not depend on": lambda t: submodule(t, "autograd.functional").jvp(
        lambda x, y: x**2, (t.ones(2), t.ones(2)), (t.ones(2), t.ones(2)), strict=True
    ),
    "a complex number's gradient": lambda t: t.tensor(1 + 2j, requires_grad=True).backward(),
}.items():
    programs[case] = lambda t, nn, call=call: call(t)


@programs
def vmap_of_one_index_into_a_shared_tensor(t, nn):
    x, indices = randn(t, 1, 4), t.zeros(2, 1, dtype=t.int64)
    return t.vmap(lambda i: t.take_along_dim(x, i[:, None], 0))(indices), t.vmap(lambda i: x[i])(indices)


@programs
def transforms_of_functions_of_containers(t, nn):
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    pytree, deque, defaultdict = submodule(t, "utils._pytree"), collections.deque, collections.defaultdict
    pytree.register_pytree_node(Pair, lambda pair: ([pair.a, pair.b], None), lambda parts, _: Pair(*parts))
    pair, table = Pair(randn(t, 3), randn(t, 3)), defaultdict(list, a=randn(t, 3), b=[randn(t, 3)])
    mapped = t.vmap(lambda pair: Pair(pair.a * pair.b, pair.b))(pair)
    chosen = t.vmap(lambda pair: pair.a * pair.b.sum(), (Pair(0, None),))(pair)
    gradient = t.func.grad(lambda pair: (pair.a * pair.b).sum())(pair)
    tables = [t.vmap(lambda d: d["a"] * d["b"][0])(table), t.func.grad(lambda d: (d["a"] * d["b"][0]).sum())(table)]
    queue = t.func.vjp(lambda q: deque([q[0] * q[1]]), deque([pair.a, pair.b]))[1](deque([pair.a]))
    return mapped.a, mapped.b, chosen, gradient.a, gradient.b, tables, [list(part) for part in queue]


@programs
def jacobians_of_empty_inputs_and_results(t, nn):
    rows = t.func.jacrev(lambda x: x[:0])(randn(t, 3))
    return rows, t.func.jacfwd(lambda x: x * 2)(randn(t, 0)), t.func.jacfwd(lambda x: x[:0])(randn(t, 3))


@programs
def jacobians_of_noncontiguous_inputs_and_results(t, nn):
    x, functional = randn(t, 3, 2).T, submodule(t, "autograd.functional")
    found = [t.func.jacrev(t.sin)(x), t.func.jacfwd(t.sin)(x), t.func.hessian(lambda x: x.sin().sum())(x)]
    found += [functional.jacobian(lambda x: x.T * x.flip(0).T, randn(t, 2, 3)), functional.jacobian(t.sin, x)]
    return found, functional.jacobian(t.sin, x, vectorize=True, strategy="forward-mode")


@programs
def func_transforms_under_no_grad(t, nn):
    x = t.tensor(3.0, requires_grad=True)
    with t.no_grad():
        found = [t.func.grad(lambda x: x**3)(x), t.func.grad(lambda y: x * y**3)(t.tensor(2.0))]
        found += t.func.vjp(lambda x: x**3, x)[1](t.tensor(1.0))
    return found, [g.requires_grad for g in found]


@programs
def vjp_function_called_under_no_grad(t, nn):
    y, pull = t.func.vjp(lambda x: x**3, t.tensor(3.0, requires_grad=True))
    with t.no_grad():
        (g,) = pull(t.tensor(1.0))
    return y.requires_grad, g, g.requires_grad


@programs
def functional_call_of_tied_weights(t, nn):
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    one, other = t.ones(2, 2), t.zeros(2, 2)
    same = t.func.functional_call(net, {"0.weight": one, "1.weight": one}, t.ones(2))
    untied = t.func.functional_call(net, {"0.weight": one, "1.weight": other}, t.ones(2), tie_weights=False)
    assert same.shape == untied.shape
    return t.func.functional_call(net, {"0.weight": one, "1.weight": other}, t.ones(2))


@programs
def materialized_zeros_with_create_graph(t, nn):
    x, w = (randn(t, n).requires_grad_() for n in (3, 2))
    found = t.autograd.grad((x**3).sum(), (x, w), materialize_grads=True, create_graph=True)
    return found, [g.requires_grad for g in found]


@programs
def gradients_of_tangents(t, nn):
    """A tangent has gradients by the primal, by the given tangent, and by other factors."""
    forward = submodule(t, "autograd.forward_ad")
    x, v, w = (randn(t, 3, seed=i).requires_grad_() for i in range(3))
    found = []
    for primal, tangent in ((x, v.detach()), (x.detach(), v), (x.detach(), v.detach())):
        with forward.dual_level():
            y = forward.unpack_dual((forward.make_dual(primal, tangent) ** 3 * w).sum())
            found += [y.primal.requires_grad, *t.autograd.grad(y.tangent, (x, v, w), allow_unused=True)]
    return found


@programs
def tangent_of_a_gradient(t, nn):
    forward = submodule(t, "autograd.forward_ad")
    x = randn(t, 3).requires_grad_()
    with forward.dual_level():
        y = (forward.make_dual(x, randn(t, 3, seed=2)) ** 3).sum()
        (g,) = t.autograd.grad(y, x, create_graph=True)
        return g, forward.unpack_dual(g).tangent, forward.unpack_dual(y).tangent


@programs
def gradient_of_the_tangent_of_a_linear_function(t, nn):
    forward, x = submodule(t, "autograd.forward_ad"), leaf(t, 3)
    with forward.dual_level():
        tangent = forward.unpack_dual(forward.make_dual(x, randn(t, 3, seed=2)) * 2).tangent
        return tangent, tangent.requires_grad, t.autograd.grad((tangent * 3).sum(), x)


@programs
def primal_keeps_its_graph(t, nn):
    forward, x = submodule(t, "autograd.forward_ad"), leaf(t, 3)
    with forward.dual_level():
        primal, tangent = forward.unpack_dual(forward.make_dual(x * 2, randn(t, 3, seed=2)))
        return primal.requires_grad, tangent.requires_grad, t.autograd.grad((primal * tangent).sum(), x)


@programs
def backward_through_tangents_of_a_network(t, nn):
    forward = submodule(t, "autograd.forward_ad")
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    for inputs in (randn(t, 2, 3), leaf(t, 2, 3)):
        with forward.dual_level():
            value, tangent = forward.unpack_dual(net(forward.make_dual(inputs, randn(t, 2, 3, seed=2))))
            (tangent**2).sum().backward(retain_graph=True)
            value.sum().backward()
    return inputs.grad, [p.grad for p in net.parameters()]


@programs
def forward_mode_under_no_grad(t, nn):
    forward = submodule(t, "autograd.forward_ad")
    with t.no_grad(), forward.dual_level():
        return forward.unpack_dual(forward.make_dual(randn(t, 3), t.ones(3).double()) ** 2).tangent


@programs
def dual_of_integers(t, nn):
    forward = submodule(t, "autograd.forward_ad")
    with forward.dual_level():
        forward.make_dual(t.ones(2, dtype=t.int64), t.ones(2, dtype=t.int64))


@programs
def custom_function_with_save_for_forward(t, nn):
    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * ctx.saved_tensors[0] * grad

        @staticmethod
        def jvp(ctx, tangent):
            return 2 * ctx.saved_tensors[0] * tangent

    forward = submodule(t, "autograd.forward_ad")
    with forward.dual_level():
        return forward.unpack_dual(Square.apply(forward.make_dual(randn(t, 3), randn(t, 3, seed=2)))).tangent


@programs
def custom_function_with_jvp_under_transforms(t, nn):
    class Wave(t.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, k):
            return x.sin() * k

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.k = inputs
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.saved_tensors[0].cos() * ctx.k, None

        @staticmethod
        def jvp(ctx, tangent, _):
            return tangent * ctx.saved_tensors[0].cos() * ctx.k

    x, f = randn(t, 3, 2), t.func

    def wave(x):
        return Wave.apply(x, 2.0)

    def tangent_sum(x):
        return f.jvp(lambda x: wave(x).sum(), (x,), (x,))[1]

    return [
        f.vmap(f.jacfwd(wave))(x), f.jacfwd(f.vmap(wave))(x), f.vmap(f.jacrev(wave))(x), f.vmap(f.grad(tangent_sum))(x),
        f.vmap(lambda x: f.jvp(wave, (x,), (x,)))(x), f.jvp(f.grad(lambda x: wave(x).sum()), (x,), (x,)),
        f.hessian(lambda x: wave(x).pow(2).sum())(x), f.linearize(wave, x)[1](x), f.jvp(f.vmap(wave), (x,), (x,)),
    ]  # fmt: skip


@programs
def neural_tangent_kernel(t, nn):
    """The neural tangent kernel, by Jacobians and by vmap over jvp of vjp."""
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    weights = {name: p.detach() for name, p in net.named_parameters()}
    x, y = randn(t, 3, 3), randn(t, 2, 3, seed=2)

    def f(w, x):
        return t.func.functional_call(net, w, (x,))

    def one(x, y):
        _, pull = t.func.vjp(lambda w: f(w, x), weights)
        return t.func.vmap(lambda v: t.func.jvp(lambda w: f(w, y), (weights,), pull(v))[1])(t.eye(2).double())

    jx, jy = ([j.flatten(2) for j in t.func.vmap(t.func.jacrev(f), (None, 0))(weights, z).values()] for z in (x, y))
    by_matrices = sum(t.einsum("naf,mbf->nmab", a, b) for a, b in zip(jx, jy, strict=True))
    return by_matrices, t.func.vmap(t.func.vmap(one, (None, 0)), (0, None))(x, y)


@programs
def ensemble_with_a_meta_model(t, nn):
    nets = [nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval() for _ in range(4)]
    parameters, buffers = t.func.stack_module_state(nets)
    base = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval().to("meta")
    shapes = [(name, tuple(x.shape), x.dtype == t.int64) for name, x in base.state_dict().items()]

    def call(parameters, buffers, x):
        return t.func.functional_call(base, (parameters, buffers), (x,))

    x = t.ones(5, 2)
    return shapes, t.func.vmap(call, (0, 0, None))(parameters, buffers, x), t.stack([net(x) for net in nets])


@programs
def tangents_of_results_without_dual_inputs(t, nn):
    functional, w = submodule(t, "autograd.forward_ad"), leaf(t, 3)
    with functional.dual_level():
        x = functional.make_dual(randn(t, 3), randn(t, 3, seed=2))
        return [functional.unpack_dual(y).tangent for y in (w, w * 2, w * x, t.sign(x), t.ones(3))]


@programs
def enter_and_exit_dual_level_under_no_grad(t, nn):
    functional = submodule(t, "autograd.forward_ad")
    with t.no_grad():
        functional.enter_dual_level()
        found = functional.unpack_dual(functional.make_dual(randn(t, 3), randn(t, 3, seed=2)) ** 2).tangent
        functional.exit_dual_level()
        return found, t.is_grad_enabled()


@programs
def vjp_function_frees_its_graph(t, nn):
    _, pull = t.func.vjp(t.exp, randn(t, 3))
    first = pull(t.ones(3).double(), create_graph=True)
    pull(t.ones(3).double(), retain_graph=False)
    try:
        pull(t.ones(3).double())
    except RuntimeError:
        return first
    return "the graph was not freed"


@programs
def func_grad_of_a_complex_result(t, nn):
    return t.func.grad(lambda x: x * 1j)(t.tensor(1 + 2j))


@programs
def jacobian_of_complex_results(t, nn):
    jacobian, x = submodule(t, "autograd.functional").jacobian, t.tensor([1 + 2j, 3 - 1j])
    return jacobian(t.abs, x), jacobian(t.exp, x)


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
def writes_to_arguments_in_forward_mode_are_seen_by_the_caller(t, nn):
    def overwritten(x, y):
        x.mul_(2)
        x[:, ::2].copy_(y)
        return x.clone(), x.sin()

    x, y, v = randn(t, 2, 4), randn(t, 2, 2), randn(t, 2, 4, seed=2)
    found = [t.func.jvp(overwritten, (x, y), (v, y)), x.clone()]
    mapped = t.vmap(lambda x, y: t.func.jvp(overwritten, (x[None], y[None]), (x[None] * 2, y[None])))
    found += [mapped(x, y), x.clone()]
    return *found, t.func.jacfwd(lambda x: x.mul_(y[0, 0]))(x), x


@programs
def aux_must_consist_of_tensors(t, nn):
    x, transforms = randn(t, 3), (t.func.grad, t.func.jacrev, t.func.jacfwd)
    calls = [lambda f, of=of: of(f, has_aux=True)(x) for of in transforms]
    calls += [lambda f: t.func.vjp(f, x, has_aux=True), lambda f: t.func.jvp(f, (x,), (x,), has_aux=True)]
    found = [call(lambda x: (x.sum(), {"a": [x]}))[-1] for call in calls]
    for call in calls:
        for aux in (None, 1.0, {"a": [x, "b"]}):
            with pytest.raises(RuntimeError, match="Expected tensors, got unsupported type"):
                call(lambda x, aux=aux: (x.sum(), aux))
    return found

"""torch.func and torch.autograd.functional in edge cases: programs that both libraries run."""

from __future__ import annotations

import collections

import pytest

from .side_by_side import checked_programs, leaf, randn, submodule

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


for case, call in {
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
    "an unknown strategy": lambda t: submodule(t, "autograd.functional").jacobian(t.sin, t.ones(2), strategy="x"),
    "an unknown outer strategy": lambda t: submodule(t, "autograd.functional").hessian(
        t.sum, t.ones(2), outer_jacobian_strategy="x"
    ),
    "the version of a number": lambda t: submodule(t, "autograd.graph").increment_version(3),
    "the version of numbers": lambda t: submodule(t, "autograd.graph").increment_version([3]),
    "rearranged axes": lambda t: t.func.rearrange(t.arange(24).view(2, 3, 4), "a ... (c d) -> (... d) c a", d=2),
    "rearranged matrices": lambda t: t.func.rearrange([t.ones(2, 3), t.zeros(2, 3)], "b h w -> h (b w)"),
    "a name on one side": lambda t: t.func.rearrange(t.ones(2, 3), "a b -> a"),
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


@programs
def transforms_record_in_inference_mode(t, nn):
    """Their results are normal Tensors, also of inference tensors."""

    def flags(x):
        seen.append((x.is_inference(), t.is_inference_mode_enabled(), t.is_grad_enabled(), t.ones(1).is_inference()))
        return (x.clone().mul_(2) ** 3).sum()

    def vjp(x):
        y, pull = t.func.vjp(t.sin, x)
        return y, pull(x.cos())[0]

    seen, found, f, x = [], [], t.func, t.tensor([0.5, -1.0])
    with t.inference_mode():
        for y in (x, x * 2):
            found += [
                f.grad(flags)(y), *f.grad_and_value(flags)(y), *f.jvp(t.sin, (y,), (y,)), *vjp(y), f.hessian(flags)(y),
                f.jacrev(t.sin)(y), f.jacfwd(t.sin)(y), f.grad(lambda a, b: (a * b).sin().sum())(x, y),
                f.grad(lambda y: f.grad(flags)(y).prod())(y), f.vmap(f.grad(t.sin))(y).clone(),
            ]  # fmt: skip
        modes = t.is_inference_mode_enabled(), t.is_grad_enabled()
    return found, [y.is_inference() for y in found[:-1]], seen[:2], modes


def overwrites_an_operand(x):
    y = x * 2
    z = y * y
    y[0] = 5.0
    w = y.exp() * z
    y.zero_()
    return w + y


def simulates(k):
    position, velocity = k.new_ones(2), k.new_zeros(2)
    for _ in range(5):
        velocity.add_(-0.1 * k * position)
        position.add_(0.1 * velocity)
    return position


@programs
def forward_mode_over_writes_to_operands(t, nn):
    x, found = t.tensor([0.3, 0.7]), []
    for f in overwrites_an_operand, simulates:
        found += [t.func.jvp(f, (x,), (x + 1,)), t.func.jacfwd(f)(x)]
        found += [t.func.vmap(t.func.jacfwd(f))(t.stack([x, x + 1]))]
    found += [t.func.linearize(lambda x: (y := x * 2) * x * y.add_(1), x)[1](x)]  # PyTorch's is wrong for the first f
    fw = submodule(t, "autograd.forward_ad")
    with fw.dual_level():
        dual = fw.make_dual(x.clone(), x + 1)
        product = dual * dual
        dual.zero_()
        found += [*fw.unpack_dual(product), *fw.unpack_dual(dual)]
    return found


@programs
def transforms_of_functions_that_do_not_differentiate_an_argument(t, nn):
    """Results are on a graph outside only if they depend on it."""
    x, w = randn(t, 3), randn(t, 3, seed=2).requires_grad_()
    found = []
    for f in (lambda a, b: a * b.detach(), lambda a, b: a * b.argmax()):
        found += t.func.jvp(f, (x, w), (x, x))
        y, pull = t.func.vjp(f, x, w)
        found += y, *pull(y.detach()), *t.func.jacrev(f, (0, 1))(x, w), *t.func.jacfwd(f, (0, 1))(x, w)
        y, push = t.func.linearize(f, x, w)
        found += y, push(x, x), t.func.grad(lambda a, f=f: f(a, w).sum())(x)
    inner = t.func.grad(lambda b: t.func.vjp(lambda a: a * b**2, x)[0].sum())(w)
    return [(y, y.requires_grad) for y in (*found, inner)]


def doubles(q):
    q.mul_(2)
    return (q * q).sum()


def doubles_a_view(q):
    q[0].mul_(2)
    return (q * q).sum()


def doubles_unrecorded(q):
    q.detach().mul_(2)
    return (q * q).sum()


for write in (doubles, doubles_a_view, doubles_unrecorded):
    for case, derive in {
        "grad": lambda f, write, w: f.grad(write)(w),
        "grad at a result": lambda f, write, w: f.grad(write)(w * 1),
        "vjp": lambda f, write, w: f.vjp(write, w)[1](w[0].detach()),
        "jacrev": lambda f, write, w: f.jacrev(write)(w),
        "vmap of grad": lambda f, write, w: f.vmap(f.grad(write))(w[:, None]),
        "hessian": lambda f, write, w: f.hessian(write)(w.detach()),
        "grad of grad": lambda f, write, w: f.grad(lambda q: f.grad(write)(q).sum())(w.detach()),
    }.items():
        programs[f"{case} of a function that {write.__name__}"] = lambda t, nn, derive=derive, write=write: (
            w := t.ones(2, requires_grad=True),
            derive(t.func, write, w),
        )


@programs
def functional_derivatives_of_a_function_that_writes(t, nn):
    functional, w = submodule(t, "autograd.functional"), t.ones(2, requires_grad=True)
    z = w * 1
    found = functional.jacobian(doubles, z, create_graph=True), z, functional.vjp(doubles_unrecorded, w)
    return *found, functional.vjp(doubles, w, create_graph=True)


@programs
def functions_that_look_at_the_memory_of_their_arguments(t, nn):
    f, functional, table = t.func, submodule(t, "autograd.functional"), t.arange(24.0).view(4, 6)

    def squares(z):
        seen.append((z.stride(), z.storage_offset(), z.is_contiguous()))
        return (z.as_strided((2, 2), (1, 3)) ** 2).sum()

    found, seen = [], []
    for z in table[:, ::2], table[1:, :3], table.T, table[:, ::2].detach().requires_grad_():
        found += [f.grad_and_value(squares)(z), f.vjp(squares, z)[0], f.jacrev(squares)(z), functional.vjp(squares, z)]
        found += [functional.jacobian(squares, z, create_graph=True), f.hessian(squares)(z.detach())]
    y, _ = f.vjp(lambda z: z, table)
    return found, seen[::6], y.data_ptr() == table.data_ptr()


@programs
def derivatives_of_what_vjp_and_linearize_returned(t, nn):
    """They require grad only if something around them does."""
    x, w, f = randn(t, 3), leaf(t, 3), t.func
    found = []
    for pulled in f.vjp(t.exp, x)[1], f.linearize(t.sin, x)[1], f.vjp(lambda x: (x * w).sin(), x)[1]:

        def back(v, pulled=pulled):
            y = pulled(v)
            return y[0] if isinstance(y, tuple) else y

        y, g = f.vjp(back, x)
        found += y, *g(x), *f.jvp(back, (x,), (x,)), f.grad(lambda v: back(v).sum())(x)
    return found, [y.requires_grad for y in found], t.autograd.grad(found[-2].sum(), w)


@programs
def vjp_under_no_grad_called_outside(t, nn):
    x = leaf(t, 3)
    with t.no_grad():
        y, f = t.func.vjp(lambda x: x**2, x)
        (inside,) = f(t.ones(3).double())
    (g,) = f(t.ones(3).double())
    return y, g, [v.requires_grad for v in (y, inside, g)], t.autograd.grad(g.sum(), x)


@programs
def tangents_where_the_gradient_is_not_the_derivative(t, nn):
    """Gradients leave out padding and clamps, and take the sign of an absolute value; forward mode doesn't."""
    f, functional, F, found = t.func, submodule(t, "autograd.functional"), nn.functional, []
    table, index, half = randn(t, 3, 2), t.tensor([0, 1, 1]), t.full((3,), 0.5).double()
    angles, modulus, variances = randn(t, 3), t.tensor([0.0, -1.0, 2.0]).double(), t.tensor([0.5, 1.0, 2.0]).double()
    for function, point in (
        (lambda w: F.embedding(index, w, padding_idx=1) ** 2, table),
        (lambda w: F.embedding(index, w, scale_grad_by_freq=True) ** 2, table),
        (lambda a: t.view_as_real(t.polar(a, angles * a)), modulus),
        (lambda v: F.gaussian_nll_loss(half, half * 2, v, reduction="none", eps=1.0), variances),
        (lambda v: F.gaussian_nll_loss(half[0], half[0] * 2, v, eps=1.0), half[0]),
        (lambda x: F.cosine_similarity(x, table, eps=1.0), table / 5),
    ):
        total = lambda x, function=function: function(x).sin().sum()  # noqa: E731
        found += f.jvp(function, (point,), (point + 1,)), f.jacfwd(function)(point), f.jacrev(function)(point)
        found += f.hessian(total)(point), f.jvp(f.grad(total), (point,), (point,))
        found += functional.jacobian(function, point, strategy="forward-mode", vectorize=True), f.grad(total)(point)
    return found


@programs
def dropout_of_transposed_tensors_in_a_transform(t, nn):
    f, F, x, found = t.func, nn.functional, t.ones(2, 5, 4), []
    encoder = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    for dropout in (
        lambda x: F.dropout(x.transpose(0, 1)),
        lambda x: F.dropout(x.transpose(0, 1).clone(), inplace=True),
        lambda x: F.alpha_dropout(x.mT, training=True),
        encoder,
    ):
        total = lambda x, dropout=dropout: (dropout(x) ** 2).sum()  # noqa: E731
        found += dropout(x), f.vjp(dropout, x)[0], f.jvp(dropout, (x,), (x,)), f.grad(total)(x), dropout(x)
    return found

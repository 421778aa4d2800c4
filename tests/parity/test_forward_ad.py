"""torch.autograd.forward_ad: values, tangents and errors of dual tensors, compared with PyTorch's."""

from __future__ import annotations

import copy

import pytest

import microgad

from .side_by_side import checked_programs, flags, leaf, randn, submodule
from .side_by_side import function as custom_function

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


def with_requires_grad(tensors):
    """The tensors, and which of them require grad."""
    return [*tensors], [x.requires_grad for x in tensors]


@programs
def forward_mode(t, nn):
    fw = submodule(t, "autograd.forward_ad")
    with fw.dual_level():
        a, b = (fw.make_dual(randn(t, *shape), randn(t, *shape, seed=2)) for shape in ((3,), (2, 3)))
        pairs = fw.unpack_dual((b @ a).exp()), fw.unpack_dual(a)
        return [with_requires_grad(pair) for pair in pairs], fw.unpack_dual(randn(t, 3)).tangent


@programs
def in_place_writes_to_a_dual(t, nn):
    fw, found = submodule(t, "autograd.forward_ad"), []
    for p in randn(t, 3), leaf(t, 3):
        with fw.dual_level():
            whole = fw.make_dual(p.clone(), randn(t, 3, seed=2))
            whole.mul_(2)
            found += (x.clone() for x in fw.unpack_dual(whole))
            part = whole[:1]
            part *= whole[1:2]
            found += (*fw.unpack_dual(whole), *fw.unpack_dual(part))
    return with_requires_grad(found)


@programs
def gradients_that_start_from_a_dual(t, nn):
    fw, found = submodule(t, "autograd.forward_ad"), []
    with fw.dual_level():
        x, seed = leaf(t, 3), fw.make_dual(randn(t, 3), randn(t, 3, seed=2))
        for options in {}, {"create_graph": True}, {"retain_graph": True}:
            found += (fw.unpack_dual(t.autograd.grad(y, x, seeds, **options)[0]) for y, seeds in (
                (x * 2, seed), (x * x, [seed]), ((x * x, (x * 2).sum()), (seed, None)),
            ))  # fmt: skip
        found.append(fw.unpack_dual(t.autograd.grad(x * 2, x, t.ones(3))[0]).tangent)
    return [pair if pair is None else with_requires_grad(pair) for pair in found]


def values_and_tangents(t, made):
    """The value and tangent of a dual tensor, used on their own, in a further dual and in a gradient."""
    fw, q = submodule(t, "autograd.forward_ad"), leaf(t, 3)
    with fw.dual_level():
        x = made(t, fw, q)
        value, tangent = fw.unpack_dual(x)
        bare = fw.unpack_dual(value).tangent is None, fw.unpack_dual(tangent * 2).tangent is None
        again = fw.unpack_dual(fw.make_dual(value * 3, randn(t, 3)) * value)
        y = fw.unpack_dual(x * value * tangent)
        return bare, with_requires_grad([*again, *y]), t.autograd.grad((y.primal + y.tangent).sum(), q)


@programs
def a_value_and_a_tangent_that_were_given_have_no_tangent(t, nn):
    return values_and_tangents(t, lambda t, fw, q: fw.make_dual(q, randn(t, 3, seed=2)))


@programs
def a_value_and_a_tangent_that_were_computed_have_no_tangent(t, nn):
    def made(t, fw, q):
        x = fw.make_dual(randn(t, 3), randn(t, 3, seed=2))
        return x * x * q

    return values_and_tangents(t, made)


def make_second_dual(t, made):
    """Call make_dual with a Tensor that already has a tangent."""
    fw = submodule(t, "autograd.forward_ad")
    with fw.dual_level():
        fw.make_dual(*made(fw.make_dual(randn(t, 3), randn(t, 3)) * 2))


@programs
def a_primal_that_has_a_tangent(t, nn):
    make_second_dual(t, lambda x: (x, randn(t, 3)))


@programs
def a_tangent_that_has_a_tangent(t, nn):
    make_second_dual(t, lambda x: (randn(t, 3), x))


@programs
def gradients_in_a_level_have_tangents(t, nn):
    """Hessian-vector products by forward mode over a backward pass, with duals on the graph and with dual leaves."""
    fw = submodule(t, "autograd.forward_ad")
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x, one, found = randn(t, 5, 3), randn(t, 3), []
    for on_graph in (False, True):
        primals = {n: p if on_graph else p.detach() for n, p in net.named_parameters()}
        with fw.dual_level():
            duals = {n: fw.make_dual(p, t.ones_like(p)) for n, p in primals.items()}
            if not on_graph:
                duals = {n: p.requires_grad_() for n, p in duals.items()}
            loss = t.func.functional_call(net, duals, (x,)).pow(2).sum()
            gradients = t.autograd.grad(loss, list(duals.values()), retain_graph=True)
            found += [fw.unpack_dual(g) for g in gradients] + [fw.unpack_dual(gradients[0].sin() * 2)]
            w = leaf(t, 3)
            found.append(fw.unpack_dual(fw.make_dual(one, one * 2) * w))
            found.append(fw.unpack_dual(t.autograd.grad(loss * 2, duals["0.bias"])[0] * t.ones(4, dtype=t.double)))
    return [(u.primal, u.tangent, u.tangent.requires_grad) for u in found]


@programs
def repr_of_duals(t, nn):
    fw = submodule(t, "autograd.forward_ad")
    with fw.dual_level():
        x, p = fw.make_dual(t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0])), t.ones(2, requires_grad=True)
        wide = fw.make_dual(t.ones(2, 2, dtype=t.float64), t.ones(2, 2, dtype=t.float64)) ** 2
        return [repr(each) for each in (x, x.sum(), x * 2, x > 1, wide, x.detach(), p, p * 2)]


@programs
def one_tangent_that_requires_grad_and_one_that_does_not(t, nn):
    fw = submodule(t, "autograd.forward_ad")
    with fw.dual_level():
        x, y = fw.make_dual(randn(t, 3), randn(t, 3, seed=2)), fw.make_dual(leaf(t, 3), randn(t, 3, seed=2))
        return with_requires_grad([*fw.unpack_dual(x * 2), *fw.unpack_dual(x * y)])


@programs
def writes_to_a_dual_are_seen_in_its_primal(t, nn):
    fw, x, p = submodule(t, "autograd.forward_ad"), randn(t, 3), leaf(t, 3)
    with fw.dual_level():
        dual = fw.make_dual(x, randn(t, 3, seed=2))
        dual.mul_(2)
        dual[:1] *= 3
        found = [*fw.unpack_dual(dual), x.clone()]
        x.zero_()
        with pytest.raises(RuntimeError, match="view of a leaf"):
            fw.make_dual(p, randn(t, 3)).mul_(2)
        inner = p * 2
        part = fw.make_dual(inner, randn(t, 3, seed=3)).mul_(2)
        return [*found, inner, *t.autograd.grad(part.sum(), p)]


def after_a_write(write):
    """A program that writes to duals whose tangents lie in memory in different ways."""

    def program(t, nn):
        fw, found = submodule(t, "autograd.forward_ad"), []
        rows, columns = t.arange(6.0).reshape(2, 3), t.ones(3, 2)
        for tangent in t.ones(3), rows[0], rows[1], columns[:, 0], t.ones(()).expand(3):
            primal = t.arange(3.0)
            with fw.dual_level():
                dual = fw.make_dual(primal, tangent)
                before, view = dual.sin(), dual[:2]
                write(t, dual)
                found += [fw.unpack_dual(x).tangent for x in (dual, before, view, dual * dual)]
            found += primal, tangent.clone(), rows.clone(), columns.clone()
        return found

    return program


def scale_in_place(t, x):
    scale = custom_function(
        t,
        forward=lambda x: x.mul_(5),
        setup_context=lambda ctx, inputs, output: ctx.mark_dirty(*inputs),
        jvp=lambda ctx, tangent: tangent.mul_(5),
    )
    return scale.apply(x)


for case, write in {
    "mul_": lambda t, x: x.mul_(3),
    "exp_": lambda t, x: x.exp_(),
    "zero_": lambda t, x: x.zero_(),
    "copy_ of a constant": lambda t, x: x.copy_(t.ones(3)),
    "add_ of itself": lambda t, x: x.add_(x).mul_(2),
    "setitem": lambda t, x: x.__setitem__(0, x[1] * 2),
    "through a view": lambda t, x: x.view(3, 1)[1:].sin_().mul_(x[0]),
    "a custom Function": scale_in_place,
}.items():
    programs[f"a tangent is written to by {case}"] = after_a_write(write)


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
def dual_of_integers(t, nn):
    forward = submodule(t, "autograd.forward_ad")
    with forward.dual_level():
        forward.make_dual(t.ones(2, dtype=t.int64), t.ones(2, dtype=t.int64))


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
def what_depends_on_duals_alone_requires_no_grad(t, nn):
    fw, x, w, v = submodule(t, "autograd.forward_ad"), randn(t, 3), leaf(t, 3), leaf(t, 3)
    base, average = t.zeros(4, dtype=t.double), t.zeros(3, dtype=t.double)
    part, held = base[:3], randn(t, 3)
    with fw.dual_level():
        y = fw.make_dual(x, randn(t, 3, seed=2)) * 2
        part.copy_(y)
        held.mul_(y)
        average = 0.5 * average + 0.5 * y
        largest, pieces, z, by_tangent = y.max(0).values, y.split([1, 2]), y * w, fw.make_dual(x, v) ** 2
        (gradient,) = t.autograd.grad((y * w**2).sum(), w)
        with t.no_grad():
            shown = y[:2]
        kept = shown, part, base, held, average, largest, *pieces, z, by_tangent, gradient
        found = flags(y, *kept), y.cpu().numpy().tolist(), copy.deepcopy(y), fw.unpack_dual(base).tangent
    z.sum().backward()
    return *found, flags(y, *kept), base.cpu().numpy().tolist(), w.grad, base.mul_(2), average


@programs
def results_of_a_level_under_no_grad_require_no_grad(t, nn):
    fw, net = submodule(t, "autograd.forward_ad"), nn.Linear(3, 2).double()
    before = net.weight * 2
    with t.no_grad(), fw.dual_level():
        x, own = fw.make_dual(randn(t, 1, 3), randn(t, 1, 3, seed=2)), leaf(t, 3)
        weight = fw.make_dual(net.weight, randn(t, 2, 3, seed=3))
        results = x, net(x), nn.functional.linear(x, weight), net.weight * own, before, own, net.weight
        found = flags(*results), weight.requires_grad, [fw.unpack_dual(y).tangent for y in (weight, *results)]
        numbers = net(x).numpy().tolist()
    before.sum().backward()
    return *found, numbers, flags(*results), net.weight.grad


@programs
def forward_gradient_descent_in_a_level_under_no_grad(t, nn):
    fw, weight, losses = submodule(t, "autograd.forward_ad"), nn.Parameter(randn(t, 3, 2)), []
    scaled, total, best = weight * 2, t.zeros(2, dtype=t.float64), t.zeros(2, dtype=t.float64)
    for i in range(3):
        with t.no_grad(), fw.dual_level():
            direction = randn(t, 3, 2, seed=i)
            loss = (randn(t, 4, 3) @ fw.make_dual(weight, direction)).square().mean()
            losses.append(loss.item())
            total += fw.unpack_dual(loss).tangent
            best[i % 2] = loss
            tangent = fw.unpack_dual(best.mul_(2)).tangent
            weight.sub_(direction, alpha=0.1 * fw.unpack_dual(loss).tangent.item())
            weight[0].copy_(weight[1] * 2)
            scaled.add_(weight)
            losses.append(tangent)
    scaled.sum().backward()
    return *losses, weight.detach(), weight.grad, total, best, flags(weight, scaled, total, best), weight.is_leaf


@programs
def backward_from_duals_alone(t, nn):
    fw = submodule(t, "autograd.forward_ad")
    with fw.dual_level():
        (fw.make_dual(randn(t, 3), randn(t, 3, seed=2)) * 2).sum().backward()


@programs
def duals_that_become_leaves(t, nn):
    fw, found = submodule(t, "autograd.forward_ad"), []
    for change in (lambda d: d, lambda d: d.clone(), lambda d: d * 2, lambda d: d[1:]):
        with fw.dual_level():
            d = change(fw.make_dual(randn(t, 3), randn(t, 3, seed=2)))
            before = d * 5
            d.requires_grad_()
            y = d**3 * before
            y.sum().backward()
            pair = fw.unpack_dual(y)
            found += [*flags(d, before, y, *pair), d.grad, *pair, *fw.unpack_dual(d), *fw.unpack_dual(before)]
            with pytest.raises(RuntimeError, match="leaf Variable"):
                d.mul_(2)
            found += fw.unpack_dual(d.requires_grad_(False) * 3)
        found += flags(d, before, y)
    return found


@programs
def a_parameter_that_becomes_a_dual_and_a_leaf_again(t, nn):
    fw, p = submodule(t, "autograd.forward_ad"), leaf(t, 3)
    p.requires_grad_(False)
    with fw.dual_level():
        p.copy_(fw.make_dual(randn(t, 3), randn(t, 3, seed=2)))
        y = (p.requires_grad_() ** 2).sum()
        y.backward()
        return fw.unpack_dual(y).tangent, p.grad, flags(p)


@programs
def tangents_after_a_backward_pass(t, nn):
    fw, w = submodule(t, "autograd.forward_ad"), leaf(t, 3)
    with fw.dual_level():
        x = fw.make_dual(randn(t, 3), randn(t, 3, seed=2))
        y, z = (x * w).sin(), (x * w).cos()
        (y**2).sum().backward()
        t.autograd.grad(fw.unpack_dual(z).tangent.sum(), w)
        return fw.unpack_dual(y).tangent, fw.unpack_dual(z).tangent, w.grad, fw.unpack_dual(w.grad).tangent


@programs
def functional_in_a_level(t, nn):
    """Its results have a tangent only with create_graph, and only by what its inputs are not."""
    fw, AF = submodule(t, "autograd.forward_ad"), submodule(t, "autograd.functional")
    x, found = randn(t, 3), []
    with fw.dual_level():
        d = fw.make_dual(randn(t, 3, seed=1), randn(t, 3, seed=2))
        for create_graph in (False, True):
            for at, v, c in (d, x, x), (x, d, x), (x, x, d):
                f, total = (lambda a, c=c: a**3 * c), (lambda a, c=c: (a**3 * c).sum())
                for g, transform in (f, AF.jvp), (f, AF.vjp), (total, AF.hvp), (total, AF.vhp):
                    found += transform(g, at, v, create_graph=create_graph)
                found += AF.jacobian(f, at, create_graph), AF.hessian(total, at, create_graph)
        return [(*fw.unpack_dual(y), y.requires_grad) for y in found]


@programs
def what_depends_on_no_dual_has_gradients_in_a_level(t, nn):
    fw, w = submodule(t, "autograd.forward_ad"), leaf(t, 3)
    with fw.dual_level():
        x = fw.make_dual(randn(t, 3), t.ones(3))
        y = (w * 1).mul_(w)
        (y.sin() * x).sum().backward()
        return y.requires_grad, w.grad


@programs
def a_gradient_with_a_tangent_has_no_gradients(t, nn):
    fw, w, v = submodule(t, "autograd.forward_ad"), leaf(t, 3), leaf(t, 3)
    with fw.dual_level():
        x = fw.make_dual(v, t.ones(3))
        (gradient,) = t.autograd.grad((x * x * w).sum(), x)
        (gradient * w).sum().backward()
        return fw.unpack_dual(gradient).tangent, w.grad, v.grad


@programs
def tangents_of_gradients_that_are_zero_but_exist(t, nn):
    fw, x, one = submodule(t, "autograd.forward_ad"), randn(t, 2, 1, 4), t.ones(2, 2).double()
    with fw.dual_level():
        d = fw.make_dual(randn(t, 2, 2), randn(t, 2, 2, seed=2))
        g = fw.make_dual(randn(t, 2, 1, 3), randn(t, 2, 1, 3, seed=2))
        results = t.addmm(d, one, one, beta=0), t.nn.grad.conv1d_weight(x, (1, 1, 2), g)
        return [with_requires_grad(fw.unpack_dual(y)) for y in results]


@pytest.mark.parametrize("write", [lambda lib, d: lib.mul(lib.ones(2), 2, out=d), lambda lib, d: lib.zeros(2).set_(d)])
def test_writes_without_a_tangent_are_refused(write):
    with microgad.autograd.forward_ad.dual_level():
        dual = microgad.autograd.forward_ad.make_dual(microgad.ones(2), microgad.ones(2))
        with pytest.raises(RuntimeError, match=r"requires? grad"):
            write(microgad, dual)

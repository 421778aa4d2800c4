"""torch.autograd.forward_ad: values that carry tangents."""

from __future__ import annotations

import pytest

from .both import Programs, leaf, numbers, room

programs = Programs()


@pytest.mark.parametrize("name", programs)
def test_it_gives_the_same_or_raises_the_same(name):
    programs.check(name, in_words=False, warned_alike=False)


def wanting(tensors):
    """Tensors, and which of them want a gradient."""
    return [*tensors], [x.requires_grad for x in tensors]


@programs
def forward_mode(t, nn):
    fw = room(t, "autograd.forward_ad")
    with fw.dual_level():
        a, b = (fw.make_dual(numbers(t, *shape), numbers(t, *shape, seed=2)) for shape in ((3,), (2, 3)))
        pairs = fw.unpack_dual((b @ a).exp()), fw.unpack_dual(a)
        return [wanting(pair) for pair in pairs], fw.unpack_dual(numbers(t, 3)).tangent


@programs
def a_dual_that_is_written_to(t, nn):
    fw, found = room(t, "autograd.forward_ad"), []
    for p in numbers(t, 3), leaf(t, 3):
        with fw.dual_level():
            whole = fw.make_dual(p.clone(), numbers(t, 3, seed=2))
            whole.mul_(2)
            found += (x.clone() for x in fw.unpack_dual(whole))
            part = whole[:1]
            part *= whole[1:2]
            found += (*fw.unpack_dual(whole), *fw.unpack_dual(part))
    return wanting(found)


def values_and_tangents(t, made):
    fw, q = room(t, "autograd.forward_ad"), leaf(t, 3)
    with fw.dual_level():
        x = made(t, fw, q)
        value, tangent = fw.unpack_dual(x)
        bare = fw.unpack_dual(value).tangent is None, fw.unpack_dual(tangent * 2).tangent is None
        again = fw.unpack_dual(fw.make_dual(value * 3, numbers(t, 3)) * value)
        y = fw.unpack_dual(x * value * tangent)
        return bare, wanting([*again, *y]), t.autograd.grad((y.primal + y.tangent).sum(), q)


@programs
def a_value_and_a_tangent_that_were_given_have_no_tangent(t, nn):
    return values_and_tangents(t, lambda t, fw, q: fw.make_dual(q, numbers(t, 3, seed=2)))


@programs
def a_value_and_a_tangent_that_were_computed_have_no_tangent(t, nn):
    def made(t, fw, q):
        x = fw.make_dual(numbers(t, 3), numbers(t, 3, seed=2))
        return x * x * q

    return values_and_tangents(t, made)


def given_once_more(t, made):
    fw = room(t, "autograd.forward_ad")
    with fw.dual_level():
        fw.make_dual(*made(fw.make_dual(numbers(t, 3), numbers(t, 3)) * 2))


@programs
def a_primal_that_has_a_tangent(t, nn):
    given_once_more(t, lambda x: (x, numbers(t, 3)))


@programs
def a_tangent_that_has_a_tangent(t, nn):
    given_once_more(t, lambda x: (numbers(t, 3), x))


@programs
def gradients_in_a_level_have_tangents(t, nn):
    """A product with the Hessian, by forward mode over one backward pass; a leaf inside wants its gradient."""
    fw = room(t, "autograd.forward_ad")
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x, one, found = numbers(t, 5, 3), numbers(t, 3), []
    for on_graph in (False, True):
        given = {n: p if on_graph else p.detach() for n, p in net.named_parameters()}
        with fw.dual_level():
            duals = {n: fw.make_dual(p, t.ones_like(p)) for n, p in given.items()}
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
def what_a_dual_prints(t, nn):
    fw = room(t, "autograd.forward_ad")
    with fw.dual_level():
        x, p = fw.make_dual(t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0])), t.ones(2, requires_grad=True)
        wide = fw.make_dual(t.ones(2, 2, dtype=t.float64), t.ones(2, 2, dtype=t.float64)) ** 2
        return [repr(each) for each in (x, x.sum(), x * 2, x > 1, wide, x.detach(), p, p * 2)]


@programs
def one_tangent_on_a_graph_beside_another(t, nn):
    fw = room(t, "autograd.forward_ad")
    with fw.dual_level():
        x, y = fw.make_dual(numbers(t, 3), numbers(t, 3, seed=2)), fw.make_dual(leaf(t, 3), numbers(t, 3, seed=2))
        return wanting([*fw.unpack_dual(x * 2), *fw.unpack_dual(x * y)])

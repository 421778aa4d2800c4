"""Levels of transforms: which hooks they call, and which of their results require grad. Both libraries run this."""

from __future__ import annotations

from .side_by_side import checked_programs, leaf, randn, submodule

programs, test_program_behaves_as_in_torch = checked_programs(messages=False, warning_classes=False)


def hooked(m, kind, calls):
    """The Tensor, with a hook that adds to `calls`, and multiplies its gradient by 10."""

    def scale(g):
        calls.append(kind)
        return g * 10

    if kind == "tensor":
        m.register_hook(scale)
    elif kind == "node":
        m.grad_fn.register_hook(lambda inputs, outputs: (scale(inputs[0]), *inputs[1:]))
    else:
        m.grad_fn.register_prehook(lambda grads: (scale(grads[0]),))
    return m


def along(t, f, x):
    return t.func.jvp(f, (x,), (x.cos(),))


for case, derive in {
    "a gradient of a gradient": lambda t, f, x: t.func.grad(lambda x: t.func.grad(f)(x).sin().sum())(x),
    "a Hessian": lambda t, f, x: t.func.hessian(f)(x),
    "a Jacobian of a gradient": lambda t, f, x: t.func.jacrev(t.func.grad(f))(x),
    "a derivative along a gradient": lambda t, f, x: along(t, t.func.grad(f), x),
    "an output of vjp": lambda t, f, x: t.autograd.grad(t.func.vjp(f, x)[0], x),
    "a pullback": lambda t, f, x: t.autograd.grad(t.func.vjp(f, x)[1](t.ones(()).double())[0].sum(), x),
    "a value": lambda t, f, x: t.autograd.grad(t.func.grad_and_value(f)(x)[1], x),
    "jvp": along,
    "jacfwd": lambda t, f, x: t.func.jacfwd(f)(x),
    "the jvp of linearize": lambda t, f, x: t.func.linearize(f, x.detach())[1](x),
    "a gradient of jvp": lambda t, f, x: t.func.grad(lambda x: along(t, f, x)[1])(x),
    "functional.jvp": lambda t, f, x: submodule(t, "autograd.functional").jvp(f, x, x),
}.items():
    for kind in ("tensor", "node", "prehook") if "jvp" not in case and "jac" not in case else ("tensor",):

        def with_hook(t, nn, derive=derive, kind=kind):
            """A hook belongs to the transform in which it is registered, and forward mode has none."""
            calls = []
            return derive(t, lambda x: hooked(x.sin(), kind, calls).exp().sum(), leaf(t, 3)), calls

        programs[f"{kind} hook in {case}"] = with_hook


@programs
def a_gradient_inside_a_gradient_calls_its_hooks_too(t, nn):
    def inner(x):
        return t.autograd.grad((hooked(x.sin(), "tensor", calls) ** 2).sum(), x, create_graph=True)[0].sum()

    calls = []
    return t.func.grad(inner)(randn(t, 3)), calls


@programs
def hooks_do_not_change_tangents(t, nn):
    fw, found = submodule(t, "autograd.forward_ad"), []
    for kind in ("tensor", "node", "prehook"):
        p, calls = leaf(t, 3), []
        with fw.dual_level():
            m = hooked(fw.make_dual(p, randn(t, 3, seed=2)).sin(), kind, calls)
            m.retain_grad()
            found += [fw.unpack_dual(m * m).tangent.detach(), list(calls), m.grad]
            (m * m).sum().backward()
            found += [p.grad, calls]
    return found


for method, args in ("register_hook", (print,)), ("retain_grad", ()):

    def on_a_dual(t, nn, method=method, args=args):
        fw = submodule(t, "autograd.forward_ad")
        with fw.dual_level():
            getattr(fw.make_dual(randn(t, 3), randn(t, 3)) * 2, method)(*args)

    programs[f"{method} of a dual Tensor"] = on_a_dual


@programs
def tangents_do_not_go_through_backward_hooks_of_modules(t, nn):
    found = []
    for register in ("register_full_backward_hook", "register_full_backward_pre_hook"):
        layer = nn.Linear(3, 2).double()
        getattr(layer, register)(lambda module, *grads: (grads[0][0] * 10,))
        found += t.func.jvp(lambda x, layer=layer: layer(x).sin(), (randn(t, 3),), (randn(t, 3, seed=2),))
    return found


@programs
def hooks_on_the_node_of_an_argument_of_a_hessian(t, nn):
    def of(x):
        x.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 10,))
        return (x**3).sum()

    functional = submodule(t, "autograd.functional")
    return [functional.hessian(of, x, create_graph=g) for x in (randn(t, 3), leaf(t, 3)) for g in (False, True)]


def with_aux(t, w):
    """Calls of transforms of functions that close over w, which requires grad, or don't."""

    def scalar(x):
        return (x**2).sum(), (w * 2, x * 2, x, w * x, x.detach() * 1)

    def several(x):
        return x**2, w * 2, x * w

    def square(x):
        return x**2, w * 2

    def pulled(f, x, **options):
        y, pull, *aux = t.func.vjp(f, x, **options)
        return y, aux, pull(y), pull(t.func.vjp(f, randn(t, 3), **options)[0])

    def inner(x):
        gradient, (value, aux) = t.func.grad_and_value(scalar, has_aux=True)(x)
        return (gradient * w.detach()).sum() + value, (gradient, value, aux)

    return {
        "grad": t.func.grad(scalar, has_aux=True),
        "grad_and_value": t.func.grad_and_value(scalar, has_aux=True),
        "a value of w": t.func.grad_and_value(lambda x: (x**2).sum() + w.sum()),
        "two arguments": lambda x: t.func.grad(lambda x, y: (x**2 + w * y).sum(), (0, 1))(x, x),
        "an argument as aux": lambda x: t.func.grad_and_value(lambda x, y: ((x * y).sum(), x), (0, 1), True)(x, w),
        "vjp": lambda x: pulled(several, x),
        "vjp with aux": lambda x: pulled(square, x, has_aux=True),
        "jvp": lambda x: t.func.jvp(several, (x,), (x,)),
        "jvp with aux": lambda x: t.func.jvp(square, (x,), (x,), has_aux=True),
        "jacrev": t.func.jacrev(square, has_aux=True),
        "jacfwd": t.func.jacfwd(several),
        "jacfwd with aux": t.func.jacfwd(square, has_aux=True),
        "linearize": lambda x: t.func.linearize(several, x)[0],
        "a gradient inside": t.func.grad_and_value(inner, has_aux=True),
    }


def which_require_grad(found):
    """The structure of results, with whether each requires grad."""
    if hasattr(found, "requires_grad"):
        return found.requires_grad
    return [which_require_grad(x) for x in found]


@programs
def results_require_grad_if_they_depend_on_something_outside(t, nn):
    found = {}
    for outside in (False, True):
        x = randn(t, 3).requires_grad_(outside)
        for name, call in with_aux(t, leaf(t, 3, seed=2)).items():
            y = call(x)
            found[name, outside] = which_require_grad(y), y
    return list(found.values())


for empty in ({}, (), []):

    def of_nothing(t, nn, empty=empty):
        """As of the parameters of a module without parameters."""
        x, w, f = randn(t, 3), leaf(t, 3), t.func
        functions = (lambda p, *_: w.sum()), (lambda p, *_: (x * w).sum()), (lambda p, *_: x.sum())
        return [(f.grad(of)(empty), f.grad_and_value(of)(empty, x), f.vjp(of, empty)[1](w.sum())) for of in functions]

    programs[f"derivatives by {empty}"] = of_nothing

"""Faults made by a wrapper around any derivative or forward, which changes its result or its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from microgad.function import Function, Tensor
from microgad.function.linear_map import LinearMap
from microgad.ops.elementwise import Exp, Sign

from .fault import Fault
from .plant import replaced
from .targets import Derivative, entries_of

Call = Callable[..., Any]


def bare(x: Any) -> Any:
    """The array of a Tensor, which detaches it; arrays are returned as they are."""
    return x.array if isinstance(x, Tensor) else x


def around(method: Any, change: Callable[..., Any]) -> Any:
    """Wrap a derivative in `change(call, node, grad, kept)`, with the same signature, as that names what it reads."""
    names = method.__code__.co_varnames[: method.__code__.co_argcount]
    kept = "".join(f"{name}, " for name in names[2:])
    source = f"lambda {', '.join(names)}: change(method, {names[0]}, {names[1]}, ({kept}))"
    return eval(source, {"change": change, "method": method})


def result(change: Callable[[Any], Any], which: int | None = None) -> Callable[..., Any]:
    """A wrapper that changes the gradient; of a tuple only the one with the given index."""

    def changed(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
        found = call(node, grad, *kept)
        if not isinstance(found, tuple):
            return change(found)
        return tuple(change(g) if g is not None and which in (None, i) else g for i, g in enumerate(found))

    return changed


# Changes of a gradient, which may be an array or a Tensor


def negated(g: Any) -> Any:
    return -g


def doubled(g: Any) -> Any:
    return g * 2


def averaged(g: Any) -> Any:
    return g / max(1, bare(g).size)


def rolled(g: Any) -> Any:
    return np.concatenate([g[-1:], g[:-1]]) if g.ndim and g.shape[0] > 1 else g


def rolled_at_the_end(g: Any) -> Any:
    return np.concatenate([g[..., 1:], g[..., :1]], -1) if g.ndim and g.shape[-1] > 1 else g


def flipped(g: Any) -> Any:
    return np.flip(g, g.ndim - 1).copy() if g.ndim and not isinstance(g, Tensor) else np.flip(g, -1) if g.ndim else g


def transposed(g: Any) -> Any:
    return np.swapaxes(g, -1, -2) if g.ndim > 1 and g.shape[-1] == g.shape[-2] else g


def first_lost(g: Any) -> Any:
    return g * _mask(g, lambda at: at > 0) if g.ndim and g.shape[0] > 1 else g


def with_nan(g: Any) -> Any:
    return g + _mask(g, lambda at: np.where(at == 0, np.nan, 0.0)) if bare(g).size else g


def rounded(g: Any) -> Any:
    return np.astype(np.astype(g, np.float32), bare(g).dtype)


def a_little_more(g: Any) -> Any:
    return g * (1 + 1e-5)


def offset(g: Any) -> Any:
    return g + 0.125


def wide_wrong(g: Any) -> Any:
    return g * _mask(g, lambda at: np.where(at > 2, 0.5, 1.0)) if g.ndim and g.shape[-1] > 3 else g


def _mask(g: Any, of: Callable[[Any], Any]) -> Any:
    """A factor or summand for each element, computed from its index in row-major order."""
    size = bare(g).size
    return np.asarray(of(np.arange(size)), bare(g).dtype).reshape(tuple(g.shape))


# Changes of a call


def frozen_values(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    return call(node, grad, *(Tensor._wrap(x.array) if isinstance(x, Tensor) else x for x in kept))


def rounded_values(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    return call(node, grad, *(rounded(x) if getattr(bare(x), "dtype", None) == np.float64 else x for x in kept))


def wrong_when_recorded(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    recorded = any(isinstance(g, Tensor) for g in (grad if isinstance(grad, tuple) else (grad,)))
    return result(doubled if recorded else lambda g: g)(call, node, grad, kept)


def magnitude(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    return call(node, tuple(map(np.absolute, grad)) if isinstance(grad, tuple) else np.absolute(grad), *kept)


def writes_to_grad(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    found = call(node, grad, *kept)
    for g in grad if isinstance(grad, tuple) else (grad,):
        bare(g)[...] *= 2
    return result(lambda g: g.copy())(lambda *_: found, node, grad, kept)


def writes_to_kept(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    found = call(node, grad, *kept)
    for x in kept:
        if isinstance(bare(x), np.ndarray) and bare(x).dtype.kind == "f":
            bare(x)[...] *= 1.5
            break
    return found


def returns_a_kept_array(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    found = call(node, grad, *kept)
    for x in kept:
        if type(found) is np.ndarray and type(x) is np.ndarray and (x.shape, x.dtype) == (found.shape, found.dtype):
            x[...] = found
            return x
    return found


def fails_if_empty(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    if any(bare(g).size == 0 for g in (grad if isinstance(grad, tuple) else (grad,))):
        raise ZeroDivisionError("mean of nothing")
    return call(node, grad, *kept)


def wrong_shape_if_empty(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    return result(lambda g: g.reshape((0,)) if bare(g).size == 0 else g)(call, node, grad, kept)


def wrong_if_strided(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    strided = not bare(grad[0] if isinstance(grad, tuple) else grad).flags.c_contiguous
    return result(doubled if strided else lambda g: g)(call, node, grad, kept)


def wrong_in_float32(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    single = bare(grad[0] if isinstance(grad, tuple) else grad).dtype == np.float32
    return result(doubled if single else lambda g: g)(call, node, grad, kept)


def wrong_if_alone(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
    alone = sum(edge is not None for edge in node.edges) == 1 < len(node.edges)
    return result(doubled if alone else lambda g: g)(call, node, grad, kept)


def _where(condition: Callable[[Any], Any]) -> Callable[..., Any]:
    """Double the gradient where a kept value of the same shape meets a condition."""

    def changed(call: Call, node: Any, grad: Any, kept: tuple[Any, ...]) -> Any:
        def double(g: Any) -> Any:
            for x in map(bare, kept):
                if isinstance(x, np.ndarray) and x.shape == tuple(g.shape):
                    return g * np.where(condition(x), 2, 1).astype(bare(g).dtype)
            return g

        return result(double)(call, node, grad, kept)

    return changed


def _ties(x: Any) -> Any:
    _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (counts[which] > 1).reshape(x.shape)


wrong_at_ties, wrong_at_zeros, wrong_if_negative = _where(_ties), _where(lambda x: x == 0), _where(lambda x: x < 0)

# kind -> (the change of a gradient, the pattern of the likely mistake)
RESULT_CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sign": (negated, "a sign"),
    "factor 2": (doubled, "a factor"),
    "1/N too much": (averaged, "1/N"),
    "transposed": (transposed, "transposed"),
    "rolled by one": (rolled, ""),
    "rolled by one at the end": (rolled_at_the_end, ""),
    "flipped": (flipped, ""),
    "first slice lost": (first_lost, ""),
    "NaN": (with_nan, ""),
    "float32 rounding": (rounded, ""),
    "100 000th part more": (a_little_more, ""),
    "constant added": (offset, ""),
    "wrong from index 3 on": (wide_wrong, ""),
}
CALL_CHANGES: dict[str, Callable[..., Any]] = {
    "wrong second derivative only": wrong_when_recorded,
    "magnitude of the gradient": magnitude,
    "writes into the gradient": writes_to_grad,
    "raises on nothing": fails_if_empty,
    "wrong shape on nothing": wrong_shape_if_empty,
    "wrong if strided": wrong_if_strided,
    "wrong in float32": wrong_in_float32,
}
READER_CHANGES: dict[str, Callable[..., Any]] = {
    "kept values off the graph": frozen_values,
    "kept values rounded to float32": rounded_values,
    "writes into what it kept": writes_to_kept,
    "gives what it kept": returns_a_kept_array,
    "wrong at ties only": wrong_at_ties,
    "wrong at zeros only": wrong_at_zeros,
    "wrong where negative": wrong_if_negative,
}


def wrapped(derivative: Derivative) -> Iterator[Fault]:
    """Every wrapper around a derivative. Of several gradients, only the first gets those that change the call."""
    for kind, (change, pattern) in RESULT_CHANGES.items():
        yield _fault(derivative, kind, result(change, derivative.part), pattern)
    if derivative.part:
        return
    others = dict(CALL_CHANGES)
    if derivative.method.__code__.co_argcount > 2:
        others |= READER_CHANGES
    if len(derivative.cls.inputs) > 1 and derivative.name != "adjoint":
        others["wrong if alone"] = wrong_if_alone
    if derivative.cls.decomposed is not None:  # second derivatives are those of the decomposition
        del others["wrong second derivative only"]
        others.pop("kept values off the graph", None)
    for kind, change in others.items():
        yield _fault(derivative, kind, change, "")


def _fault(derivative: Derivative, kind: str, change: Callable[..., Any], pattern: str) -> Fault:
    cls, name, _, entries = derivative
    owner = cls
    if kind == "wrong second derivative only" and issubclass(cls, LinearMap):
        owner, change = cls.transposed, result(doubled)  # its adjoint is the second derivative
    plant = replaced(owner, **{name: around(getattr(owner, name), change)})
    return Fault(kind, derivative.place, "wrapped", plant, entries, cls, pattern)


def of_broadcast(cls: type[Function]) -> Iterator[Fault]:
    """Undo broadcasting by the first gradient along an axis, or by the mean, in place of the sum."""
    if cls.promote is None or len(cls.inputs) < 2:
        return
    forward = cls.forward

    def record_shapes(call: Call, node: Any, first: Any, others: tuple[Any, ...]) -> Any:
        vars(node)["recorded_shapes"] = [np.shape(x) for x in (first, *others)]
        return call(node, first, *others)

    for i, name in enumerate(cls.inputs):
        method = getattr(cls, f"grad_{name}", None)
        for kind, weight, pattern in (
            ("missing sum", lambda n: np.arange(n) == 0, "a missing sum"),
            ("mean for sum", lambda n: np.full(n, 1 / max(n, 1)), "a missing sum|1/N"),
        ):
            if method is not None:

                def change(
                    call: Call, node: Any, grad: Any, kept: tuple[Any, ...], i: int = i, weight: Any = weight
                ) -> Any:
                    return _weighted(call(node, grad, *kept), vars(node)["recorded_shapes"][i], weight)

                bodies = {"forward": around(forward, record_shapes), f"grad_{name}": around(method, change)}
                place = f"{cls.__name__}.grad_{name}"
                yield Fault(kind, place, "over broadcast axes", replaced(cls, **bodies), entries_of(cls), cls, pattern)


def _weighted(g: Any, shape: tuple[int, ...], weight: Callable[[int], Any]) -> Any:
    lead = g.ndim - len(shape)
    for axis, n in enumerate(g.shape):
        if n > 1 and (axis < lead or shape[axis - lead] == 1):
            g = g * np.asarray(weight(n), bare(g).dtype).reshape((n,) + (1,) * (g.ndim - 1 - axis))
    return g


def of_forward(cls: type[Function]) -> Iterator[Fault]:
    """Change a forward, or make it break a law, without its derivative."""
    forward = vars(cls).get("forward")
    if forward is None or cls.variadic or forward is vars(cls).get("adjoint"):
        return

    def changed(change: Callable[[Any], Any]) -> Callable[..., Any]:
        def body(call: Call, node: Any, first: Any, others: tuple[Any, ...]) -> Any:
            out = call(node, first, *others)
            return (change(out[0]), *out[1:]) if isinstance(out, tuple) else change(np.asarray(out))

        return body

    def writing(call: Call, node: Any, first: Any, others: tuple[Any, ...]) -> Any:
        out = call(node, first, *others)
        out = out.copy() if isinstance(out, np.ndarray) else out
        for x in (first, *others):
            if isinstance(x, np.ndarray) and x.dtype.kind == "f":
                x[...] *= 0.5
                break
        return out

    def keeping(call: Call, node: Any, first: Any, others: tuple[Any, ...]) -> Any:
        vars(node)["more"] = first
        return call(node, first, *others)

    bodies = {
        "forward: float64": changed(lambda y: y.astype(np.float64) if y.dtype.kind == "f" else y),
        "forward: float32 rounding": changed(lambda y: rounded(y) if y.dtype.kind == "f" else y),
        "forward: a tenth more": changed(lambda y: y * y.dtype.type(1.1) if y.dtype.kind == "f" else y),
        "forward: writes into its input": writing,
        "forward: keeps its input": keeping,
    }
    if any(method and cls.__name__ in method.__code__.co_names for method in (*cls.derivatives, cls.joint)):
        del bodies["forward: a tenth more"]  # the derivative calls this forward, and would stay right
    elif cls in (Sign, Exp):
        del bodies["forward: a tenth more"]  # their derivatives stay right
    for kind, change in bodies.items():
        plant = replaced(cls, forward=around(forward, change))
        yield Fault(kind, f"{cls.__name__}.forward", "wrapped", plant, entries_of(cls), cls)

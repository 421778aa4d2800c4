"""A backward pass of one operation on leaves does what the engine's walk does: the walk is the reference here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad
from microgad import autograd
from microgad.engine import walk
from microgad.nn import functional as F

grad = autograd.grad


def leaf(*shape: int, dtype: Any = None) -> Any:
    x = np.random.default_rng(len(shape)).normal(size=shape)
    return microgad.tensor(x, dtype=dtype or microgad.float32, requires_grad=True)


def seed(y: Any) -> Any:
    return microgad.ones_like(y).detach()


def product(x: Any, y: Any) -> list[Any]:
    return list(grad(z := x * y, (y, x), seed(z)))


def passed_on() -> list[Any]:
    """A gradient that arrives as it was given is the given Tensor, at both inputs."""
    x, y = leaf(2, 3), leaf(2, 3)
    z = x + y
    g = seed(z)
    return [np.array([found is g for found in grad(z, (x, y), g)])]


def one_of_two() -> list[Any]:
    x, y = leaf(2, 3), leaf(2, 3)
    other = leaf(2)
    z = x * y
    return list(grad(z, (y, other), seed(z), allow_unused=True))


def unreachable() -> list[Any]:
    x = leaf(2)
    y = x.exp()
    assert grad(y, leaf(2), seed(y), allow_unused=True) == (None,)
    return list(grad(y, x, seed(y)))  # nothing was freed


def of_the_result_itself() -> list[Any]:
    x = leaf(2)
    y = x.exp()
    return list(grad(y, (y, x), seed(y)))


def twice(retain: bool) -> list[Any]:
    x = leaf(2)
    y = x.exp()
    return [*grad(y, x, seed(y), retain_graph=retain), *grad(y, x, seed(y))]


def modified() -> list[Any]:
    x = leaf(2)
    y = x.exp()
    y.detach().add_(1)
    return list(grad(y, x, seed(y)))


def accumulated(operation: Callable[..., Any], *leaves: Any) -> list[Any]:
    for k in (1.0, 2.0):
        y = operation(*leaves)
        y.backward(seed(y) * k)
    return [x.grad for x in leaves]


def shared_gradients() -> list[Any]:
    """`.grad` of two leaves is not the same memory, nor that of the gradient which was given."""
    x, y = leaf(2, 3), leaf(2, 3)
    z = x + y
    g = seed(z)
    z.backward(g)
    return [np.array([np.shares_memory(a.array, b.array) for a, b in ((x.grad, y.grad), (x.grad, g), (y.grad, g))])]


def expanded_grad() -> list[Any]:
    x = leaf(2)
    x.grad = microgad.ones(1).expand(2)
    return accumulated(microgad.exp, x)


def hooked(register: Callable[[Any, Callable[[Any], Any]], Any]) -> list[Any]:
    x, y, seen = leaf(2), leaf(2), []
    register(y, lambda given: seen.append(0.0 if given is None else float(given.sum())))
    z = x * y
    z.backward(seed(z))
    return [x.grad, y.grad, np.array(seen)]


def unpacked() -> list[Any]:
    """What unpacks saved values runs without recording."""
    modes, x = [], leaf(2)
    with autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: modes.append(microgad.is_grad_enabled()) or t):
        y = x.exp()
    return [*grad(y, x, seed(y)), np.array(modes)]


def by(derivative: Callable[..., Any], module: str = "microgad.toys") -> list[Any]:
    """The gradient by a derivative, also accumulated; and whether it is in the derivative's memory or the input's.

    Of Functions of other modules, derivatives may depend on the state.
    """
    addresses = []

    class Toy(microgad.Function):
        __module__ = module

        def forward(self, x: Any) -> Any:
            return x + 1

        def grad_x(self, grad: Any, x: Any) -> Any:
            found = derivative(grad, x)
            addresses.append(found.ctypes.data)
            return found

    x = leaf(2, 3)
    (g,) = grad(y := Toy.apply(x), x, seed(y))
    (y := Toy.apply(x)).backward(seed(y))
    own = [a.data_ptr() == address for a, address in zip((g, x.grad), addresses, strict=True)]
    return [g, x.grad, np.array([*own, g.data_ptr() == x.data_ptr(), x.grad.data_ptr() == x.data_ptr()])]


def partial(x: Any, y: Any) -> Any:
    """An operation whose joint derivative has no gradient for an input that wants one."""

    class Toy(microgad.Function):
        __module__ = "microgad.toys"

        def forward(self, x: Any, y: Any) -> Any:
            return x + y

        def backward(self, grad: Any) -> Any:
            return grad, None

    return Toy.apply(x, y)


def in_its_state() -> list[Any]:
    """A derivative runs without recording, and changes nothing after it, whatever it does."""
    modes: list[bool] = []

    def derivative(grad: Any, x: Any) -> Any:
        modes.append(microgad.is_grad_enabled())
        if len(modes) > 1:
            raise MemoryError
        return grad

    with pytest.raises(MemoryError):
        by(derivative, __name__)
    return [np.array([*modes, microgad.is_grad_enabled()])]


def half_accumulated() -> list[Any]:
    """One of two leaves has a .grad that can't be written to: which of them got its gradient before?"""
    found = []
    for i in range(2):
        pair = leaf(2), leaf(2)
        z = pair[0] + pair[1]
        pair[i].grad = microgad.ones(1).expand(2)
        with pytest.raises(RuntimeError):
            z.backward(seed(z))
        found.append(pair[1 - i].grad is None)
    return [np.array(found)]


def no_memory(grad: Any, x: Any) -> Any:
    raise MemoryError


def two_results() -> list[Any]:
    x = leaf(2)
    y, z = x.exp(), x.sin()
    return list(grad((y, z), x, (seed(y), seed(z))))


def on_the_leaf() -> list[Any]:
    x = leaf(2)
    x.backward(seed(x))
    return [x.grad]


def hooked_result(register: Callable[[Any], Any]) -> list[Any]:
    x = leaf(2)
    y = x.exp()
    register(y)
    return list(grad(y, x, seed(y)))


def hooked_leaf() -> list[Any]:
    x = leaf(2)
    x.register_hook(lambda g: g * 2)
    y = x.exp()
    return list(grad(y, x, seed(y)))


def custom() -> list[Any]:
    class Custom(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x + 1

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * (3 if microgad.is_grad_enabled() else 2)

    x = leaf(2)
    y = Custom.apply(x)
    return list(grad(y, x, seed(y)))


def batched() -> list[Any]:
    """A gradient that all slices share meets values that are batched."""
    x, g = leaf(3, 2), microgad.ones(2)
    return [microgad.func.vmap(lambda row: microgad.func.vjp(microgad.exp, row)[1](g)[0])(x.detach())]


SCENARIOS: dict[str, tuple[int, Callable[[], list[Any]]]] = {  # how many passes are single, and what is computed
    "product": (1, lambda: product(leaf(2, 3), leaf(2, 3))),
    "broadcast": (1, lambda: product(leaf(2, 1), leaf(3))),
    "transposed": (1, lambda: product(leaf(3, 2).t().detach().requires_grad_(), leaf(2, 3))),
    "mixed dtypes": (1, lambda: product(leaf(2, 3), leaf(2, 3, dtype=microgad.float64))),
    "complex and real": (1, lambda: product(leaf(2, dtype=microgad.complex64), leaf(2))),
    "half": (1, lambda: product(leaf(2, dtype=microgad.float16), leaf(2, dtype=microgad.float16))),
    "square": (1, lambda: list(grad(y := (x := leaf(2)) * x, x, seed(y)))),
    "double": (1, lambda: list(grad(y := (x := leaf(2)) + x, x, seed(y)))),
    "number": (1, lambda: list(grad(y := (x := leaf(2)) * 2, x, seed(y)))),
    "scalar": (1, lambda: list(grad((x := leaf(2)).sum(), x))),
    "several leaves": (1, lambda: list(grad(y := microgad.cat(xs := [leaf(2), leaf(3)]), xs, seed(y)))),
    "many leaves": (1, lambda: list(grad(y := microgad.cat(xs := [leaf(2) for _ in range(12)]), xs[2:], seed(y)))),
    "several results": (0, lambda: list(grad(y := (x := leaf(4)).chunk(2)[1], x, seed(y)))),
    "joint": (1, lambda: list(grad(y := F.layer_norm(x := leaf(2, 3), (3,), w := leaf(3)), (x, w), seed(y)))),
    "partial": (1, lambda: list(grad(y := partial(x := leaf(2), w := leaf(2)), (x, w), seed(y), allow_unused=True))),
    "partial, accumulated": (2, lambda: accumulated(partial, leaf(2), leaf(2))),
    "passed on": (1, passed_on),
    "one of two": (1, one_of_two),
    "unreachable": (2, unreachable),
    "the result": (0, of_the_result_itself),
    "retained": (2, lambda: twice(True)),
    "freed": (2, lambda: twice(False)),
    "modified": (1, modified),
    "recorded": (0, lambda: list(grad(y := (x := leaf(2)).exp(), x, seed(y), create_graph=True))),
    "accumulated": (2, lambda: accumulated(microgad.mul, leaf(2, 3), leaf(3))),
    "accumulated twice in one": (2, lambda: accumulated(lambda x: x * x, leaf(2, 3))),
    "accumulated as given": (2, lambda: accumulated(microgad.add, leaf(2, 3), leaf(2, 3))),
    "shared gradients": (1, shared_gradients),
    "expanded .grad": (1, expanded_grad),
    "hook": (0, lambda: hooked(lambda x, f: x.register_hook(f))),
    "post-accumulate hook": (0, lambda: hooked(lambda x, f: x.register_post_accumulate_grad_hook(lambda t: f(t.grad)))),
    "unpacked": (0, unpacked),
    "wrong derivative": (1, lambda: by(lambda grad, x: grad[:1])),
    "state": (0, in_its_state),
    "half accumulated": (2, half_accumulated),
    "no memory": (1, lambda: by(no_memory)),
    "new memory": (2, lambda: by(lambda grad, x: grad * x)),
    "the memory of an input": (2, lambda: by(lambda grad, x: x)),
    "two results": (0, two_results),
    "on a leaf": (0, on_the_leaf),
    "hook on the result": (0, lambda: hooked_result(lambda y: y.register_hook(lambda g: g * 2))),
    "hook on the node": (0, lambda: hooked_result(lambda y: y.grad_fn.register_hook(lambda ins, outs: (ins[0] * 2,)))),
    "hook on the leaf": (0, hooked_leaf),
    "custom": (0, custom),
    "batched": (0, batched),
}


def outcome(scenario: Callable[[], list[Any]]) -> Any:
    """The values, dtypes and strides that a scenario gives, or its error and notes."""
    try:
        arrays = [getattr(x, "array", x) for x in scenario()]
    except Exception as error:
        return type(error), str(error), getattr(error, "__notes__", [])
    return [x if x is None else (x.tolist(), x.dtype, x.shape, x.strides) for x in arrays]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_pass_of_one_operation_is_like_the_walk(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passes, scenario = SCENARIOS[name]
    calls: list[Any] = []
    run_single = walk.run_single

    def counted(*args: Any) -> Any:
        calls.append(None)
        result = run_single(*args)
        if result is None:
            calls.pop()
        return result

    with warnings.catch_warnings(), monkeypatch.context() as patched:
        patched.setattr(walk, "run_single", counted)
        found = outcome(scenario)
    assert len(calls) == passes
    monkeypatch.setattr(walk, "run_single", lambda *_: None)
    assert outcome(scenario) == found

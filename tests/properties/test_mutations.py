"""The laws catch mistakes: derivatives broken on purpose, one at a time, each a line of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase

from microgad import engine
from microgad.function import Tensor
from microgad.ops.arithmetic import Abs, Add, Div, Mul, Neg, Pow, Sub
from microgad.ops.elementwise import Cos, Exp, Log, Relu, Sigmoid, Sin, Sqrt, Tanh
from microgad.ops.indexing import GetItem, SetItem
from microgad.ops.matmul import Linear, MatMul
from microgad.ops.movement import Cat, Expand, Flip, Pad, Permute
from microgad.ops.reduction import Amax, Mean, Sum
from microgad.ops.region import Region, RegionWrite
from microgad.ops.selection import Clamp, Maximum, Select, Where
from microgad.ops.window.conv import Conv2d, ConvTranspose2d
from microgad.ops.window.pool import MaxPool2d, Unpool

from . import test_arithmetic as arith
from . import test_convolution as conv
from . import test_elementwise as elem
from . import test_indexing as indexing
from . import test_matmul as matmul
from . import test_movement as movement
from . import test_pooling as pooling
from . import test_reduction as reduction
from . import test_region as region
from . import test_selection as choice


@contextmanager
def broken(target: Any, name: str, body: Any) -> Iterator[None]:
    """A class or a module with another attribute; of a Function, the tables of its derivatives follow."""

    def put(attribute: Any) -> None:
        setattr(target, name, attribute)
        if isinstance(target, type):
            if name == "adjoint":
                target.transposed.forward = attribute
            target.__init_subclass__()

    original = vars(target)[name]
    try:
        put(body)
        yield
    finally:
        put(original)


def after(target: Any, name: str, change: Callable[[Any], Any]) -> tuple[Any, str, Callable[..., Any]]:
    """A derivative whose result is changed; its signature, which says what it reads, stays."""
    method = vars(target)[name]
    names = ", ".join(method.__code__.co_varnames[: method.__code__.co_argcount])
    return target, name, eval(f"lambda {names}: change(method({names}))", {"change": change, "method": method})


def frozen(x: Any) -> Any:
    """The values, off the graph: right in a first derivative, lost in the second."""
    return getattr(x, "array", x)


def smallest(self, grad, x):
    spread = Sum.transposed.apply(grad, x_shape=x.shape, **vars(self))
    return spread * (x == np.amin(x, self.axis, keepdims=True))


def overwritten(self, grad):
    out = np.zeros_like(grad, shape=self.x_shape)
    out[self.index] = grad
    return out


def first_only(g, shape):
    """Of what was stretched along an axis, the first gradient in place of the sum."""
    g = g[(0,) * (g.ndim - len(shape))]
    return g[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]


def exchanged(self, grad, condition):
    return Select.apply(condition, grad)


def not_transposed(self, grad, b):
    return np.matmul(grad, b)


def order_exchanged(self, grad, a):
    return np.matmul(grad, np.swapaxes(a, -1, -2))


def frozen_weight(self, grad, weight):
    return Conv2d.apply(grad, frozen(weight), None, **vars(self))


def first_of_window(self, grad, winner):
    return Unpool.apply(grad, winner=winner * 0, window=self.window)


def in_place(self, grad):
    return np.negative(grad, out=frozen(grad))


def shared(node, i, g, grad, gradients, create_graph):
    return g, True


def taken_over(leaf, grad, owned, create_graph):
    leaf.tensor().grad = Tensor._made(grad)


MUTATIONS = {
    # first derivatives: signs, factors, exchanged operands, missing terms, wrong masks
    "add: sign": (arith.test_add, Add, "grad_b", lambda self, grad: -grad),
    "sub: sign": (arith.test_sub, Sub, "grad_b", lambda self, grad: grad),
    "mul: operands exchanged": (arith.test_mul, Mul, "grad_a", lambda self, grad, a: grad * a),
    "mul: factor 2": (arith.test_mul, Mul, "grad_b", lambda self, grad, a: 2 * grad * a),
    "div: 1/b missing": (arith.test_div, Div, "grad_b", lambda self, grad, out: -grad * out),
    "pow: exponent off by one": (arith.test_constant_power, Pow, "grad_x", lambda self, grad, x, p: grad * (p * x**p)),
    "pow: log missing": (arith.test_pow, Pow, "grad_p", lambda self, grad, out: grad * out),
    "abs: |grad|": (arith.test_abs, Abs, "grad_x", lambda self, grad, x: np.absolute(grad) * np.sign(x)),
    "exp: of the input": (elem.test_exp, Exp, "grad_x", lambda self, grad, x: grad * x),
    "log: × for ÷": (elem.test_log, Log, "grad_x", lambda self, grad, x: grad * x),
    "sqrt: 1/2 missing": (elem.test_sqrt, Sqrt, "grad_x", lambda self, grad, out: grad / out),
    "cos: sign": (elem.test_cos, Cos, "grad_x", lambda self, grad, x: grad * np.sin(x)),
    "sigmoid: tanh's": (elem.test_sigmoid, Sigmoid, "grad_x", lambda self, grad, out: grad * (1 - out * out)),
    "relu: no mask": (elem.test_relu, Relu, "grad_x", lambda self, grad: grad),
    "relu: mask inverted": (elem.test_relu, Relu, "grad_x", lambda self, grad, x: Select.apply(x < 0, grad)),
    "maximum: the loser": (choice.test_maximum, Maximum, "grad_a", lambda self, grad, a, b: Select.apply(a < b, grad)),
    "clamp: as if within": (choice.test_clamp_by_numbers, Clamp, "grad_x", lambda self, grad: grad),
    "where: exchanged": (choice.test_where, Where, "grad_b", exchanged),
    "mean: 1/n missing": (reduction.test_mean, Mean, "adjoint", Sum.adjoint),
    "sum: factor": (reduction.test_sum, *after(Sum, "adjoint", lambda g: g * 1.01)),
    "amax: the smallest": (reduction.test_amax, Amax, "grad_x", smallest),
    "permute: no inverse": (movement.test_permute, Permute, "adjoint", Permute.forward),
    "flip: not flipped": (movement.test_flip, Flip, "adjoint", lambda self, grad: grad),
    "expand: factor": (movement.test_expand, *after(Expand, "adjoint", lambda g: g / 2)),
    "cat: backwards": (movement.test_cat, *after(Cat, "grad_inputs", lambda parts: tuple(np.flip(g) for g in parts))),
    "pad: backwards": (movement.test_pad, *after(Pad, "grad_x", np.flip)),
    "getitem: = for +=": (indexing.test_getitem, GetItem, "adjoint", overwritten),
    "setitem: as if not written": (indexing.test_setitem, SetItem, "grad_x", lambda self, grad: grad),
    "setitem: lost values": (indexing.test_setitem, SetItem, "grad_value", lambda self, grad: grad[self.index]),
    "region: kept": (region.test_a_write_through_a_view, RegionWrite, "grad_base", lambda self, grad: grad),
    "region: sign": (region.test_a_value_copied_into_a_view, *after(RegionWrite, "grad_value", lambda g: -g)),
    "region: factor": (region.test_a_write_through_a_view, *after(Region, "adjoint", lambda g: g * 2)),
    "matmul: not transposed": (matmul.test_a_matrix_times_itself, MatMul, "grad_a", not_transposed),
    "matmul: order exchanged": (matmul.test_a_matrix_times_itself, MatMul, "grad_b", order_exchanged),
    "linear: bias backwards": (matmul.test_linear, *after(Linear, "grad_bias", np.flip)),
    "conv2d: weight flipped": (conv.test_conv2d, *after(Conv2d, "backward", lambda g: (g[0], np.flip(g[1]), g[2]))),
    "conv_transpose2d: sign": (conv.test_conv_transpose2d, *after(ConvTranspose2d, "grad_bias", lambda g: -g)),
    "max_pool2d: the first": (pooling.test_max_pool2d, MaxPool2d, "grad_input", first_of_window),
    "broadcasting: not summed": (arith.test_add, engine, "sum_to", first_only),
    # right at first sight, wrong in the second derivative
    "tanh: second": (elem.test_tanh, Tanh, "grad_x", lambda self, grad, out: grad * (1 - frozen(out) ** 2)),
    "div: second": (arith.test_div, Div, "grad_a", lambda self, grad, b: grad / frozen(b)),
    "matmul: second": (matmul.test_matmul, MatMul, "grad_b", lambda self, grad, a: np.matmul(frozen(a).mT, grad)),
    "conv_transpose2d: second": (conv.test_conv_transpose2d, ConvTranspose2d, "grad_input", frozen_weight),
    # the right numbers, but
    "neg: writes into the gradient": (arith.test_neg, Neg, "grad_x", in_place),
    "exp: writes into its input": (elem.test_exp, Exp, "forward", lambda self, x: np.exp(x, out=x)),
    "sin: float64": (elem.test_sin, Sin, "forward", lambda self, x: np.sin(x) * np.ones((), np.float64)),
    "add: a gradient for two": (arith.test_add, engine, "_fit", shared),
    "add: a gradient is the caller's": (arith.test_add, engine, "_accumulate", taken_over),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_is_caught(name):
    test, target, attribute, body = MUTATIONS[name]
    with broken(target, attribute, body), pytest.raises((AssertionError, RuntimeError, IndexError)):
        test.entry.hold(max_examples=100, phases=[Phase.generate], database=None, report_multiple_bugs=False)


def test_all_is_whole_again():
    for test in (arith.test_mul, reduction.test_mean, elem.test_exp):
        test()

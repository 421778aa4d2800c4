"""Faults in derivatives, by name. Each has a pattern of the sentence by which `likely_mistake` recognizes it."""

from __future__ import annotations

import numpy as np

import microgad as torch

from .faults import (
    INDEX,
    MASK,
    AllFrozen,
    F,
    Fault,
    Frozen,
    FrozenSum,
    FrozenTanh,
    WrongSecondDerivative,
    conv,
    conv_by_x,
    dropped,
    elementwise,
    exp,
    first,
    layer_norm,
    layer_norm_by_x,
    mixed,
    negated,
    r,
    relu,
    scatter,
    sig,
    softmax,
    tanh,
    times,
    windows_all,
    windows_first,
)

FAULTS = {
    # a sign
    "add: sign": Fault("sign", lambda a, b: a + b, (r(2, 3), r(3)), 1, at_input=negated),
    "sub: sign": Fault("sign", lambda a, b: a - b, (r(2, 3), r(2, 3)), 1, vjp=lambda g, a, b: g),
    "cos: sign": Fault("sign", torch.cos, (r(4),), vjp=elementwise(np.sin)),
    "matmul: sign": Fault("sign", torch.matmul, (r(2, 3), r(3, 4)), at_input=negated),
    "conv2d: sign": Fault("sign", conv, (r(1, 2, 4, 4), r(2, 2, 2, 2)), 1, at_input=negated),
    "softmax: sign": Fault("sign", lambda x: F.softmax(x, -1), (r(2, 3),), at_output=negated),
    "scalar: sign": Fault("sign", exp, (np.array(0.7),), at_input=negated),
    "abs: |grad|": Fault("sign", torch.abs, (mixed(6),), vjp=lambda g, x: np.abs(g)),
    "abs, cubed: sign": Fault("sign", lambda x: torch.abs(x) ** 3, (mixed(6),), vjp=elementwise(lambda x: 3 * x * x)),
    # a constant factor
    "mul: factor 2": Fault("factor", lambda a, b: a * b, (r(2, 3), r(2, 3)), at_input=times(2)),
    "x²: factor 1/2": Fault("factor.*1/2", lambda x: x * x, (r(5),), vjp=elementwise(lambda x: x)),
    "sqrt: 1/2 missing": Fault("factor.* 2 ×", torch.sqrt, (r(4),), vjp=elementwise(lambda x: 1 / np.sqrt(x))),
    "expand: half": Fault("factor", lambda x: x.expand(3, 4), (r(1, 4),), at_input=times(0.5)),
    "conv2d: factor 2": Fault("factor", conv, (r(1, 1, 4, 4), r(2, 1, 2, 2)), at_input=times(2)),
    "max_pool2d: factor 3": Fault("factor.* 3 ×", lambda x: F.max_pool2d(x, 2), (r(1, 1, 4, 4),), at_input=times(3)),
    "sum: factor 1.01": Fault("factor.*1.01", lambda x: x.sum(0), (r(3, 4),), at_input=times(1.01)),
    "tanh: factor -2": Fault("factor.*-2", tanh, (r(4),), at_input=times(-2)),
    "cat: factor 1/2": Fault("factor", lambda a, b: torch.cat([a, b]), (r(2, 3), r(1, 3)), at_input=times(0.5)),
    # nothing arrives
    "detach": Fault("nothing arrives", lambda x: x.detach() * x.detach(), (r(3),), vjp=lambda g, x: 0 * x),
    "matmul: detached": Fault("nothing arrives", torch.matmul, (r(2, 3), r(3, 2)), 1, at_input=times(0)),
    "layer_norm: zeros": Fault("nothing arrives", layer_norm, (r(2, 3),), at_output=times(0)),
    "sign: straight through": Fault("no influence", torch.sign, (np.array([0.3, 1.2, 2.8]),), vjp=lambda g, x: g),
    # missing sums
    "add: only the first": Fault("missing sum", lambda a, b: a + b, (r(4, 3), r(3)), 1, vjp=lambda g, a, b: g[0]),
    "mul: only the first": Fault("missing sum", lambda a, b: a * b, (r(4, 3), r(3)), 1, vjp=lambda g, a, b: (g * a)[0]),
    "mul: only the last": Fault("missing sum", lambda a, b: a * b, (r(4, 3), r(3)), 1, vjp=lambda g, a, b: (g * a)[-1]),
    "add: last column": Fault("missing sum", lambda a, b: a + b, (r(4, 3), r(4, 1)), 1, vjp=lambda g, a, b: g[:, -1]),
    "div: two axes, the first": Fault(
        "missing sum", lambda a, b: a / b, (r(2, 3, 4), r(4)), 1, vjp=lambda g, a, b: (-g * a / b**2)[0, 0]
    ),
    "linear: bias of the first": Fault(
        "missing sum", F.linear, (r(3, 2), r(4, 2), r(4)), 2, vjp=lambda g, x, w, b: g[0]
    ),
    "linear: mean over the batch": Fault(
        "missing sum|1/N", F.linear, (r(3, 2), r(4, 2), r(4)), 2, vjp=lambda g, x, w, b: g.mean(0)
    ),
    "linear: weight, mean over the batch": Fault(
        "missing sum|1/N", F.linear, (r(5, 2), r(4, 2), r(4)), 1, vjp=lambda g, x, w, b: g.T @ x / 5
    ),
    "conv2d: bias without the batch": Fault(
        "missing sum", F.conv2d, (r(2, 1, 3, 3), r(2, 1, 2, 2), r(2)), 2, vjp=lambda g, x, w, b: g[0].sum((1, 2))
    ),
    "conv2d: bias averaged": Fault(
        "missing sum|1/N", F.conv2d, (r(2, 1, 3, 3), r(3, 1, 2, 2), r(3)), 2, vjp=lambda g, x, w, b: g.mean((0, 2, 3))
    ),
    "add: sum over the wrong axis": Fault(
        "wrong axis", lambda a, b: a + b, (r(3, 3), r(3)), 1, vjp=lambda g, a, b: g.sum(1)
    ),
    "expand: only the first": Fault("missing sum", lambda x: x.expand(3, 4), (r(1, 4),), vjp=lambda g, x: g[:1]),
    "scalar: only the first": Fault(
        "missing sum", lambda a, b: a * b, (r(3), np.array(2.0)), 1, vjp=lambda g, a, b: (g * a)[0]
    ),
    "scalar: mean": Fault(
        "missing sum|1/N", lambda a, b: a + b, (r(3), np.array(2.0)), 1, vjp=lambda g, a, b: g.mean()
    ),
    "summed though not broadcast": Fault(
        "summed too much", lambda a, b: a * b, (r(4, 3), r(4, 3)), vjp=lambda g, a, b: (g * b).sum(0) + 0 * a
    ),
    "sum: not expanded": Fault("slices lost", lambda x: x.sum(0), (r(4, 3),), at_input=first(0)),
    "embedding: = for +=": Fault("overwritten", lambda x: x[torch.tensor(INDEX)], (r(3, 2),), vjp=scatter),
    "embedding: the first wins": Fault(
        "overwritten", lambda x: x[torch.tensor(INDEX)], (r(3),), vjp=lambda g, x: scatter(g, x, True)
    ),
    "conv2d: col2im overwrites": Fault(
        "overwritten|missing sum|terms",
        lambda x: x[torch.tensor(np.arange(4)[:, None] + np.arange(3))],
        (r(6),),
        vjp=lambda g, x: np.array([g[min(i, 3), i - min(i, 3)] for i in range(6)]),
    ),
    # transposed, flipped, rolled
    "permute: no inverse": Fault(
        "transposed", lambda x: x.permute(1, 2, 0), (r(3, 3, 3),), vjp=lambda g, x: g.transpose(1, 2, 0)
    ),
    "t: reshape": Fault("transposed", lambda x: x.T, (r(2, 3),), vjp=lambda g, x: g.reshape(2, 3)),
    "matmul: b not transposed": Fault("transposed", torch.matmul, (r(2, 3), r(3, 3)), vjp=lambda g, a, b: g @ b),
    "matmul: order exchanged": Fault("transposed", torch.matmul, (r(3, 3), r(3, 3)), 1, vjp=lambda g, a, b: g @ a.T),
    "matmul: result transposed": Fault(
        "transposed", torch.matmul, (r(3, 3), r(3, 3)), 1, vjp=lambda g, a, b: (a.T @ g).T
    ),
    "linear: weight transposed": Fault("transposed", F.linear, (r(2, 3), r(3, 3)), 1, vjp=lambda g, x, w: x.T @ g),
    "conv2d: channels exchanged": Fault(
        "transposed", conv, (r(1, 2, 3, 3), r(2, 2, 2, 2)), 1, at_input=lambda g: np.swapaxes(g, 0, 1)
    ),
    "conv2d: kernel transposed": Fault(
        "transposed", conv, (r(1, 1, 4, 4), r(1, 1, 3, 3)), vjp=lambda g, x, w: conv_by_x(g, x, w, transposed=True)
    ),
    "conv2d: kernel not rotated": Fault(
        "flipped.*kernel", conv, (r(1, 1, 4, 4), r(1, 1, 2, 2)), vjp=lambda g, x, w: conv_by_x(g, x, w, rotated=False)
    ),
    "conv2d: weight flipped": Fault(
        "flipped", conv, (r(1, 1, 4, 4), r(2, 1, 3, 3)), 1, at_input=lambda g: np.flip(g, (2, 3))
    ),
    "flip: not flipped": Fault("flipped", lambda x: torch.flip(x, [1]), (r(2, 4),), vjp=lambda g, x: g),
    "linear: bias backwards": Fault("flipped", F.linear, (r(2, 3), r(4, 3), r(4)), 2, at_input=np.flip),
    "cat: backwards": Fault(
        "flipped", lambda a, b: torch.cat([a, b]), (r(3, 2), r(1, 2)), at_input=lambda g: np.flip(g, 0)
    ),
    "roll: the wrong way": Fault(
        "rolled", lambda x: torch.cat([x[-1:], x[:-1]]), (r(5),), vjp=lambda g, x: np.roll(g, 1)
    ),
    "pad: off by one": Fault("rolled", lambda x: F.pad(x, (2, 2)), (r(5),), vjp=lambda g, x: g[1:6]),
    "pad2d: off by one": Fault(
        "rolled", lambda x: F.pad(x, (1, 1, 1, 1)), (r(1, 1, 3, 4),), vjp=lambda g, x: g[:, :, 1:-1, :-2]
    ),
    "slice: off by one": Fault("rolled", lambda x: x[1:4], (r(6),), vjp=lambda g, x: np.concatenate([g, np.zeros(3)])),
    "cumsum: exclusive": Fault(
        "rolled",
        lambda x: torch.tensor(np.tril(np.ones((5, 5)))) @ x,
        (r(5),),
        vjp=lambda g, x: np.append(np.cumsum(g[::-1])[::-1][1:], 0),
    ),
    "max_pool2d: first of the window": Fault(
        "wrong places", lambda x: F.max_pool2d(x, 2), (r(1, 1, 4, 4),), vjp=windows_first
    ),
    "repeat: as tile": Fault(
        "wrong places|transposed",
        lambda x: x[:, None].expand(4, 3).reshape(12),
        (r(4),),
        vjp=lambda g, x: g.reshape(3, 4).sum(0),
    ),
    # 1/N
    "mean: 1/N missing": Fault("1/N", lambda x: x.mean(), (r(3, 4),), vjp=lambda g, x: g + 0 * x),
    "mean of an axis: 1/N missing": Fault("1/N", lambda x: x.mean(1), (r(2, 5),), at_input=times(5)),
    "sum: 1/N too much": Fault("1/N", lambda x: x.sum(), (r(3, 5),), at_input=times(1 / 15)),
    "sum of an axis: 1/N too much": Fault("1/N", lambda x: x.sum(0), (r(5, 2),), at_input=times(1 / 5)),
    "avg_pool2d: 1/N missing": Fault("factor", lambda x: F.avg_pool2d(x, 2), (r(1, 1, 4, 4),), at_input=times(4)),
    "mse: 1/N missing": Fault("1/N", lambda x, y: F.mse_loss(x, y), (r(3, 3), r(3, 3)), at_input=times(9)),
    "attention: 1/√d missing": Fault(
        "1/√N", lambda q, k: q @ k.T / np.sqrt(5), (r(2, 5), r(3, 5)), vjp=lambda g, q, k: g @ k
    ),
    "var: N for N - 1": Fault("1/N", lambda x: x.var(), (r(5),), at_input=times(4 / 5)),
    # masks
    "relu: no mask": Fault("mask missing", relu, (mixed(6),), vjp=lambda g, x: g),
    "relu: inverted": Fault("mask inverted", relu, (mixed(6),), vjp=elementwise(lambda x: x < 0)),
    "relu of a product: no mask": Fault(
        "mask missing", lambda x, w: relu(x * w), (mixed(6), r(6)), vjp=elementwise(lambda x, w: w)
    ),
    "leaky_relu: inverted": Fault(
        "mask inverted",
        lambda x: relu(x) - 0.1 * relu(-x),
        (mixed(6),),
        vjp=elementwise(lambda x: np.where(x > 0, 0.1, 1)),
    ),
    "clamp: no mask": Fault("mask missing", lambda x: torch.clamp(x, 0.8, 1.5), (r(3, 3),), vjp=lambda g, x: g),
    "where: exchanged": Fault(
        "mask inverted",
        lambda a, b: torch.where(torch.tensor(MASK > 0), a, b),
        (r(6), r(6)),
        1,
        vjp=lambda g, a, b: g * (MASK > 0),
    ),
    "maximum: the loser": Fault(
        "mask inverted",
        torch.maximum,
        (np.array([1.0, 2, 3]), np.array([2.0, 1, 1])),
        vjp=elementwise(lambda a, b: a < b),
    ),
    "max_pool2d: to all": Fault("mask missing", lambda x: F.max_pool2d(x, 2), (r(1, 1, 4, 4),), vjp=windows_all),
    "dropout: no mask": Fault("mask missing", dropped, (r(6),), vjp=lambda g, x: g * 1.25),
    "dropout: neither mask nor scale": Fault("mask missing", dropped, (r(6),), vjp=lambda g, x: g),
    "dropout: inverted": Fault("mask inverted", dropped, (r(6),), vjp=lambda g, x: g * (1.25 - MASK)),
    "dropout: twice": Fault("mask applied twice", dropped, (r(6),), vjp=lambda g, x: g * MASK * MASK),
    "dropout: twice, of rows": Fault(
        "mask applied twice", lambda x: x * torch.tensor(2 * (MASK[:3, None] > 0)), (r(3, 2),), at_output=times(2)
    ),
    "dropout: scale missing": Fault("mask's scale", dropped, (r(6),), vjp=lambda g, x: g * (MASK > 0)),
    "masked_fill: no mask": Fault(
        "mask missing", lambda x: torch.where(torch.tensor(MASK > 0), 0.0, x), (r(6),), vjp=lambda g, x: g
    ),
    # ties
    "relu: at 0": Fault(
        "ties", lambda x: relu(x) + 0.5 * x, (np.array([-1.0, 0, 2, 0]),), vjp=elementwise(lambda x: 0.5 + (x >= 0))
    ),
    "maximum: at equal values": Fault(
        "ties", torch.maximum, (np.array([1.0, 2, 3]), np.array([1.0, 1, 4])), vjp=elementwise(lambda a, b: a >= b)
    ),
    "amax: to all winners": Fault(
        "ties",
        lambda x: torch.amax(x, 1),
        (np.array([[1.0, 3, 3], [2, 1, 5]]),),
        vjp=lambda g, x: g[:, None] * (x == x.max(1, keepdims=True)),
    ),
    "clamp: at the bound": Fault(
        "ties",
        lambda x, low: torch.clamp(x, 1.0),
        (np.array([1.0, 2, 0.5]), np.array(1.0)),
        vjp=elementwise(lambda x, low: x >= 1),
    ),
    # the wrong formula
    "exp: of the input": Fault("exp", exp, (r(5),), vjp=elementwise(lambda x: x)),
    "exp: x too much": Fault(
        "factor input 0 is too|input 0 is too much", exp, (r(5),), vjp=elementwise(lambda x: x * np.exp(x))
    ),
    "log: × for ÷": Fault("input 0² is too much|wrong function", torch.log, (r(5),), vjp=elementwise(lambda x: x)),
    "log: of out": Fault(
        "with out in its place", torch.log, (r(5, low=1.5),), vjp=elementwise(lambda x: 1 / np.log(x))
    ),
    "tanh: of the input": Fault(
        "in terms of out, but with input 0", tanh, (r(5),), vjp=elementwise(lambda x: 1 - x * x)
    ),
    "sigmoid: of the input": Fault(
        "in terms of out, but with input 0", torch.sigmoid, (r(5),), vjp=elementwise(lambda x: x * (1 - x))
    ),
    "sigmoid: tanh's": Fault("tanh", torch.sigmoid, (r(5),), vjp=elementwise(lambda x: 1 - sig(x) ** 2)),
    "sqrt: of the input": Fault("with input 0 in its place", torch.sqrt, (r(5),), vjp=elementwise(lambda x: 0.5 / x)),
    "sin: of out": Fault("with out in its place", torch.sin, (r(5),), vjp=elementwise(lambda x: np.cos(np.sin(x)))),
    "softplus: tanh's": Fault(
        "of tanh", lambda x: torch.log(1 + exp(x)), (r(5),), vjp=elementwise(lambda x: 1 - np.tanh(x) ** 2)
    ),
    "pow: exponent off by one": Fault(
        "input 0 is too much", lambda x: x**4, (r(5),), vjp=elementwise(lambda x: 4 * x**4)
    ),
    "div: 1/b missing": Fault(
        "input 1 is too much", lambda a, b: a / b, (r(2, 3), r(2, 3)), 1, vjp=elementwise(lambda a, b: -a / b)
    ),
    "mul: operands exchanged": Fault(
        "stands where", lambda a, b: a * b, (r(2, 3), r(2, 3)), vjp=elementwise(lambda a, b: a)
    ),
    "mul: operand missing": Fault("input 1 is missing", lambda a, b: a * b, (r(2, 3), r(3)), vjp=lambda g, a, b: g),
    "pow: log missing": Fault(
        "log.input 0. is missing", torch.pow, (r(4, low=1.2), r(4)), 1, vjp=elementwise(lambda a, b: a**b)
    ),
    "layer_norm: weight missing": Fault(
        "input 1 is missing",
        lambda x, w: layer_norm(x) * w,
        (r(2, 4), r(4)),
        vjp=lambda g, x, w: layer_norm_by_x(g, x),
    ),
    "tanh: plus one": Fault("offset", lambda x: tanh(x), (r(5),), vjp=elementwise(lambda x: 2 - np.tanh(x) ** 2)),
    "matmul: eps added": Fault(
        "offset", torch.matmul, (r(2, 3), r(3, 4)), vjp=lambda g, a, b: g @ b.T + 0.01 * (g @ np.ones_like(b).T)
    ),
    # off-diagonal terms
    "softmax: diagonal": Fault(
        "off-diagonal", lambda x: F.softmax(x, -1), (r(2, 3),), vjp=lambda g, x: g * softmax(x) * (1 - softmax(x))
    ),
    "softmax: sum not subtracted": Fault(
        "off-diagonal", lambda x: F.softmax(x, -1), (r(2, 3),), vjp=elementwise(softmax)
    ),
    "log_softmax: diagonal": Fault("off-diagonal", lambda x: F.log_softmax(x, -1), (r(2, 4),), vjp=lambda g, x: g),
    "layer_norm: statistics constant": Fault(
        "off-diagonal", layer_norm, (r(2, 4),), vjp=lambda g, x: layer_norm_by_x(g, x, mean=False, variance=False)
    ),
    "layer_norm: mean constant": Fault(
        "through the mean", layer_norm, (r(2, 4),), vjp=lambda g, x: layer_norm_by_x(g, x, mean=False)
    ),
    "layer_norm: variance constant": Fault(
        "through the variance", layer_norm, (r(2, 4),), vjp=lambda g, x: layer_norm_by_x(g, x, variance=False)
    ),
    # parts
    "slice: the border counted twice": Fault(
        "factor along an axis", torch.matmul, (r(3, 2), r(2, 4)), at_input=lambda g: g * np.array([[1], [2], [1]])
    ),
    "cumsum: two terms": Fault(
        "terms lost",
        lambda x: torch.tensor(np.tril(np.ones((5, 5)))) @ x,
        (r(5),),
        vjp=lambda g, x: g + np.append(g[1:], 0),
    ),
    "elu: relu's": Fault(
        "one branch",
        lambda x: relu(x) + exp(-relu(-x)) - 1,
        (mixed(6),),
        vjp=elementwise(lambda x: np.where(x > 0, 1, 0.3 + x)),
    ),
    "square: at 0": Fault(
        "isn't finite.*where input 0 is 0",
        lambda x: x * x,
        (np.array([0.0, 1, 2]),),
        vjp=elementwise(lambda x: np.where(x == 0, np.nan, 2 * x)),
    ),
    # right at first sight
    "x³: half off the graph": Fault("first derivative", Frozen.apply, (r(3),), order=2),
    "x³: off the graph": Fault("nothing arrives.*off the graph", AllFrozen.apply, (r(3),), order=2),
    "x² + x³: a term off the graph": Fault("off the graph", FrozenSum.apply, (r(3),), order=2),
    "tanh: off the graph": Fault("off the graph", FrozenTanh.apply, (r(3),), order=2),
    "exp: another second derivative": Fault("off the graph", WrongSecondDerivative.apply, (r(3),), order=2),
}

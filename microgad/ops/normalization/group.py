"""Group, layer and RMS normalization, by the statistics of each group of channels or each row."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...errors import ArgumentError, DtypeError, KindError, ShapeError
from ...errors.notices import once
from ...fast_reductions import fast_sum
from ...fast_reductions.lines import BLOCK_SIZE
from ...fast_reductions.products import ones, row_dots
from ...function import Function
from ...type_aliases import Array, Tensor
from ..support import layouts
from ..support.blocks import unbuffered, unbuffered_runs, with_column
from ..support.spelling import tensors_only
from .channels import (
    MANY_ROWS,
    column,
    from_places,
    in_rows_of_channels,
    is_mixed_half,
    per_channel,
    places,
    sum_by_channel,
)

BLOCK = 1 << 18  # elements that stay in the cache


class GroupNorm(Function):
    """Normalization of rows to mean 0 and variance 1, then an affine map of each channel.

    The input is seen as `rows` rows for the normalization, and in the shape `view`, (N, C) or (N, C, P), for the affine
    map. `affine` is the shape of weight and bias. The result has input's memory format, unless it is `in_rows`.
    """

    symbol, node_name, centered, in_rows = "group norm", "NativeGroupNorm", True, False
    all_edges = True

    def forward(self, input, weight, bias):
        if self._has_places(input):
            x = places(input, len(input))
            with unbuffered_runs(x.shape[2]):
                out = self._forward_by_places(x, weight, bias)
            return layouts.match_memory_format(from_places(out, input), input)
        result = np.empty_like(input, order="C")
        x, out, viewed = self._rows(input), self._rows(result), result.reshape(self.view)
        weight = None if weight is None else per_channel(weight.reshape(-1), viewed)
        bias = None if bias is None else per_channel(bias.reshape(-1), viewed)
        if x.size < BLOCK_SIZE and type(x) is np.ndarray:
            self.mean, self.inv_std = self._normalize(x, out)
            _scale_and_shift(viewed, weight, bias)
        else:
            self.mean = np.empty_like(x, shape=(self.rows, 1))
            self.inv_std = np.empty_like(self.mean)
            with unbuffered(x, 1):
                for rows, whole in self._parts(x):
                    self.mean[rows], self.inv_std[rows] = self._normalize(x[rows], out[rows])
                    _scale_and_shift(viewed[whole], weight, bias)
        return result if self.in_rows else layouts.match_memory_format(result, input)

    def _normalize(self, x: Array, out: Array) -> tuple[Array, Array]:
        """Write the normalized rows of x into `out`; return each row's mean and 1 / standard deviation."""
        size = x.shape[1] or 1
        mean = _mean(x) if self.centered else np.zeros_like(x, shape=(len(x), 1))
        with_column(np.subtract, x, mean, out)
        var = row_dots(out, out)
        var /= size
        if self.centered and (not backend.on_cpu(x) or np.count_nonzero(mean * mean > 16 * var)):
            rest = _mean(out)  # the mean's rounding error, which matters if |mean| > 4 std: see BatchNorm
            out -= rest
            mean += rest
            var -= rest * rest
        var += self.eps
        inv_std = np.divide(1, np.sqrt(var, out=var), out=var)
        with_column(np.multiply, out, inv_std, out)
        return mean, inv_std

    def backward(self, grad, input, weight, mean, inv_std):
        if self._has_places(input):
            x = places(input, len(input))
            with unbuffered_runs(x.shape[2]):
                out, *gradients = self._backward_by_places(places(grad, len(grad)), x, weight, mean, inv_std)
            whole = layouts.in_format(from_places(out, input), input.ndim > 3) if self.needs[0] else None
            return (whole, *gradients)
        grad_input = np.empty_like(input, order="C")
        x, g, out = (self._rows(a) for a in (input, grad, grad_input))
        viewed = g.reshape(self.view)
        weight = None if weight is None else per_channel(weight.reshape(-1), viewed)
        size = math.prod(self.affine)
        grad_weight, grad_bias = (backend.zeros((size,), x) if needed else None for needed in self.needs[1:])
        with unbuffered(x, 1):
            for rows, whole in self._parts(x):
                part, scaled = out[rows], g[rows]
                with_column(np.subtract, x[rows], mean[rows], part)
                with_column(np.multiply, part, inv_std[rows], part)
                if grad_weight is not None:
                    grad_weight += sum_by_channel(viewed[whole], out.reshape(self.view)[whole])
                if grad_bias is not None:
                    grad_bias += sum_by_channel(viewed[whole])
                if not self.needs[0]:
                    continue
                if weight is not None:
                    scaled = (viewed[whole] * weight).reshape(part.shape)
                with_column(np.multiply, part, row_dots(scaled, part) / -(x.shape[1] or 1), part)
                part += scaled
                if self.centered:
                    with_column(np.subtract, part, _mean(scaled), part)
                with_column(np.multiply, part, inv_std[rows], part)
        affine = (None if sums is None else sums.reshape(self.affine) for sums in (grad_weight, grad_bias))
        if self.needs[0] and not self.in_rows:
            grad_input = layouts.match_memory_format(grad_input, input)
        return (grad_input if self.needs[0] else None, *affine)

    def _parts(self, x: Array) -> Iterator[tuple[slice, slice]]:
        """Yield blocks of x, each as a slice of the rows and as a slice of the view. The CPU's stay in the cache."""
        group = self.rows // (self.view[0] or 1) or 1
        count = max(1, BLOCK // (math.prod(self.view[1:]) or 1) if backend.on_cpu(x) else self.view[0])
        for i in range(0, self.view[0], count):
            yield slice(group * i, group * (i + count)), slice(i, i + count)

    def _has_places(self, input: Array) -> bool:
        """Whether the channels lie innermost in memory, and are enough for `places` to be faster than transposing."""
        return len(self.view) == 3 and input.size >= layouts.LARGE and in_rows_of_channels(input)

    def _forward_by_places(self, x: Array, weight: Array | None, bias: Array | None) -> Array:
        """`forward` of `places`: it sums each channel, and then the channels of each group."""
        out, size = np.empty_like(x), math.prod(self.view) // self.rows
        self.mean = np.empty_like(x, shape=(self.rows, 1))
        self.inv_std = np.empty_like(self.mean)
        weight, bias = (None if a is None else np.tile(a, x.shape[2] // len(a)) for a in (weight, bias))
        for rows, images in self._parts(x):
            given, part = x[images], out[images]
            mean = self._of_groups(self._of_channels(given)) / size
            np.subtract(given, self._spread(mean, x), out=part)
            var = self._of_groups(self._of_channels(part, part)) / size
            if np.count_nonzero(mean * mean > 16 * var):  # as in `forward`
                rest = self._of_groups(self._of_channels(part)) / size
                part -= self._spread(rest, x)
                mean += rest
                var -= rest * rest
            self.mean[rows], self.inv_std[rows] = mean, 1 / np.sqrt(var + self.eps)
            scale = self._spread(self.inv_std[rows], x)
            part *= scale if weight is None else scale * weight
            if bias is not None:
                part += bias
        return out

    def _backward_by_places(
        self, g: Array, x: Array, weight: Array | None, mean: Array, inv_std: Array
    ) -> tuple[Array | None, ...]:
        """`backward` of `places`."""
        out, size = np.empty_like(x), math.prod(self.view) // self.rows
        sums, dots = (np.empty_like(x, shape=self.view[:2]) for _ in range(2))
        wide = None if weight is None else np.tile(weight, x.shape[2] // len(weight))
        for rows, images in self._parts(x):
            given, part, scale = g[images], out[images], self._spread(inv_std[rows], x)
            np.subtract(x[images], self._spread(mean[rows], x), out=part)
            part *= scale
            sums[images], dots[images] = self._of_channels(given), self._of_channels(given, part)
            if not self.needs[0]:
                continue
            shift, factor = (
                self._of_groups(s[images] if weight is None else s[images] * weight) / size for s in (sums, dots)
            )
            part *= self._spread(-factor, x)
            part += given if wide is None else given * wide
            part -= self._spread(shift, x)
            part *= scale
        grads = (
            fast_sum(a, 0, False) if needed else None for a, needed in zip((dots, sums), self.needs[1:], strict=True)
        )
        return (out, *grads)

    def _of_channels(self, a: Array, b: Array | None = None) -> Array:
        """Sum a, or a · b, over the places, `places` of (n, C, ...) -> (n, C)."""
        if a.shape[1] > MANY_ROWS:
            sums = fast_sum(a if b is None else a * b, 1, False)
        else:
            sums = ones(a.shape[1], a) @ a if b is None else np.einsum("npc,npc->nc", a, b)
        return sums.reshape(len(a), -1, self.view[1]).sum(1)

    def _of_groups(self, sums: Array) -> Array:
        """Sum the channels of each group, (n, C) -> (n · groups, 1)."""
        return sums.reshape(len(sums) * self.rows // self.view[0], -1).sum(1, keepdims=True)

    def _spread(self, values: Array, x: Array) -> Array:
        """Repeat the groups' values for the channels of some places, (n · groups, 1) -> (n, 1, k · C), as in x."""
        c, groups = self.view[1], self.rows // self.view[0]
        wide = np.empty_like(values, shape=(len(values) // groups, 1, x.shape[2]))
        parts = wide.reshape(len(wide), x.shape[2] // c, groups, c // groups)
        parts[...] = values.reshape(len(wide), 1, groups, 1)
        return wide

    def decomposition(self, input, weight, bias):
        x = self._rows(input)
        size = x.shape[1] or 1
        out = x - np.sum(x, 1, keepdims=True) / size if self.centered else x
        out = (out / np.sqrt(np.sum(out * out, 1, keepdims=True) / size + self.eps)).reshape(self.view)
        if weight is not None:
            out = out * column(weight.reshape(-1), out)
        if bias is not None:
            out = out + column(bias.reshape(-1), out)
        return out.reshape(input.shape)

    def _rows(self, x: Array) -> Array:
        return x.reshape((self.rows, math.prod(x.shape) // (self.rows or 1)))


class LayerNorm(GroupNorm):
    """Normalization of the last dimensions to mean 0 and variance 1, then times weight, plus bias."""

    symbol, node_name, in_rows = "layer norm", "NativeLayerNorm", True


class RmsNorm(GroupNorm):
    """Division of the last dimensions by their root mean square, then times weight."""

    symbol, node_name, centered = "rms norm", "Mul", False
    all_edges = False


def _scale_and_shift(x: Array, weight: Array | None, bias: Array | None) -> None:
    """Multiply a view by `per_channel` weights and add biases, unless they are None."""
    if weight is not None:
        x *= weight
    if bias is not None:
        x += bias


def _mean(x: Array) -> Array:
    """Return the mean of each row of a bare array, (R, n) -> (R, 1)."""
    sums = x @ ones(x.shape[1], x)
    sums /= x.shape[1] or 1
    return sums[:, None]


@tensors_only
def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Normalize the last dimensions to mean 0 and variance 1, then multiply by weight and add bias.

    normalized_shape is the shape of these dimensions, of weight and of bias, otherwise RuntimeError is raised.
    Source: torch.layer_norm; Ba et al. (2016).

    >>> F.layer_norm(torch.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    return _by_rows("layer_norm", LayerNorm, input, normalized_shape, weight, bias, eps)


@tensors_only
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Divide the last dimensions by their root mean square, then multiply by weight. Source: torch.rms_norm.

    eps is the dtype's machine epsilon by default, that of float32 for float16. Shapes are as in layer_norm. The result
    has input's dtype, even if weight has another. Zhang and Sennrich (2019). Raises RuntimeError if the last sizes
    aren't normalized_shape.

    >>> F.rms_norm(torch.tensor([[1.0, 7.0]]), (2,))
    tensor([[0.2000, 1.4000]])
    """
    least: Any = eps
    if eps is None and input.array.dtype.kind in "fc":
        least = float(np.finfo(np.promote_types(input.array.dtype, np.float32)).eps)
    if input.dtype.is_complex:
        last = tuple(range(-len(normalized_shape), 0))
        out = input / ((input * input).mean(last, True) + least).sqrt()
        return (out if weight is None else out * weight).contiguous()
    if weight is not None and weight.dtype != input.dtype and input.is_floating_point():
        once(f"Mismatch dtype between input and weight: input dtype = {input.dtype}, weight dtype = {weight.dtype}")
        if not is_mixed_half(input, weight):
            wide = dtypes.promote_types(input.dtype, weight.dtype)
            return rms_norm(input.to(wide), normalized_shape, weight.to(wide), least).to(input.dtype)
    return _by_rows("rms_norm", RmsNorm, input, normalized_shape, weight, None, least)


def _by_rows(
    op: str, cls: type[Function], input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None,
    bias: Tensor | None, eps: Any,
) -> Tensor:  # fmt: skip
    """Check the arguments of layer_norm or rms_norm and apply it."""
    shape, sizes = input.array.shape, tuple(map(operator.index, normalized_shape))
    if not sizes:
        raise ShapeError(f"{op}: Expected normalized_shape to be at least 1-dimensional, but got {list(sizes)}")
    if shape[-len(sizes) :] != sizes:
        raise ShapeError(
            f"{op}: Given normalized_shape={list(sizes)}, expected input with shape [*, {str(list(sizes))[1:-1]}], but "
            f"got input of size{list(shape)}"
        )
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.array.shape != sizes:
            raise ShapeError(
                f"{op}: Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(x.shape)} and normalized_shape = {list(sizes)}"
            )
    rows = math.prod(shape[: -len(sizes)])
    return apply_norm(op, cls, input, weight, bias, rows=rows, view=(rows, math.prod(sizes)), affine=sizes, eps=eps)


def apply_norm(op: str, cls: type[Function], input: Tensor, *parameters: Tensor | None, **settings: Any) -> Tensor:
    """Check dtypes and apply a normalization; float16 is computed in float32."""
    kind = input.array.dtype
    if kind.kind != "f":
        raise KindError(f"{op}: is not implemented for {input.dtype}: convert input to a floating-point dtype")
    for x in () if is_mixed_half(input, *parameters) else parameters:
        if x is not None and x.array.dtype != kind:
            message = f"{op}: mixed dtype: input is {input.dtype}, but a parameter is {x.dtype}; convert one of them"
            raise DtypeError(message)
    if kind.itemsize > 2:
        return cls.apply(input, *parameters, **settings)
    return cls.apply(*(None if x is None else x.float() for x in (input, *parameters)), **settings).to(input.dtype)


@tensors_only
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalize groups of channels to mean 0 and variance 1, then multiply each channel by weight and add bias.

    input is (N, C, ...), weight and bias are (C). Raises RuntimeError for other shapes and if num_groups does not
    divide C, ValueError if N is 1 and a group has one value. Source: torch.group_norm; Wu and He (2018).

    >>> F.group_norm(torch.tensor([[1.0, 3.0, 0.0, 4.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    shape = input.array.shape
    if len(shape) < 2:
        raise ShapeError(f"group_norm: Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if num_groups <= 0:
        raise ArgumentError(f"group_norm: num_groups must be positive, got {num_groups}")
    if shape[1] % num_groups:
        raise ShapeError(
            "group_norm: Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    for name, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.array.shape != shape[1:2]:
            raise ShapeError(
                f"group_norm: Expected {name} to be a vector of size equal to the number of channels in input, but got "
                f"{name} of shape {list(x.shape)} and input of shape {list(shape)}"
            )
    if shape[0] * shape[1] // num_groups * math.prod(shape[2:]) == 1:
        raise ShapeError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    view = (*shape[:2], math.prod(shape[2:]))
    return apply_norm(
        "group_norm", GroupNorm, input, weight, bias, rows=shape[0] * num_groups, view=view, affine=shape[1:2], eps=eps
    )

"""grad_fn nodes have PyTorch's names, which repr shows, and its inputs, outputs and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")

from .op_db.compare import same  # noqa: E402

CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda t, x, y: x + y,
    "divided": lambda t, x, y: x / y,
    "inverse": lambda t, x, y: 1 / x,
    "square": lambda t, x, y: x**2,
    "power": lambda t, x, y: x**y,
    "exponential": lambda t, x, y: 2**x,
    "log1p": lambda t, x, y: x.log1p(),
    "remainder": lambda t, x, y: x % 2,
    "remainder of two": lambda t, x, y: x % y,
    "fmod": lambda t, x, y: x.fmod(2),
    "fmod of two": lambda t, x, y: x.fmod(y),
    "truncated": lambda t, x, y: t.div(x, 2, rounding_mode="trunc"),
    "truncated of two": lambda t, x, y: t.div(x, y, rounding_mode="trunc"),
    "rounded": lambda t, x, y: x.round(),
    "rounded to digits": lambda t, x, y: x.round(decimals=2),
    "copysign": lambda t, x, y: x.copysign(y),
    "logaddexp2": lambda t, x, y: x.logaddexp2(y),
    "logaddexp": lambda t, x, y: x.logaddexp(y),
    "gelu": lambda t, x, y: t.nn.functional.gelu(x, approximate="tanh"),
    "rrelu": lambda t, x, y: t.nn.functional.rrelu(x, training=True),
    "rrelu in evaluation": lambda t, x, y: t.nn.functional.rrelu(x),
    "cross": lambda t, x, y: t.linalg.cross(x, y),
    "ndtr": lambda t, x, y: t.special.ndtr(x),
    "heaviside": lambda t, x, y: t.heaviside(x, y),
    "qr": lambda t, x, y: t.linalg.qr(x)[0],
    "svd": lambda t, x, y: t.linalg.svd(x, full_matrices=False)[0],
    "svdvals": lambda t, x, y: t.linalg.svdvals(x),
    "pinv": lambda t, x, y: t.linalg.pinv(x),
    "matrix_exp": lambda t, x, y: t.linalg.matrix_exp(x @ y.mT),
    "sum": lambda t, x, y: x.sum(),
    "sum of rows": lambda t, x, y: x.sum(1),
    "mean": lambda t, x, y: x.mean(),
    "mean of rows": lambda t, x, y: x.mean(-1, keepdim=True),
    "max": lambda t, x, y: x.max(),
    "logsumexp": lambda t, x, y: x.logsumexp(0),
    "norm": lambda t, x, y: x.norm(),
    "bernoulli": lambda t, x, y: t.bernoulli(x.sigmoid()),
    "transform of real numbers": lambda t, x, y: t.fft.fft(x),
    "transform of complex numbers": lambda t, x, y: t.fft.fft(x * 1j),
    "inverse transform of real numbers": lambda t, x, y: t.fft.ifft(x),
    "margin_ranking_loss": lambda t, x, y: t.nn.functional.margin_ranking_loss(x, y, y.sign(), reduction="none"),
    "nll_loss of pixels": lambda t, x, y: t.nn.functional.nll_loss(x.view(1, 2, 1, 3), t.zeros(1, 1, 3).long()),
    "broadcast": lambda t, x, y: t.broadcast_tensors(x, y)[0] * 2,
    "broadcast, of that shape": lambda t, x, y: t.broadcast_tensors(x.exp(), y[0])[0],
    "clamp": lambda t, x, y: x.clamp(0, 1),
    "clamp between Tensors": lambda t, x, y: x.clamp(y),
    "x[0, :]": lambda t, x, y: x[0, :],
    "x[None, :]": lambda t, x, y: x[None, :],
    "x[...]": lambda t, x, y: x[...],
    "x[:, :]": lambda t, x, y: x[:, :],
    "x[:, :9]": lambda t, x, y: x[:, :9],
    "x[:, -3:]": lambda t, x, y: x[:, -3:],
    "x[..., -9:9]": lambda t, x, y: x[..., -9:9],
    "pad of a plane, reflect": lambda t, x, y: t.nn.functional.pad(x.exp()[None], (1, 1, 1, 0), mode="reflect"),
    "pad of planes by 0, reflect": lambda t, x, y: t.nn.functional.pad(x.exp()[None, None], (0, 0, 0, 0), "reflect"),
    "pad of a volume, replicate": lambda t, x, y: t.nn.functional.pad(
        x.exp()[None, None], (1, 1, 1, 0, 1, 0), mode="replicate"
    ),
    "adaptive_avg_pool2d without a batch": lambda t, x, y: t.nn.functional.adaptive_avg_pool2d(x.exp()[None], (2, 1)),
    "adaptive_avg_pool3d": lambda t, x, y: t.nn.functional.adaptive_avg_pool3d(x.exp()[None, None], (1, 2, 1)),
    "leaky_relu": lambda t, x, y: t.nn.functional.leaky_relu(x),
    "prelu": lambda t, x, y: t.nn.functional.prelu(x, t.full((1,), 0.1, requires_grad=True)),
    "dot": lambda t, x, y: x[0] @ y[0],
    "matrix times vector": lambda t, x, y: x.detach() @ y[0],
    "matrices": lambda t, x, y: x @ y.detach().mT,
    "batches": lambda t, x, y: x.expand(2, 2, 3) @ y.mT.expand(2, 3, 2),
    "linear": lambda t, x, y: t.nn.Linear(3, 4)(x),
    "linear without bias": lambda t, x, y: t.nn.Linear(3, 4, bias=False)(x),
    "linear of three": lambda t, x, y: t.nn.Linear(3, 4)(x[None]),
    "view": lambda t, x, y: x.view(6),
    "unsqueeze": lambda t, x, y: x.unsqueeze(1),
    "squeeze": lambda t, x, y: x[:1].squeeze(0),
    "transpose": lambda t, x, y: x.transpose(0, 1),
    "permute": lambda t, x, y: x[None].permute(2, 0, 1),
    "permute two": lambda t, x, y: x[None].permute(0, 2, 1),
    "movedim": lambda t, x, y: x.movedim(0, 1),
    "swapaxes": lambda t, x, y: x.swapaxes(0, 1),
    "row": lambda t, x, y: x[0],
    "element": lambda t, x, y: x[0, 1],
    "slice": lambda t, x, y: x[:, 1:],
    "new axis": lambda t, x, y: x[None],
    "by index": lambda t, x, y: x[[0, 1]],
    "by mask": lambda t, x, y: x[x > 0],
    "split": lambda t, x, y: x.split(1)[1],
    "unbind": lambda t, x, y: x.unbind()[0],
    "cast": lambda t, x, y: x.double(),
    "mse_loss": lambda t, x, y: t.nn.functional.mse_loss(x, y),
    "cross_entropy": lambda t, x, y: t.nn.functional.cross_entropy(x, t.tensor([0, 2])),
    "nll_loss": lambda t, x, y: t.nn.functional.nll_loss(x, t.tensor([0, 2])),
    "softmax": lambda t, x, y: x.softmax(1),
    "dropout": lambda t, x, y: t.nn.functional.dropout(x),
    "conv": lambda t, x, y: t.nn.Conv1d(2, 1, 2)(x),
    "max_pool": lambda t, x, y: t.nn.functional.max_pool2d(x[None, None], 2),
    "max_pool without a batch": lambda t, x, y: t.nn.functional.max_pool2d(x[None], 2),
    "max_pool of a volume": lambda t, x, y: t.nn.functional.max_pool3d(x[None, None], (1, 2, 2), return_indices=True)[
        0
    ],
    "max_pool of a line": lambda t, x, y: t.nn.functional.max_pool1d(x, 2),
    "avg_pool without a batch": lambda t, x, y: t.nn.functional.avg_pool2d(x[None], 2),
    "avg_pool of a line": lambda t, x, y: t.nn.functional.avg_pool1d(x, 2),
    "unfold without a batch": lambda t, x, y: t.nn.functional.unfold(x[None], 2),
    "fold without a batch": lambda t, x, y: t.nn.functional.fold(x.reshape(6, 1), (2, 3), (2, 3)),
    "affine_grid": lambda t, x, y: t.nn.functional.affine_grid(x[None], (1, 1, 2, 2), align_corners=False),
    "batch_norm": lambda t, x, y: t.nn.BatchNorm1d(3)(x),
    "layer_norm": lambda t, x, y: t.nn.LayerNorm(3)(x),
    "lstm": lambda t, x, y: t.nn.LSTM(3, 2)(x)[0],
    "pad": lambda t, x, y: t.nn.functional.pad(x, (1, 1)),
    "fft": lambda t, x, y: t.fft.rfft(x),
    "linear, not contiguous": lambda t, x, y: t.nn.Linear(3, 4)(t.stack([x, x]).transpose(0, 1)),
    "linear with a constant bias": lambda t, x, y: t.nn.functional.linear(x[None], x.detach(), t.ones(len(x))),
    "linear of a vector": lambda t, x, y: t.nn.Linear(3, 4)(x[0]),
    "real part": lambda t, x, y: t.complex(x, y).real,
    "imaginary part": lambda t, x, y: t.complex(x, y).imag,
    "written by index": lambda t, x, y: written(x, [0]),
    "written by mask": lambda t, x, y: written(x, x > 1),
    "number minus": lambda t, x, y: 1 - x,
    "rsub": lambda t, x, y: t.rsub(x, y),
    "view that adds an axis": lambda t, x, y: x.view(2, 1, 3),
    "view without an axis": lambda t, x, y: x[:1].view(3),
    "flatten": lambda t, x, y: x[:, :1].clone().flatten(),
    "flatten, copied": lambda t, x, y: x[:, :2].flatten(),
    "reshape of columns": lambda t, x, y: x.T.reshape(3, 1, 2),
    "reshape of columns, copied": lambda t, x, y: x.t().reshape(6),
    "reshape of an expanded tensor": lambda t, x, y: x.expand(4, 2, 3).reshape(4, 6),
    "unflatten of columns": lambda t, x, y: x.T.unflatten(1, (2, 1)),
    "ravel of columns": lambda t, x, y: x.T.ravel(),
    "squeeze all": lambda t, x, y: x[:1].squeeze(),
    "squeeze two": lambda t, x, y: x[None, :1].squeeze((0, 1)),
    "t": lambda t, x, y: x.t(),
    "T": lambda t, x, y: x.T,
    "celu": lambda t, x, y: t.nn.functional.celu(x, 0.5),
    "cross_entropy with label smoothing": lambda t, x, y: t.nn.functional.cross_entropy(
        x, t.tensor([0, 2]), label_smoothing=0.1
    ),
    "cross_entropy of probabilities": lambda t, x, y: t.nn.functional.cross_entropy(x, y.detach()),
    "rms_norm": lambda t, x, y: t.nn.RMSNorm(3)(x),
    "bmm": lambda t, x, y: t.bmm(x[None], y[None].mT),
    "clamp_min": lambda t, x, y: x.clamp_min(1),
    "clamp_max": lambda t, x, y: x.clamp_max(y),
    "gather": lambda t, x, y: x.gather(1, t.tensor([[0], [1]])),
    "index_select": lambda t, x, y: x.index_select(1, t.tensor([0])),
    "take": lambda t, x, y: x.take(t.tensor([0])),
    "masked_select": lambda t, x, y: x.masked_select(x > 1),
    "masked_fill": lambda t, x, y: x.masked_fill(x > 1, 0),
    "where": lambda t, x, y: t.where(x > 1, x, y),
    "where, a number": lambda t, x, y: t.where(x > 1, x, 0.5),
    "where, a number first": lambda t, x, y: t.where(x > 1, 0.5, x),
    "masked_fill by a tensor": lambda t, x, y: x.masked_fill(x > 1, y[0, 0]),
    "index_fill": lambda t, x, y: x.index_fill(0, t.tensor([0]), 1),
    "scatter": lambda t, x, y: x.scatter(0, t.tensor([[0]]), y),
    "scatter a number": lambda t, x, y: x.scatter(0, t.tensor([[0]]), 1.0),
    "scatter_add": lambda t, x, y: x.scatter_add(0, t.tensor([[0]]), y),
    "scatter_reduce": lambda t, x, y: x.scatter_reduce(0, t.tensor([[0]]), y, "amax"),
    "sort": lambda t, x, y: x.sort().values,
    "topk": lambda t, x, y: x.topk(2).values,
    "max of rows": lambda t, x, y: x.max(1).values,
    "median of rows": lambda t, x, y: x.median(1).values,
    "std": lambda t, x, y: x.std(),
    "std of rows": lambda t, x, y: x.std(1),
    "var_mean": lambda t, x, y: t.var_mean(x)[1],
    "prod of rows": lambda t, x, y: x.prod(1),
    "trace": lambda t, x, y: x.trace(),
    "transpose of one": lambda t, x, y: x.transpose(1, 1),
    "split by sizes": lambda t, x, y: x.split([1, 2], 1)[1],
    "tensor_split": lambda t, x, y: x.tensor_split(2)[1],
    "hsplit": lambda t, x, y: x.hsplit((1,))[0],
    "diag": lambda t, x, y: x.diag(),
    "diag of a vector": lambda t, x, y: x[0].diag(),
    "repeat_interleave": lambda t, x, y: x.repeat_interleave(2, 1),
    "repeat_interleave, each": lambda t, x, y: x.repeat_interleave(t.tensor([1, 2]), 0),
    "diagonal_scatter": lambda t, x, y: x.diagonal_scatter(y[0, :2]),
    "as_strided_scatter": lambda t, x, y: x.as_strided_scatter(y[0, :2], (2,), (1,)),
    "slice_scatter": lambda t, x, y: x.slice_scatter(y[:, :1], 1, 1, 2),
    "put": lambda t, x, y: x.put(t.tensor([0]), y[0, :1]),
    "put, in place": lambda t, x, y: x.put_(t.tensor([0]), y[0, :1]),
    "index_add, in place": lambda t, x, y: x.index_add_(0, t.tensor([0]), y[:1]),
    "index_copy, in place": lambda t, x, y: x.index_copy_(0, t.tensor([0]), y[:1]),
    "index_fill, in place": lambda t, x, y: x.index_fill_(0, t.tensor([0]), 1),
    "index_reduce, in place": lambda t, x, y: x.index_reduce_(0, t.tensor([0]), y[:1], "amax"),
    "masked_fill, in place": lambda t, x, y: x.masked_fill_(x > 1, 0),
    "masked_fill by a tensor, in place": lambda t, x, y: x.masked_fill_(x > 1, y[0, 0]),
    "masked_scatter, in place": lambda t, x, y: x.masked_scatter_(x > 1, y),
    "scatter, in place": lambda t, x, y: x.scatter_(0, t.tensor([[0]]), y),
    "scatter a number, in place": lambda t, x, y: x.scatter_(0, t.tensor([[0]]), 1.0),
    "scatter_add, in place": lambda t, x, y: x.scatter_add_(0, t.tensor([[0]]), y),
    "scatter_reduce, in place": lambda t, x, y: x.scatter_reduce_(0, t.tensor([[0]]), y, "mean"),
    "masked_fill_ of a row": lambda t, x, y: (x[0].masked_fill_(x[0] > 1, 0), x)[1],
    "view of a base that is written to": lambda t, x, y: (x.t(), x.mul_(2))[0],
    "a view that is written to": lambda t, x, y: x[0].masked_fill_(x[0] > 1, 0),
    "masked_fill_ of a selected row, summed": lambda t, x, y: x.select(0, 0).masked_fill_(x[0] > 1, 0).sum(),
    "copy": lambda t, x, y: x.copy_(y),
    "fill": lambda t, x, y: x.fill_(2),
    "fill by a tensor": lambda t, x, y: x.fill_(y[0, 0]),
    "zero": lambda t, x, y: x.zero_(),
    "cumsum, in place": lambda t, x, y: x.cumsum_(0),
    "clamp_min, in place": lambda t, x, y: x.clamp_min_(1),
    "squeeze, in place": lambda t, x, y: x.squeeze_(),
    "squeeze of one, in place": lambda t, x, y: x[None].clone().squeeze_(0),
    "squeeze of two, in place": lambda t, x, y: x[None].clone().squeeze_((0, 1)),
    "unsqueeze, in place": lambda t, x, y: x.unsqueeze_(0),
    "t, in place": lambda t, x, y: x.t_(),
    "transpose, in place": lambda t, x, y: x.transpose_(0, 1),
    "swapaxes, in place": lambda t, x, y: x.swapaxes_(0, 1),
    "as_strided, in place": lambda t, x, y: x.as_strided_((3, 2), (1, 3)),
    "eq, in place": lambda t, x, y: x.eq_(y),
    "lt by a number, in place": lambda t, x, y: x.lt_(1),
    "fmod by a constant, in place": lambda t, x, y: x.fmod_(y.detach()),
    "remainder by a constant": lambda t, x, y: x.remainder(y.detach()),
    "clamp to a constant": lambda t, x, y: x.clamp(y.detach()),
    "copysign of a number": lambda t, x, y: x.copysign(-1),
    "xlogy of a number": lambda t, x, y: t.xlogy(x, 2),
    "xlogy of a constant": lambda t, x, y: t.xlogy(x, y.detach()),
    "addmm, in place": lambda t, x, y: x.addmm_(x.detach()[:, :2].clone(), y),
    "x[...] = 0": lambda t, x, y: written(x, ...),
    "x[0:2, :] = 0": lambda t, x, y: written(x, (slice(0, 2), slice(None))),
    "x[:] = y": lambda t, x, y: written(x, slice(None), y),
    "x[:] = x[:] + 1": lambda t, x, y: written(x, slice(None), x[:] + 1),
    "x[:, 0] = 0": lambda t, x, y: written(x, (slice(None), 0)),
    "x[:, [0]] = 0": lambda t, x, y: written(x, (slice(None), [0])),
    "x[..., :3]": lambda t, x, y: x[..., :3],
    "x[:2]": lambda t, x, y: x[:2],
    "x[1, 0:3]": lambda t, x, y: x[1, 0:3],
    "sgn": lambda t, x, y: x.sgn(),
    "zeta": lambda t, x, y: t.special.zeta(t.tensor(2.0), x),
    "kron": lambda t, x, y: t.kron(x, y),
    "a module with a backward hook": lambda t, x, y: hooked(t.nn.ReLU())(x),
    "leaky_relu, in place": lambda t, x, y: t.nn.functional.leaky_relu_(x),
    "leaky_relu of a part, in place": lambda t, x, y: (t.nn.functional.leaky_relu_(x[0]), x)[1],
    "elu, in place": lambda t, x, y: t.nn.functional.elu_(x),
    "selu, in place": lambda t, x, y: t.nn.functional.selu_(x),
    "threshold, in place": lambda t, x, y: t.nn.functional.threshold_(x, 1, 2),
    "rrelu, in place": lambda t, x, y: t.nn.functional.rrelu_(x, training=True),
    "rrelu in evaluation, in place": lambda t, x, y: t.nn.functional.rrelu_(x),
    "normal, in place": lambda t, x, y: x.normal_(),
    "log_normal of a part, in place": lambda t, x, y: (x[0].log_normal_(), x)[1],
    "a copy, of its own dtype": lambda t, x, y: x.to(x.dtype, copy=True),
    "a vector times a matrix": lambda t, x, y: x[:, 0] @ y,
    "a constant vector times a matrix": lambda t, x, y: x[:, 0].detach() @ y,
    "a matrix times a vector": lambda t, x, y: x @ y[0],
    "matrices times a vector": lambda t, x, y: x[None] @ y[0],
    "inner": lambda t, x, y: t.inner(x, y),
    "multi_dot": lambda t, x, y: t.linalg.multi_dot([x, y.T, x]),
    "diff": lambda t, x, y: x.diff(),
    "trapezoid": lambda t, x, y: t.trapezoid(x),
    "in-place write under no_grad": lambda t, x, y: written_without_grad(t, x),
    "repeat": lambda t, x, y: x.repeat(2, 2),
    "addcmul": lambda t, x, y: t.addcmul(x, x, y, value=0.5),
    "addmm": lambda t, x, y: t.addmm(x, x[:, :2], y),
    "einsum": lambda t, x, y: t.einsum("ij,kj->ik", x, y),
    "einsum of one": lambda t, x, y: t.einsum("ij->ij", x),
    "cdist": lambda t, x, y: t.cdist(x, y),
    "eigh": lambda t, x, y: t.linalg.eigh(x @ y.T)[0],
    "cholesky": lambda t, x, y: t.linalg.cholesky(x @ x.T + t.eye(2)),
    "solve": lambda t, x, y: t.linalg.solve(x[:, :2], y[:, 0]),
    "binary cross entropy": lambda t, x, y: t.nn.functional.binary_cross_entropy(x.sigmoid(), y.sigmoid()),
    "binary cross entropy of logits": lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(
        x, y, reduction="sum"
    ),
    "smooth_l1_loss": lambda t, x, y: t.nn.functional.smooth_l1_loss(x, y),
    "huber_loss": lambda t, x, y: t.nn.functional.huber_loss(x, y, delta=0.5),
    "soft_margin_loss": lambda t, x, y: t.nn.functional.soft_margin_loss(x, y.detach()),
    "l1_loss": lambda t, x, y: t.nn.functional.l1_loss(x, y),
    "interpolate": lambda t, x, y: t.nn.functional.interpolate(x[None, None], scale_factor=2, mode="bilinear"),
    "adaptive pooling": lambda t, x, y: t.nn.AdaptiveAvgPool2d(1)(x[None, None]),
    "reflection": lambda t, x, y: t.nn.ReflectionPad1d(1)(x),
    "pixel_shuffle": lambda t, x, y: t.nn.PixelShuffle(1)(x[None, None]),
    "embedding_bag": lambda t, x, y: t.nn.functional.embedding_bag(t.tensor([[0, 1]]), x),
    **{
        f"{op} of a number": lambda t, x, y, op=op: getattr(x[0, 0], op)(0)
        for op in ("cumsum", "cumprod", "logcumsumexp", "softmax", "log_softmax")
    },
    "softmin of a number": lambda t, x, y: t.nn.functional.softmin(x[0, 0], 0),
    "cummax of a number": lambda t, x, y: x[0, 0].cummax(0)[0],
    "cummin of a number": lambda t, x, y: x[0, 0].cummin(0)[0],
    "aminmax": lambda t, x, y: x.aminmax().min,
    "aminmax of rows": lambda t, x, y: x.aminmax(dim=1).max,
    "cov": lambda t, x, y: x.cov(),
    "cov of one": lambda t, x, y: x[0].cov(),
    "atleast_2d": lambda t, x, y: t.atleast_2d(x[0]),
    "atleast_2d of a number": lambda t, x, y: t.atleast_2d(x[0, 0]),
    "atleast_3d": lambda t, x, y: t.atleast_3d(x),
    "atleast_3d of columns": lambda t, x, y: t.atleast_3d(x.T),
    "atleast_3d of a vector": lambda t, x, y: t.atleast_3d(x[0]),
    "atleast_3d of a number": lambda t, x, y: t.atleast_3d(x[0, 0]),
    "sum_to_size": lambda t, x, y: x.sum_to_size(2, 1),
    "sum_to_size of fewer dimensions": lambda t, x, y: x.sum_to_size(3),
    "cdist of many": lambda t, x, y: t.cdist(x.repeat(13, 1), y),
    "mvlgamma": lambda t, x, y: t.mvlgamma(x + 2, 3),
    "vdot": lambda t, x, y: t.vdot(x[0], y[0]),
    "normal by means": lambda t, x, y: t.normal(x, 2.0),
    "normal by deviations": lambda t, x, y: t.normal(2.0, x),
    "normal by both": lambda t, x, y: t.normal(x, y),
    "expand_copy": lambda t, x, y: t.expand_copy(x, (2, 2, 3)),
    "squeeze_copy": lambda t, x, y: t.squeeze_copy(x, 0),
    "transpose_copy": lambda t, x, y: t.transpose_copy(x, 0, 1),
    "unbind_copy": lambda t, x, y: t.unbind_copy(x)[1],
    "view_copy": lambda t, x, y: t.view_copy(x, (3, 2)),
    "glu": lambda t, x, y: t.nn.functional.glu(x, 0),
    "gru": lambda t, x, y: t.nn.GRU(3, 2, batch_first=True)(x[None])[0],
    "gru cell": lambda t, x, y: t.nn.GRUCell(3, 2)(x),
    "packed sequence": lambda t, x, y: t.nn.utils.rnn.pack_padded_sequence(x[..., None], [3, 2], batch_first=True).data,
    "lstm cell": lambda t, x, y: t.nn.LSTMCell(3, 2)(x)[0],
    "rnn cell": lambda t, x, y: t.nn.RNNCell(3, 2)(x),
}


def written_without_grad(t: Any, x: Any) -> Any:
    with t.no_grad():
        return x.masked_fill_(x > 1, 0).zero_()


def hooked(module: Any) -> Any:
    module.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    return module


def written(x: Any, index: Any, value: Any = 0) -> Any:
    x[index] = value
    return x


@pytest.mark.filterwarnings("ignore:index_reduce:UserWarning")
@pytest.mark.parametrize("name", CALLS)
def test_node_name_is_torchs(name: str) -> None:
    names = []
    for library in (torch, microgad):
        x, y = (library.tensor(values, requires_grad=True) for values in ([[0.5, 1.0, 2.0], [1.5, 0.25, 3.0]],) * 2)
        result = CALLS[name](library, x + 0, y + 0)
        names.append(result.grad_fn.name())
    assert names[1] == names[0]
    assert f"grad_fn=<{names[0].rpartition('::')[2]}>" in repr(result)
    (result.abs() if result.is_complex() else result).sum().backward()
    assert result.grad_fn.name() == names[0]
    with microgad.autograd.graph.save_on_cpu():
        packed = CALLS[name](microgad, x + 0, y + 0)
    assert packed.grad_fn.name() == names[0]


SAME_INPUTS_AND_GRADIENTS = [
    "square", "exponential", "remainder", "fmod", "number minus", "leaky_relu", "clamp", "clamp_min", "clamp_max",
    "masked_fill", "where", "where, a number", "where, a number first", "index_fill", "scatter a number", "fill",
    "zero", "a matrix times a vector", "add",
    "nll_loss", "divided", "inverse", "xlogy of a number", "masked_fill, in place", "conv", "layer_norm",
]  # fmt: skip


@pytest.mark.parametrize("name", SAME_INPUTS_AND_GRADIENTS)
def test_node_inputs_and_gradients_are_torchs(name: str) -> None:
    def observed(library: Any) -> Any:
        library.manual_seed(0)
        x, y = (library.tensor(values, requires_grad=True) for values in ([[0.5, 1.0, 2.0], [1.5, 0.25, 3.0]],) * 2)
        result, seen = CALLS[name](library, x * 1, y * 1), []
        node = result.grad_fn
        node.register_hook(lambda inputs, outputs: seen.append(inputs))
        called = node(library.ones_like(result))
        result.sum().backward()
        return called, seen, [previous is not None for previous, _ in node.next_functions]

    same(observed(torch), observed(microgad))


def test_leaf_nodes_are_named_accumulate_grad() -> None:
    for library in (torch, microgad):
        ((leaf, _),) = library.ones(2, requires_grad=True).exp().grad_fn.next_functions
        assert type(leaf).__name__ == "AccumulateGrad"


def test_stack_gives_no_gradient_for_a_constant() -> None:
    x = microgad.ones(2, requires_grad=True)
    one, none = microgad.stack([x, microgad.zeros(2)]).grad_fn(microgad.ones(2, 2))
    assert one.tolist() == [1.0, 1.0]
    assert none is None


def test_name_of_a_custom_function() -> None:
    for library in (torch, microgad):

        class Doubled(library.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 2

            @staticmethod
            def backward(ctx: Any, grad: Any) -> Any:
                return grad * 2

        y = Doubled.apply(library.ones(1, requires_grad=True))
        assert repr(y) == "tensor([2.], grad_fn=<DoubledBackward>)"
        assert repr(y.grad_fn).startswith("<torch.autograd.function.DoubledBackward object at 0x")


def test_partial_writes_are_named_copy_slices() -> None:
    for library in (torch, microgad):
        x = library.ones(2, 3, requires_grad=True)
        assert "grad_fn=<CopySlices>" in repr(written(x * 1, 0))
        assert "grad_fn=<CopySlices>" in repr(written(x * 1, (slice(None), slice(1))))
        assert "grad_fn=<CopySlices>" in repr(written(x * 1, (slice(None), slice(-3, None))))
        assert "grad_fn=<CopySlices>" in repr(written(x * 1, (0, [1, 2])))
        assert "grad_fn=<CopySlices>" in repr(written(x * 1, (None, [0])))
        assert "grad_fn=<CopySlices>" in repr(written(x * 1, True))
        y = x * 1
        y[0].mul_(2)
        assert "grad_fn=<CopySlices>" in repr(y)


def test_node_name_after_backward() -> None:
    for library in (torch, microgad):
        x = library.ones(2, 3, requires_grad=True)
        picked, scaled, leaky = x[[0]], 1 / x, library.nn.functional.leaky_relu(x)
        (picked.sum() + scaled.sum() + leaky.sum()).backward()
        assert picked.grad_fn.name() == "IndexBackward0"
        assert scaled.grad_fn.name() == "MulBackward0"
        assert leaky.grad_fn.name() == "LeakyReluBackward0"


@pytest.mark.parametrize("name", ["var_mean", "std_mean"])
def test_both_results_of_var_mean_share_a_node(name: str) -> None:
    def observed(library: Any) -> Any:
        x = library.arange(6.0, requires_grad=True).reshape(2, 3) * 1
        first, second = getattr(library, name)(x, 1)
        ((previous, _),) = first.grad_fn.next_functions
        which = [(y * 1).grad_fn.next_functions[0] for y in (first, second)]
        return (
            first.grad_fn is second.grad_fn, first.grad_fn.name(), previous.name(), [i for _, i in which],
            all(node is first.grad_fn for node, _ in which), repr(second),
        )  # fmt: skip

    assert observed(microgad) == observed(torch)


def test_results_of_one_call_share_a_node() -> None:
    def observed(library: Any) -> Any:
        class Twice(library.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                ctx.save_for_backward(x)
                return x * 2, x * 3

            @staticmethod
            def backward(ctx: Any, a: Any, b: Any) -> Any:
                return a * 2 + b * 3

        x = library.ones(2, 3, requires_grad=True)
        first, second = Twice.apply(x)
        ((leaf, at),) = first.grad_fn.next_functions
        ((twice, which), _) = (second * 1).grad_fn.next_functions
        a, b, _ = (x * 2).unbind(1)
        pairs = [(f and f.name(), i) for f, i in a.grad_fn.next_functions]
        saved = [s.tolist() for s in first.grad_fn.saved_tensors]
        same = first.grad_fn is second.grad_fn, twice is first.grad_fn, a.grad_fn is b.grad_fn
        return leaf.name(), leaf.variable is x, at, which, pairs, saved, same

    assert observed(microgad) == observed(torch)


@pytest.mark.filterwarnings("ignore:Using backward")
def test_gradients_with_a_graph_have_torchs_node_names():
    def names(t):
        x = t.ones(2, 6)
        leaves = [leaf.requires_grad_() for leaf in (x.clone(), x.clone().T, x.clone()[:, ::2], x[0, 0].clone())]
        for _ in range(2):
            sum((leaf.exp() * leaf).sum() for leaf in leaves).backward(create_graph=True)
            yield [repr(leaf.grad).partition("grad_fn")[2] for leaf in leaves]

    assert list(names(microgad)) == list(names(torch))


def test_the_first_input_of_a_linear_layer_is_its_bias():
    """PyTorch's tutorial "Neural Networks" prints the first of the next functions twice."""
    for library in (torch, microgad):
        net = library.nn.Sequential(library.nn.Linear(3, 4), library.nn.ReLU(), library.nn.Linear(4, 2))
        node = net(library.ones(2, 3)).grad_fn
        names = [previous.name().rpartition("::")[2] for previous, _ in node.next_functions]
        assert names[:2] == ["AccumulateGrad", "ReluBackward0"]
        out, seen = net(library.ones(2, 3)), []
        out.grad_fn.register_hook(lambda gradients, _, seen=seen: seen.append(gradients[1].shape))
        out.sum().backward()
        assert (*seen, node(library.ones(2, 2))[1].shape) == ((2, 4), (2, 4))

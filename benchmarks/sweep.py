"""Operations of about 1e3, 3e4 and 1e6 elements, to find those that take more than 3 times PyTorch's time.

Measures processor time on one thread, forward and backward, in alternating turns; a ratio is that of the shortest
turns.

    python benchmarks/sweep.py [names] [--all] [--page FILE]    # SWEEP.md; the reasons are in RESULTS.md
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import one_thread  # noqa: F401

# isort: split
import numpy as np
import torch
from arguments import chosen, parser
from ops import Workload, measure

SIDES = (32, 180, 1000)  # of a matrix
SEQUENCES = ((4, 8, 32), (8, 16, 256), (32, 32, 1024))
IMAGES = ((1, 4, 16, 16), (4, 8, 32, 32), (16, 16, 64, 64))
VOLUMES = ((1, 2, 8, 8, 8), (2, 4, 16, 16, 16), (4, 8, 32, 32, 32))
MATRICES = ((4, 16), (8, 64), (4, 256))  # how many, of which side
TOKENS = ((8, 4, 16), (32, 8, 64), (64, 16, 128))  # (time, batch, features)

Draw = Callable[[np.random.Generator, int], Any]


def normal(*shape: int) -> Callable[[np.random.Generator], Any]:
    return lambda r: r.normal(size=shape).astype(np.float32)


def definite(r: np.random.Generator, k: int) -> Any:
    count, n = MATRICES[k]
    a = r.normal(size=(count, n, n)).astype(np.float32)
    return a @ a.swapaxes(1, 2) + n * np.eye(n, dtype=np.float32)


# The kinds of arguments of a case, one letter each.
DRAW: dict[str, Draw] = {
    "x": lambda r, k: normal(SIDES[k], SIDES[k])(r),
    "u": lambda r, k: r.uniform(0.05, 0.95, (SIDES[k], SIDES[k])).astype(np.float32),
    "r": lambda r, k: normal(SIDES[k])(r),
    "i": lambda r, k: r.integers(0, SIDES[k], (SIDES[k], SIDES[k])),
    "j": lambda r, k: r.integers(0, SIDES[k], SIDES[k]),
    "m": lambda r, k: r.random((SIDES[k], SIDES[k])) < 0.5,
    "1": lambda r, k: normal(*SEQUENCES[k])(r),
    "2": lambda r, k: normal(*IMAGES[k])(r),
    "3": lambda r, k: normal(*VOLUMES[k])(r),
    "a": lambda r, k: normal(SEQUENCES[k][1], SEQUENCES[k][1], 3)(r),  # kernels
    "b": lambda r, k: normal(IMAGES[k][1], IMAGES[k][1], 3, 3)(r),
    "c": lambda r, k: normal(VOLUMES[k][1], VOLUMES[k][1], 3, 3, 3)(r),
    "w": lambda r, k: normal(IMAGES[k][1])(r),  # a number for each channel
    "y": lambda r, k: r.integers(0, IMAGES[k][1], (IMAGES[k][0], *IMAGES[k][2:])),  # a class for each pixel
    "g": lambda r, k: r.uniform(-1, 1, (IMAGES[k][0], *IMAGES[k][2:], 2)).astype(np.float32),  # a point for each pixel
    "p": definite,
    "t": lambda r, k: normal(*TOKENS[k])(r),
    "s": lambda r, k: normal((64, 2000, 62500)[k], 16)(r),  # short rows
    "h": lambda r, k: normal(16)(r),  # one of them
    "4": lambda r, k: normal((8, 20, 250)[k], (8, 100, 250)[k], 16)(r),  # a grid of them
    "l": lambda r, k: r.integers(0, 16, (64, 2000, 62500)[k]),  # class indices
    "q": lambda r, k: normal(*((1, 2, 16, 32), (2, 4, 32, 64), (4, 8, 128, 64))[k])(r),  # heads of attention
    "e": lambda r, k: normal(*((100, 10), (1000, 30), (10000, 100))[k])(r),  # an embedding matrix
    "n": lambda r, k: r.integers(0, (100, 1000, 10000)[k], (16, (2, 20, 200)[k])),  # indices into it
}
Case = tuple[str, Callable[..., Any]]


def named(name: str) -> Callable[..., Any]:
    def call(library: Any, *tensors: Any, **settings: Any) -> Any:
        for part in name.split("."):
            library = getattr(library, part)
        return library(*tensors, **settings)

    return call


def functional(name: str, kinds: str, *settings: Any, **named_settings: Any) -> Case:
    return kinds, lambda t, *tensors: getattr(t.nn.functional, name)(*tensors, *settings, **named_settings)


def alone(kinds: str, names: str) -> dict[str, Case]:
    return {name: (kinds, named(name)) for name in names.split()}


def along(name: str, dim: int) -> Case:
    call = named(name)
    return "x", lambda t, x: call(t, x, dim=dim)


def module(kinds: str, make: Callable[[Any, Any], Any], call: Callable[[Any, Any], Any] = lambda m, x: m(x)) -> Case:
    made: dict[Any, Any] = {}

    def run(library: Any, x: Any) -> Any:
        key = library.__name__, tuple(x.shape)
        if key not in made:
            made[key] = make(library.nn, x.shape)
        return call(made[key], x)

    return kinds, run


ELEMENTWISE = {
    **alone("u", """
        abs acos asin atan ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac i0 lgamma log log10
        log1p log2 logit neg reciprocal round rsqrt sigmoid sign sin sinc sinh sqrt square tan tanh trunc isnan
        special.i0e special.i1 special.entr special.ndtr special.ndtri special.log_ndtr special.erfcx"""),
    **alone("x", """
        angle nan_to_num asinh isfinite nn.functional.elu nn.functional.celu nn.functional.gelu nn.functional.glu
        nn.functional.hardshrink nn.functional.hardsigmoid nn.functional.hardswish nn.functional.hardtanh
        nn.functional.leaky_relu nn.functional.logsigmoid nn.functional.mish nn.functional.relu6 nn.functional.selu
        nn.functional.silu nn.functional.softplus nn.functional.softshrink nn.functional.softsign
        nn.functional.tanhshrink nn.functional.softmin nn.functional.alpha_dropout"""),
    **alone("xx", """
        add sub mul div maximum minimum fmax fmod remainder atan2 hypot logaddexp logaddexp2 copysign eq lt isclose"""),
    "pow": ("uu", lambda t, x, y: x**y),
    "x**3": ("x", lambda t, x: x**3),
    "x**4": ("x", lambda t, x: x**4),
    "2**x": ("x", lambda t, x: 2**x),
    "x + 2.5": ("x", lambda t, x: x + 2.5),
    "float_power": ("u", lambda t, x: t.float_power(x, 2)),
    "xlogy": ("xu", lambda t, x, y: t.xlogy(x, y)),
    "floor_divide": ("xx", lambda t, x, y: t.floor_divide(x.detach(), y.detach())),
    "nextafter": ("xx", lambda t, x, y: t.nextafter(x.detach(), y.detach())),
    "clamp": ("x", lambda t, x: t.clamp(x, -0.5, 0.5)),
    "where": ("mxx", lambda t, m, x, y: t.where(m, x, y)),
    "lerp": ("xxu", lambda t, x, y, w: t.lerp(x, y, w)),
    "addcmul": ("xxx", lambda t, x, y, z: t.addcmul(x, y, z)),
    "addcdiv": ("xxu", lambda t, x, y, z: t.addcdiv(x, y, z)),
    "add a row": ("xr", lambda t, x, r: x + r),
    "add a short row": ("sh", lambda t, x, h: x + h),
    "pairwise difference": ("r", lambda t, r: _points(r)[:, None] - _points(r)),
    "add_": ("xx", lambda t, x, y: x.clone().add_(y)),
    "threshold": functional("threshold", "x", 0.1, 2.0),
    "prelu": functional("prelu", "2w"),
    "polygamma": ("u", lambda t, x: t.polygamma(1, x)),
    "mvlgamma": ("u", lambda t, x: t.mvlgamma(x + 2, 2)),
    "gammainc": ("uu", lambda t, x, y: t.special.gammainc(x.detach(), y.detach())),
    "bessel_j0": ("x", lambda t, x: t.special.bessel_j0(x.detach())),
    "zeta": ("uu", lambda t, x, y: t.special.zeta(x.detach() + 1.1, y.detach())),
    "complex product": ("xx", lambda t, x, y: t.view_as_real(t.complex(x, y) * t.complex(y, x))),
    "complex abs": ("xx", lambda t, x, y: t.complex(x, y).abs()),
    "half": ("x", lambda t, x: x.half()),
    "double": ("x", lambda t, x: x.double()),
    "gcd": ("ii", lambda t, i, j: t.gcd(i, j)),
    "bitwise_and": ("ii", lambda t, i, j: i & j),
}  # fmt: skip


def _points(r: Any) -> Any:
    """Return the numbers of a vector as points in the plane."""
    return r.reshape(-1, 2)


REDUCTIONS = {
    **alone("u", """
        sum mean var std amax argmax prod median norm trace all any count_nonzero nansum nanmean std_mean aminmax"""),
    **{
        f"{name} of {dim}": along(name, dim)
        for name in (
            "sum", "mean", "var", "std", "amax", "argmax", "max", "prod", "median", "mode", "norm", "logsumexp",
            "cumsum", "cumprod", "cummax", "logcumsumexp", "sort", "argsort", "diff", "softmax", "log_softmax", "all",
            "aminmax", "nn.functional.normalize", "cumulative_trapezoid",
        )
        for dim in (0, 1)
    },
    **{
        f"{name} over all but 16": ("4", lambda t, x, name=name: getattr(t, name)(x, (0, 1)))
        for name in ("sum", "mean", "amax", "std")
    },
    "topk": ("x", lambda t, x: t.topk(x, 5)),
    "topk of a line": ("x", lambda t, x: t.topk(x.reshape(-1), 50)),
    "argsort of a line": ("x", lambda t, x: x.detach().reshape(-1).argsort()),
    "multinomial": ("u", lambda t, x: t.multinomial(x.detach(), 5)),
    "kthvalue": ("x", lambda t, x: t.kthvalue(x, 5)),
    "quantile": ("x", lambda t, x: t.quantile(x, 0.3, dim=1)),
    "vector_norm 3": ("x", lambda t, x: t.linalg.vector_norm(x, 3)),
    "dist": ("xx", lambda t, x, y: t.dist(x, y)),
    "unique": ("i", lambda t, i: t.unique(i)),
    "unique_consecutive": ("j", lambda t, j: t.unique_consecutive(j)),
    "bincount": ("i", lambda t, i: t.bincount(i.reshape(-1))),
    "histc": ("x", lambda t, x: t.histc(x.detach(), 50)),
    "searchsorted": ("x", lambda t, x: t.searchsorted(t.linspace(-3, 3, 100), x.detach())),
    "isin": ("i", lambda t, i: t.isin(i, t.arange(10))),
    "cov": ("x", lambda t, x: t.cov(x[:100])),
    "sort of integers": ("i", lambda t, i: t.sort(i)),
    "topk of integers": ("i", lambda t, i: t.topk(i, 5)),
    "unique of rows": ("x", lambda t, x: t.unique(x.detach(), dim=0)),
    "segment_reduce of a line": (
        "x", lambda t, x: t.segment_reduce(x.reshape(-1), "max", lengths=_segments(t, x.numel()))),
    "segment_reduce of rows": ("s", lambda t, x: t.segment_reduce(x, "mean", lengths=_segments(t, len(x)))),
    "poisson": ("u", lambda t, x: t.poisson(x.detach())),
    "binomial": ("u", lambda t, x: t.binomial(t.full_like(x, 9.0), x.detach())),
    "randperm": ("x", lambda t, x: t.randperm(x.numel())),
    "softmax of short rows": ("s", lambda t, x: t.softmax(x, 1)),
    "layer_norm of short rows": functional("layer_norm", "s", (16,)),
    "cross_entropy of short rows": ("sl", lambda t, x, y: t.nn.functional.cross_entropy(x, y)),
}  # fmt: skip


def _segments(t: Any, count: int) -> Any:
    """Return lengths of 3 and 13 in turn, whose sum is `count`."""
    lengths = t.arange(count // 8) % 2 * 10 + 3
    lengths[-1] += count - lengths.sum()
    return lengths


MOVEMENT = {
    "flip": ("x", lambda t, x: t.flip(x, (1,))),
    "roll": ("x", lambda t, x: t.roll(x, (3, 5), (0, 1))),
    "rot90": ("x", lambda t, x: t.rot90(x)),
    "tril": ("x", lambda t, x: x.tril()),
    "transposed": ("x", lambda t, x: x.t().contiguous()),
    "view": ("x", lambda t, x: x.view(-1) * 1),
    "squeeze": ("x", lambda t, x: x[None].squeeze(0) * 1),
    "slice": ("x", lambda t, x: x[::2] * 1),
    "chunk": ("x", lambda t, x: t.cat(x.chunk(4), 1)),
    "unbind": ("x", lambda t, x: t.stack(x.unbind(0)[:8])),
    "stack": ("xx", lambda t, x, y: t.stack([x, y])),
    "cat": ("xx", lambda t, x, y: t.cat([x, y], 1)),
    "repeat": ("x", lambda t, x: x.repeat(2, 1)),
    "repeat_interleave": ("x", lambda t, x: x.repeat_interleave(2, 0)),
    "expand": ("r", lambda t, r: r.expand(30, -1) * 1),
    "Tensor.unfold": ("x", lambda t, x: x.unfold(1, 4, 2) * 1),
    "diag": ("x", lambda t, x: t.diag(x)),
    "diag_embed": ("r", lambda t, r: t.diag_embed(r)),
    "block_diag": ("x", lambda t, x: t.block_diag(x, x)),
    "split heads": ("t", lambda t, x: x.unflatten(-1, (4, -1)).transpose(1, 2).contiguous()),
    "meshgrid": ("rr", lambda t, x, y: t.meshgrid(x, y, indexing="ij")[0] * 1),
    "select_scatter": ("xr", lambda t, x, r: x.select_scatter(r, 0, 1)),
    "gather": ("xi", lambda t, x, i: x.gather(1, i)),
    "take_along_dim": ("xi", lambda t, x, i: t.take_along_dim(x, i, 0)),
    "scatter": ("xix", lambda t, x, i, y: x.scatter(0, i, y)),
    "scatter_add": ("xix", lambda t, x, i, y: x.scatter_add(0, i, y)),
    "scatter_add of rows": ("xjx", lambda t, x, j, y: x.scatter_add(0, j[:, None].expand_as(y), y)),
    "scatter_reduce": ("xix", lambda t, x, i, y: x.scatter_reduce(1, i, y, "amax")),
    "index_select": ("xj", lambda t, x, j: x.index_select(1, j)),
    "index_add": ("xjx", lambda t, x, j, y: x.index_add(0, j, y)),
    "index_put": ("xjx", lambda t, x, j, y: x.index_put((j,), y, accumulate=True)),
    "x[j]": ("xj", lambda t, x, j: x[j]),
    "x[j, k]": ("xjj", lambda t, x, j, k: x[j, k]),
    "x[m]": ("xm", lambda t, x, m: x[m]),
    "masked_fill": ("xm", lambda t, x, m: x.masked_fill(m, 2.0)),
    "masked_scatter": ("xmx", lambda t, x, m, y: x.masked_scatter(m, y)),
    "nonzero": ("m", lambda t, m: t.nonzero(m)),
    "embedding": ("ne", lambda t, n, e: t.nn.functional.embedding(n, e)),
    "embedding_bag": ("ne", lambda t, n, e: t.nn.functional.embedding_bag(n, e)),
    "embedding_bag max": ("ne", lambda t, n, e: t.nn.functional.embedding_bag(n, e, mode="max")),
    "embedding_bag of offsets": ("le", lambda t, n, e: t.nn.functional.embedding_bag(n, e, t.arange(0, len(n), 5))),
    "one_hot": ("j", lambda t, j: t.nn.functional.one_hot(j)),
}
LOSSES = {
    name: (
        "xx",
        named(f"nn.functional.{name}"),
    )
    for name in (
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "cosine_similarity",
        "pairwise_distance",
    )
}  # fmt: skip
LOSSES |= {
    "kl_div": ("xu", lambda t, x, y: t.nn.functional.kl_div(x, y.detach())),
    "binary_cross_entropy": ("uu", lambda t, x, y: t.nn.functional.binary_cross_entropy(x, y.detach())),
    "bce_with_logits": ("xu", lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y.detach())),
    "soft_margin_loss": ("xx", lambda t, x, y: t.nn.functional.soft_margin_loss(x, y.detach().sign())),
    "gaussian_nll_loss": ("xxu", lambda t, x, y, v: t.nn.functional.gaussian_nll_loss(x, y.detach(), v)),
    "triplet_margin_loss": functional("triplet_margin_loss", "xxx"),
    "nll_loss": ("xj", lambda t, x, j: t.nn.functional.nll_loss(x, j)),
    "nll_loss of images": ("2y", lambda t, x, y: t.nn.functional.nll_loss(x, y)),
    "cross_entropy": ("xj", lambda t, x, j: t.nn.functional.cross_entropy(x, j)),
    "cross_entropy of images": ("2y", lambda t, x, y: t.nn.functional.cross_entropy(x, y)),
    "cross_entropy, smooth": ("xj", lambda t, x, j: t.nn.functional.cross_entropy(x, j, label_smoothing=0.1)),
    "cross_entropy, weighted": ("xjr", lambda t, x, j, r: t.nn.functional.cross_entropy(x, j, r.detach().abs())),
    "multi_margin_loss": ("xj", lambda t, x, j: t.nn.functional.multi_margin_loss(x, j)),
    "multilabel_margin_loss": ("xi", lambda t, x, i: t.nn.functional.multilabel_margin_loss(x, _few(t, i))),
    "cdist": ("xx", lambda t, x, y: t.cdist(x[:, :32], y[:, :32])),
    "pdist": ("x", lambda t, x: t.nn.functional.pdist(x[:, :32])),
    "renorm": ("x", lambda t, x: t.renorm(x, 2, 0, 1.0)),
    "ctc_loss": ("t", lambda t, x: t.nn.functional.ctc_loss(
        x.log_softmax(2), t.ones(x.shape[1], len(x) // 4, dtype=t.long), [len(x)] * x.shape[1],
        [len(x) // 4] * x.shape[1])),
}  # fmt: skip


def _few(t: Any, i: Any) -> Any:
    """Return three labels for each row."""
    i = i.clone()
    i[:, 3:] = -1
    return i


WINDOWS: dict[str, Case] = {
    "conv2d dilated": functional("conv2d", "2b", padding=2, dilation=2),
    "conv2d in groups": ("2b", lambda t, x, w: t.nn.functional.conv2d(x, w[:, : w.shape[1] // 4], padding=1, groups=4)),
    "interpolate bicubic": functional("interpolate", "2", scale_factor=2, mode="bicubic"),
    "interpolate antialiased": functional("interpolate", "2", scale_factor=0.5, mode="bilinear", antialias=True),
    "interpolate area": functional("interpolate", "2", scale_factor=0.5, mode="area"),
    "grid_sample": functional("grid_sample", "2g", align_corners=False),
    "grid_sample nearest": functional("grid_sample", "2g", mode="nearest", padding_mode="border", align_corners=False),
    "unfold": functional("unfold", "2", 3, padding=1),
    "fold of long strides": (
        "x",
        lambda t, x: t.nn.functional.fold(
            x[None], (1, (len(x) + 1) * (len(x) // 2)), (1, len(x) // 2 * 2), stride=(1, len(x) // 2)
        ),
    ),
    "fractional_max_pool": functional("fractional_max_pool2d", "2", 2, output_size=7),
    "max_unpool": (
        "2",
        lambda t, x: t.nn.functional.max_unpool2d(*t.nn.functional.max_pool2d(x, 2, return_indices=True), 2),
    ),
    "pixel_shuffle": functional("pixel_shuffle", "2", 2),
    "pixel_unshuffle": functional("pixel_unshuffle", "2", 2),
    "channel_shuffle": functional("channel_shuffle", "2", 2),
    "local_response_norm": functional("local_response_norm", "2", 3),
    "group_norm": ("2ww", lambda t, x, w, b: t.nn.functional.group_norm(x, 2, w, b)),
    "batch_norm, evaluated": (
        "2ww",
        lambda t, x, w, b: t.nn.functional.batch_norm(x, w.detach(), b.detach().abs(), w, b),
    ),
    "rms_norm": ("xr", lambda t, x, w: t.nn.functional.rms_norm(x, x.shape[1:], w)),
    "layer_norm": ("xrr", lambda t, x, w, b: t.nn.functional.layer_norm(x, x.shape[1:], w, b)),
}
for n, kernel, linear in (("1", "a", "linear"), ("2", "b", "bilinear"), ("3", "c", "trilinear")):
    WINDOWS |= {
        f"{name} {n}d": case
        for name, case in {
            "conv": functional(f"conv{n}d", n + kernel, padding=1),
            "conv_transpose": functional(f"conv_transpose{n}d", n + kernel, stride=2, padding=1),
            "max_pool 2": functional(f"max_pool{n}d", n, 2),
            "max_pool 3, stride 2": functional(f"max_pool{n}d", n, 3, 2, 1),
            "avg_pool 3, stride 2": functional(f"avg_pool{n}d", n, 3, 2, 1),
            "adaptive_avg_pool 1": functional(f"adaptive_avg_pool{n}d", n, 1),
            "adaptive_avg_pool 7": functional(f"adaptive_avg_pool{n}d", n, 7),
            "adaptive_max_pool 4": functional(f"adaptive_max_pool{n}d", n, 4),
            "lp_pool": functional(f"lp_pool{n}d", n, 2, 2),
            "batch_norm": functional("batch_norm", n, None, None, None, None, True),
            "instance_norm": functional("instance_norm", n),
            "interpolate nearest": functional("interpolate", n, scale_factor=2),
            "interpolate linear": functional("interpolate", n, scale_factor=1.5, mode=linear),
            "pad constant": functional("pad", n, (1, 2) * int(n)),
            "pad reflect": functional("pad", n, (1, 1) * int(n), "reflect"),
            "pad replicate": functional("pad", n, (1, 1) * int(n), "replicate"),
            "pad circular": functional("pad", n, (1, 1) * int(n), "circular"),
            "dropout": functional(f"dropout{n}d", n, 0.5),
        }.items()
    }
ALGEBRA = {
    **alone("xx", "matmul"),
    **alone("rr", "outer dot"),
    **alone("p", """
        linalg.inv linalg.det linalg.slogdet linalg.cholesky linalg.qr linalg.svdvals linalg.eigh linalg.pinv linalg.lu
        linalg.lu_factor linalg.matrix_rank linalg.cond linalg.matrix_norm"""),
    "linalg.solve": ("p", lambda t, p: t.linalg.solve(p, p[..., :2])),
    "linalg.lstsq": ("p", lambda t, p: t.linalg.lstsq(p, p[..., :2])[0]),
    "linalg.solve_triangular": ("p", lambda t, p: t.linalg.solve_triangular(p, p[..., :2], upper=True)),
    "linalg.lu_solve": ("p", lambda t, p: t.linalg.lu_solve(*t.linalg.lu_factor(p.detach()), p[..., :2])),
    "cholesky_solve": ("p", lambda t, p: t.cholesky_solve(p[..., :2], p.detach().tril())),
    "linalg.ldl_factor": ("p", lambda t, p: t.linalg.ldl_factor(p.detach())),
    "linalg.ldl_solve": ("p", lambda t, p: t.linalg.ldl_solve(*t.linalg.ldl_factor(p.detach()), p[..., :2].detach())),
    "linalg.householder_product": ("p", lambda t, p: t.linalg.householder_product(p * 0.01, p[..., 0] * 1e-4)),
    "linalg.matrix_exp": ("p", lambda t, p: t.linalg.matrix_exp(p * 0.01)),
    "linalg.matrix_power": ("p", lambda t, p: t.linalg.matrix_power(p * 0.01, 5)),
    "linalg.eig": ("p", lambda t, p: t.linalg.eig(p)[0].abs()),
    "linalg.cross": ("xx", lambda t, x, y: t.linalg.cross(x[:, :3], y[:, :3])),
    "bmm": ("pp", lambda t, p, q: t.bmm(p, q)),
    "mv": ("xr", lambda t, x, r: x @ r),
    "einsum": ("xx", lambda t, x, y: t.einsum("ij,ij->i", x, y)),
    "tensordot": ("xx", lambda t, x, y: t.tensordot(x, y, 1)),
    "kron": ("rr", lambda t, x, y: t.kron(x, y)),
    "fft": ("x", lambda t, x: t.fft.fft(x).abs()),
    "rfft": ("x", lambda t, x: t.fft.irfft(t.fft.rfft(x))),
    "fft2": ("x", lambda t, x: t.fft.fft2(x).real),
    "stft": ("x", lambda t, x: t.stft(x.reshape(-1), 64, window=t.ones(64), return_complex=True).abs()),
}  # fmt: skip
LAYERS = {
    "attention": functional("scaled_dot_product_attention", "qqq"),
    "attention, causal": functional("scaled_dot_product_attention", "qqq", is_causal=True),
    "Linear": module("x", lambda nn, shape: nn.Linear(shape[1], 32)),
    "linear of 4 rows": ("xx", lambda t, x, w: t.nn.functional.linear(x[:4], w)),
    "RNN": module("t", lambda nn, shape: nn.RNN(shape[2], 32)),
    "GRU": module("t", lambda nn, shape: nn.GRU(shape[2], 32)),
    "LSTM": module("t", lambda nn, shape: nn.LSTM(shape[2], 32)),
    "LSTMCell": module("x", lambda nn, shape: nn.LSTMCell(shape[1], 32)),
    "LSTMCell of 1 row": module("x", lambda nn, shape: nn.LSTMCell(shape[1], shape[1] // 2), lambda m, x: m(x[:1])[0]),
    "MultiheadAttention": module("t", lambda nn, shape: nn.MultiheadAttention(shape[2], 4), lambda m, x: m(x, x, x)),
    "TransformerEncoderLayer": module("t", lambda nn, shape: nn.TransformerEncoderLayer(shape[2], 4, 64, dropout=0)),
    "TransformerDecoderLayer": module("t", lambda nn, shape: nn.TransformerDecoderLayer(shape[2], 4, 64, dropout=0),
                                      lambda m, x: m(x, x)),
}  # fmt: skip
CASES = ELEMENTWISE | REDUCTIONS | MOVEMENT | LOSSES | WINDOWS | ALGEBRA | LAYERS


def workloads(names: tuple[str, ...]) -> Iterator[Workload]:
    for name, (kinds, call) in CASES.items():
        if name.startswith(names):
            for k, size in enumerate(("1e3", "3e4", "1e6")):
                draw = lambda r, k=k, kinds=kinds: [DRAW[kind](r, k) for kind in kinds]  # noqa: E731
                yield Workload(f"{name} {size}", call, (), data=draw)


def main() -> None:
    command = parser(__doc__)
    command.add_argument("names", nargs="*", help="how the names of operations begin; all without any")
    command.add_argument("--all", action="store_true", help="print those within 3 times PyTorch's time too")
    command.add_argument("--page", type=Path, help="write a table of those over 3 times to this file")
    args = command.parse_args()
    names = chosen(command, args.names, CASES)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    ratios: dict[str, list[Any]] = {}
    print(f"{'':>34}  {'µs, PyTorch':>19}  {'µs, microgad':>19}  {'ratio':>13}")
    for workload in workloads(names):
        try:
            theirs, ours = measure(workload, 0.2, percentile=0)
        except Exception as error:  # an operation that fails shouldn't stop the others
            print(f"{workload.name:>34}  {type(error).__name__}: {error}")
            continue
        ratio = ours / np.maximum(theirs, 1e-7)
        ratios.setdefault(workload.name.rpartition(" ")[0], []).append(ratio)
        if args.all or (ratio > 3).any():
            times = "  ".join(f"{1e6 * f:9.1f} {1e6 * b:9.1f}" for f, b in (theirs, ours))
            print(f"{workload.name:>34}  {times}  {ratio[0]:6.2f} {ratio[1]:6.2f}", flush=True)
    print(f"{sum(map(len, ratios.values()))} workloads")
    if args.page:
        args.page.write_text(page(ratios))


def page(ratios: dict[str, list[Any]]) -> str:
    """Return a table of the operations that take over 3 times PyTorch's time for at least one size."""
    over = {name: found for name, found in ratios.items() if (np.array(found) > 3).any()}
    head = f"""# Operations that take more than three times PyTorch's time

{len(over)} of {len(ratios)} operations, by `python benchmarks/sweep.py --page benchmarks/SWEEP.md`: processor time on
one thread, as a multiple of PyTorch's, forward / backward, of about 1e3, 3e4 and 1e6 elements. The reasons are in
RESULTS.md.

| operation | 1e3 | 3e4 | 1e6 |
|---|---|---|---|
"""
    rows = [
        f"| {name} | {' | '.join(' / '.join(map(_shown, ratio)) for ratio in found)} |" for name, found in over.items()
    ]
    return head + "\n".join(rows) + "\n"


def _shown(ratio: float) -> str:
    return f"**{ratio:.1f}**" if ratio > 3 else f"{ratio:.1f}"


if __name__ == "__main__":
    main()

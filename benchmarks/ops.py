"""Operations beside PyTorch's: processor time on one thread, forward and backward, with the ratio that was aimed at.

The two take turns; a ratio is that of the first quartiles. "bare" is what NumPy's own calls take forward, where an
operation is little more than they: less is not to be had from NumPy on this machine. OPENBLAS_CORETYPE and
OPENBLAS_L2_SIZE, which some machines set and which slow NumPy's products, are unset.

    python benchmarks/ops.py            # the workloads with a target
    python benchmarks/ops.py --sweep    # every other operation, 1e3 and 1e6 elements: what takes over 3 times as long
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

SLOWING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
if __name__ == "__main__" and any(name in os.environ for name in SLOWING):
    print(f"unset for this run: {', '.join(name for name in SLOWING if name in os.environ)}")
    for name in SLOWING:
        os.environ.pop(name, None)
    os.execv(sys.executable, [sys.executable, *sys.argv])
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np  # noqa: E402
import torch  # noqa: E402

import microgad  # noqa: E402

Shape = tuple[int, ...]


class Workload(NamedTuple):
    """What is called with which arrays, and the aims: times PyTorch's, forward and backward."""

    name: str
    call: Callable[..., Any]  # (library, *tensors)
    shapes: tuple[Shape, ...]
    forward: float | None = None
    backward: float | None = None
    whole: float | None = None  # forward and backward together, where that was measured
    data: Callable[[np.random.Generator], list[Any]] | None = None  # in place of random numbers of these shapes
    bare: Callable[..., Any] | None = None  # the forward in NumPy's calls, of arrays


def conv(stride: int = 1, padding: int = 0, groups: int = 1) -> Callable[..., Any]:
    return lambda t, x, w: t.nn.functional.conv2d(x, w, stride=stride, padding=padding, groups=groups)


def logistic(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = np.negative(x)
    np.exp(out, out=out)
    out += 1
    return np.divide(1, out, out=out)


IMAGES = (32, 64, 28, 28)
MILLION = (1000, 1000)
WORKLOADS = [
    Workload("conv a", conv(padding=1), ((128, 1, 28, 28), (10, 1, 3, 3)), 0.6, 0.65),
    Workload("conv b", conv(padding=1), ((32, 16, 28, 28), (32, 16, 3, 3)), 2.0, 2.4),
    Workload("conv c", conv(padding=1), ((8, 64, 56, 56), (64, 64, 3, 3)), 1.25, 1.45),
    Workload("conv d", conv(2, 1), ((8, 128, 28, 28), (128, 128, 3, 3)), 1.55, 1.6),
    Workload("conv e", conv(), ((4, 256, 14, 14), (256, 256, 1, 1)), 0.55, 0.5,
             bare=lambda x, w: w.reshape(256, 256) @ x.reshape(4, 256, 196)),
    Workload("conv f", conv(2, 3), ((8, 3, 64, 64), (64, 3, 7, 7)), 1.1, 0.75),
    Workload("depthwise", conv(1, 1, 64), ((8, 64, 32, 32), (64, 1, 3, 3)), 4.2, 3.4),
    Workload("max pool 2", lambda t, x: t.nn.functional.max_pool2d(x, 2), ((128, 10, 28, 28),), whole=0.3),
    Workload("avg pool 2", lambda t, x: t.nn.functional.avg_pool2d(x, 2), ((128, 10, 28, 28),), 0.25, 0.25),
    Workload("dropout", lambda t, x: t.nn.functional.dropout(x, 0.5), (MILLION,), 0.5, 0.95),
    Workload("softmax 1000", lambda t, x: t.softmax(x, 1), ((32, 1000),), 2.2, 0.7),
    Workload("softmax 50257", lambda t, x: t.softmax(x, 1), ((64, 50257),), 1.8, 1.3),
    Workload("cross entropy 1000", lambda t, x, y: t.nn.functional.cross_entropy(x, y), (), 2.1, 1.0,
             data=lambda r: [r.normal(size=(32, 1000)).astype("f4"), r.integers(0, 1000, 32)]),
    Workload("cross entropy 50257", lambda t, x, y: t.nn.functional.cross_entropy(x, y), (), 1.25, 1.1,
             data=lambda r: [r.normal(size=(64, 50257)).astype("f4"), r.integers(0, 50257, 64)]),
    Workload("batch norm", lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, True),
             (IMAGES, (64,), (64,)), whole=1.0),
    Workload("layer norm", lambda t, x, w, b: t.nn.functional.layer_norm(x, (512,), w, b),
             ((64, 128, 512), (512,), (512,)), 3.3, 5.3),
    Workload("tanh", lambda t, x: t.tanh(x), (MILLION,), 0.1, 2.2, bare=np.tanh),
    Workload("sigmoid", lambda t, x: t.sigmoid(x), (MILLION,), 1.6, 1.9, bare=logistic),
    Workload("silu", lambda t, x: t.nn.functional.silu(x), (MILLION,), 2.1, 2.8),
    Workload("relu", lambda t, x: t.relu(x), (MILLION,), 1.3, 1.8),
    Workload("gelu tanh", lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), (MILLION,), 0.6, 0.95),
    Workload("gelu", lambda t, x: t.nn.functional.gelu(x), (MILLION,), 6.6, 4.5),
    Workload("embedding", lambda t, i, w: t.nn.functional.embedding(i, w), (), None, 1.6,
             data=lambda r: [r.integers(0, 10000, 4096), r.normal(size=(10000, 256)).astype("f4")]),
    Workload("linear", lambda t, x, w: t.nn.functional.linear(x, w), ((4096, 512), (512, 512)), 0.5,
             bare=lambda x, w: x @ w.T),
    Workload("QK^T", lambda t, q, k: q @ k.transpose(-1, -2), ((64, 8, 128, 64), (64, 8, 128, 64)), 0.4,
             bare=lambda q, k: q @ k.swapaxes(2, 3)),
    Workload("sum of the last axis", lambda t, x: x.sum(-1), (MILLION,), 1.1),
]  # fmt: skip

# For the sweep: what takes one array with numbers in every domain,
UNARY = [
    "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "deg2rad", "digamma", "erf", "erfc", "erfinv", "exp",
    "exp2", "expm1", "floor", "frac", "i0", "lgamma", "log", "log10", "log1p", "log2", "logit", "neg",
    "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh",
    "trunc", "isnan", "sum", "mean", "var", "std", "amax", "argmax", "prod", "median", "trace", "tril", "triu", "norm",
    "special.i0e", "special.i1", "special.entr", "special.ndtr", "special.ndtri", "special.log_ndtr", "special.erfcx",
]  # fmt: skip
# one with numbers of both signs,
SIGNED = [
    "sign", "angle", "nan_to_num", "all", "any", "count_nonzero", "nansum", "nanmean", "std_mean", "aminmax",
    *(f"nn.functional.{name}" for name in (
        "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish",
        "relu6", "selu", "silu", "softplus", "softshrink", "softsign", "tanhshrink", "normalize",
    )),
]  # fmt: skip
# one along each of its dimensions,
ALONG = [
    "sum", "mean", "var", "amax", "argmax", "max", "prod", "median", "logsumexp", "cumsum", "cumprod", "cummax",
    "logcumsumexp", "sort", "argsort", "diff", "softmax", "log_softmax", "all",
]  # fmt: skip
# two of one shape.
BINARY = [
    "add", "sub", "mul", "div", "maximum", "minimum", "fmax", "fmod", "remainder", "atan2", "hypot", "logaddexp",
    "logaddexp2", "copysign", "eq", "lt", "isclose", "dist",
    *(f"nn.functional.{name}" for name in (
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "cosine_similarity",
        "pairwise_distance",
    )),
]  # fmt: skip
# The rest says what it takes: x normal numbers (n, n), u ones between 0 and 1, r a row of normal ones; i indices
# (n, n), j a row of them, m a mask.
OTHERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "pow": ("uu", lambda t, x, y: t.pow(x, y)),
    "x**3": ("x", lambda t, x: x**3),
    "xlogy": ("xu", lambda t, x, y: t.xlogy(x, y)),
    "floor_divide": ("xx", lambda t, x, y: t.floor_divide(x.detach(), y.detach())),
    "flip": ("x", lambda t, x: t.flip(x, (1,))),
    "clamp": ("x", lambda t, x: t.clamp(x, -0.5, 0.5)),
    "where": ("mxx", lambda t, m, x, y: t.where(m, x, y)),
    "lerp": ("xxu", lambda t, x, y, w: t.lerp(x, y, w)),
    "addcmul": ("xxx", lambda t, x, y, z: t.addcmul(x, y, z)),
    "add a row": ("xr", lambda t, x, r: x + r),
    "threshold": ("x", lambda t, x: t.nn.functional.threshold(x, 0.1, 2.0)),
    "topk": ("x", lambda t, x: t.topk(x, 5)),
    "kthvalue": ("x", lambda t, x: t.kthvalue(x, 5)),
    "quantile": ("x", lambda t, x: t.quantile(x, 0.3, dim=1)),
    "vector_norm 3": ("x", lambda t, x: t.linalg.vector_norm(x, 3)),
    "gather": ("xi", lambda t, x, i: x.gather(1, i)),
    "scatter_add": ("xix", lambda t, x, i, y: x.scatter_add(0, i, y)),
    "scatter_reduce": ("xix", lambda t, x, i, y: x.scatter_reduce(1, i, y, "amax")),
    "index_select": ("xj", lambda t, x, j: x.index_select(1, j)),
    "index_add": ("xjx", lambda t, x, j, y: x.index_add(0, j, y)),
    "x[j]": ("xj", lambda t, x, j: x[j]),
    "x[m]": ("xm", lambda t, x, m: x[m]),
    "masked_fill": ("xm", lambda t, x, m: x.masked_fill(m, 2.0)),
    "masked_scatter": ("xmx", lambda t, x, m, y: x.masked_scatter(m, y)),
    "nonzero": ("m", lambda t, m: t.nonzero(m)),
    "embedding_bag": ("jx", lambda t, j, x: t.nn.functional.embedding_bag(j.reshape(-1, 4), x)),
    "one_hot": ("j", lambda t, j: t.nn.functional.one_hot(j)),
    "layer_norm": ("xrr", lambda t, x, w, b: t.nn.functional.layer_norm(x, x.shape[1:], w, b)),
    "rms_norm": ("xr", lambda t, x, w: t.nn.functional.rms_norm(x, x.shape[1:], w)),
    "group_norm": ("x", lambda t, x: t.nn.functional.group_norm(x.reshape(-1, 8, x.shape[1]), 4)),
    "bce_with_logits": ("xu", lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y.detach())),
    "cross_entropy": ("xj", lambda t, x, j: t.nn.functional.cross_entropy(x, j)),
    "smooth cross_entropy": ("xj", lambda t, x, j: t.nn.functional.cross_entropy(x, j, label_smoothing=0.1)),
    "multi_margin_loss": ("xj", lambda t, x, j: t.nn.functional.multi_margin_loss(x, j)),
    "matmul": ("xx", lambda t, x, y: x @ y),
    "outer": ("rr", lambda t, x, y: t.outer(x, y)),
}
DRAW: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "x": lambda r, n: r.normal(size=(n, n)).astype(np.float32),
    "u": lambda r, n: r.uniform(0.05, 0.95, (n, n)).astype(np.float32),
    "r": lambda r, n: r.normal(size=n).astype(np.float32),
    "i": lambda r, n: r.integers(0, n, (n, n)),
    "j": lambda r, n: r.integers(0, n, n),
    "m": lambda r, n: r.random((n, n)) < 0.5,
}


def named(library: Any, name: str) -> Any:
    for part in name.split("."):
        library = getattr(library, part)
    return library


def sweep() -> Iterator[Workload]:
    """Operations without a target of their own, of 1e3 and of 1e6 elements."""
    calls = dict(OTHERS)
    for kinds, names in (("u", UNARY), ("x", SIGNED), ("xx", BINARY)):
        calls |= {name: (kinds, lambda t, *xs, name=name: named(t, name)(*xs)) for name in names}
    for dim in (0, 1):
        calls |= {
            f"{name} of {dim}": ("x", lambda t, x, name=name, dim=dim: named(t, name)(x, dim=dim)) for name in ALONG
        }
    for n in (32, 1000):
        for name, (kinds, call) in calls.items():
            draw = lambda r, n=n, kinds=kinds: [DRAW[kind](r, n) for kind in kinds]  # noqa: E731
            yield Workload(f"{name} {n * n:.0e}", call, (), data=draw)


def arrays_of(workload: Workload) -> list[Any]:
    rng = np.random.default_rng(0)
    if workload.data is not None:
        return workload.data(rng)
    return [rng.uniform(0.05, 0.95, shape).astype(np.float32) for shape in workload.shapes]


class Contestant:
    """One library's call: timed forward, and backward through the graph that it left."""

    def __init__(self, library: Any, workload: Workload) -> None:
        self.library, self.call = library, workload.call
        self.tensors = [library.from_numpy(a.copy()) for a in arrays_of(workload)]
        for t in self.tensors:
            if t.dtype == library.float32:
                t.requires_grad_()
        self.wanted = [t for t in self.tensors if t.requires_grad]
        y = self._forward()
        self.differentiable = y.requires_grad
        self.seed = library.ones_like(y).detach()

    def _forward(self) -> Any:
        y = self.call(self.library, *self.tensors)
        return y[0] if isinstance(y, tuple) else y

    def time(self, rounds: int) -> tuple[float, float]:
        """Seconds of the processor, forward and backward."""
        spent = [0.0, 0.0]
        for _ in range(rounds):
            start = time.process_time()
            y = self._forward()
            middle = time.process_time()
            if self.differentiable:
                self.library.autograd.grad(y, self.wanted, self.seed, allow_unused=True)
            end = time.process_time()
            spent[0] += middle - start
            spent[1] += end - middle
        return spent[0] / rounds, spent[1] / rounds


class Bare:
    """A forward in NumPy's calls alone."""

    def __init__(self, call: Callable[..., Any], arrays: list[Any]) -> None:
        self.call, self.arrays = call, arrays

    def time(self, rounds: int) -> tuple[float, float]:
        y, start = None, time.process_time()
        for _ in range(rounds):
            y = self.call(*self.arrays)  # as a Contestant's, it stays until the next one is there
        spent = time.process_time() - start
        del y
        return spent / rounds, 0.0


def measure(workload: Workload, seconds: float) -> list[np.ndarray[Any, Any]]:
    """First quartiles of seconds, (forward, backward), of PyTorch, of microgad, and of bare NumPy where that is given.

    Each turn takes several rounds, of which the first finds the cache full of the other's arrays.
    """
    contestants: list[Any] = [Contestant(torch, workload), Contestant(microgad, workload)]
    if workload.bare is not None:
        contestants.append(Bare(workload.bare, arrays_of(workload)))
    once = sum(sum(contestant.time(1)) for contestant in contestants)
    rounds = max(1, int(seconds / 12 / max(once, 1e-6)))
    turns = [[contestant.time(rounds) for contestant in contestants] for _ in range(12)]
    return list(np.percentile(turns, 25, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="how the names of workloads begin; all without any")
    parser.add_argument("--sweep", action="store_true", help="operations without a target")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':>28}  {'ms, PyTorch':>17}  {'ms, microgad':>17}  {'ratio':>13}  aim")
    for workload in sweep() if given.sweep else WORKLOADS:
        if given.names and not workload.name.startswith(tuple(given.names)):
            continue
        try:
            theirs, ours, *bare = measure(workload, 0.4 if given.sweep else 2.0)
        except Exception as error:  # one operation that fails is no reason to keep the others
            print(f"{workload.name:>28}  {type(error).__name__}: {error}")
            continue
        ratio = ours / np.maximum(theirs, 1e-9)
        aims = (workload.forward, workload.backward) if workload.whole is None else (workload.whole,)
        found = ratio if workload.whole is None else [ours.sum() / theirs.sum()]
        over = any(aim is not None and r > 1.15 * aim for r, aim in zip(found, aims, strict=True))
        over |= given.sweep and bool((ratio > 3).any())
        if given.sweep and not over:
            continue
        times = "  ".join(f"{1e3 * f:8.4f} {1e3 * b:8.4f}" for f, b in (theirs, ours))
        said = " / ".join("-" if aim is None else str(aim) for aim in aims)
        print(
            f"{workload.name:>28}  {times}  {' '.join(f'{r:6.2f}' for r in found):>13}  {said}{'  <-' if over else ''}"
            + "".join(f"  bare {b[0] / theirs[0]:.2f}" for b in bare)
        )


if __name__ == "__main__":
    main()

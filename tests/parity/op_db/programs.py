"""The programs that both libraries run, and whose results must be the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from torch.testing._internal.opinfo.core import SampleInput

import microgad

from .swap import Copies, Swapped, swapped_function

SEED = 7  # both libraries draw the same numbers from it


class Call:
    """The arguments of a sample, copied for one library, and the Tensors among them."""

    def __init__(self, sample: SampleInput, copies: Copies) -> None:
        self.lib = copies.lib
        self.input, self.args, self.kwargs = copies((sample.input, sample.args, sample.kwargs))
        self.tensors = copies.tensors
        process = sample.output_process_fn_grad  # such as leaving out the phases of eigenvectors
        self.process = swapped_function(process) if isinstance(copies, Swapped) else process

    def __call__(self, f: Callable[..., Any]) -> Any:
        self.lib.default_generator.manual_seed(SEED)
        return f(self.input, *self.args, **self.kwargs)


def forward(f: Any, call: Call) -> Any:
    """The result, and the arguments after the call."""
    return {"result": call(f), "argument": call.tensors}


def memory(f: Any, call: Call) -> Any:
    """Which results share memory with which arguments."""
    results = flat(call(f), call.lib.Tensor)
    return {"shares memory": [[np.may_share_memory(array(r), array(t)) for t in call.tensors] for r in results]}


def inplace(f: Any, call: Call) -> Any:
    """The result of an in-place operation, whether it is the first argument, and the arguments after the call."""
    result = call(f)
    return {"result": result, "result is input": result is call.input, "argument": call.tensors}


def out(f: Any, call: Call) -> Any:
    """What was written into `out`, and whether the result is `out` itself."""
    result, outs = call(f), call.kwargs["out"]
    pairs = zip(result, outs, strict=True) if isinstance(outs, tuple) else [(result, outs)]
    return {"out": outs, "result is out": all(a is b for a, b in pairs), "argument": call.tensors}


def gradient(f: Any, call: Call) -> Any:
    """The vector-Jacobian product, for random cotangents."""
    leaves, results, differentiable = recorded(f, call)
    grads = []
    if differentiable:
        cotangents = [random(call.lib, t, i) for i, t in enumerate(differentiable)]
        grads = call.lib.autograd.grad(differentiable, leaves, cotangents, allow_unused=True)
        grads = or_zeros(call.lib, grads, leaves)
    return {"result": results, "requires_grad": [t.requires_grad for t in results], "gradient": grads}


def gradgrad(f: Any, call: Call) -> Any:
    """The same under create_graph, and its derivatives by the inputs and by the cotangents."""
    leaves, _, differentiable = recorded(f, call)
    if not differentiable:
        return {}
    lib, grad = call.lib, call.lib.autograd.grad
    cotangents = [random(lib, t, i).requires_grad_() for i, t in enumerate(differentiable)]
    grads = grad(differentiable, leaves, cotangents, create_graph=True, allow_unused=True)
    pairs = [(g, random(lib, g, i + 100)) for i, g in enumerate(grads) if g is not None and g.requires_grad]
    inputs = [*leaves, *cotangents]
    seconds = grad([g for g, _ in pairs], inputs, [v for _, v in pairs], allow_unused=True)
    return {"gradient": or_zeros(lib, grads, leaves), "second derivative": or_zeros(lib, seconds, inputs)}


def recorded(f: Any, call: Call) -> tuple[list[Any], list[Any], list[Any]]:
    """The arguments that require grad, the results, and the results that require grad."""
    leaves = [t for t in call.tensors if t.requires_grad]
    results = list(flat(call.process(call(f)), call.lib.Tensor))
    return leaves, results, [t for t in results if t.requires_grad]


def random(lib: Any, like: Any, seed: int) -> Any:
    """Normal numbers from NumPy, the same for both libraries."""
    return lib.from_numpy(normal(seed, tuple(like.shape), name_of(like.dtype)).copy())


@lru_cache(256)
def normal(seed: int, shape: tuple[int, ...], dtype: str) -> Any:
    rng = np.random.default_rng([seed, *shape])
    imaginary = 1j * rng.standard_normal(shape) if "complex" in dtype else 0
    return np.asarray(rng.standard_normal(shape) + imaginary, dtype)


def name_of(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def array(t: Any) -> Any:
    """A Tensor's memory as a NumPy array; torch's lazy conjugates become copies, as NumPy's conjugates are."""
    return t.array if isinstance(t, microgad.Tensor) else t.numpy(force=True)


def flat(x: Any, kind: type) -> Iterator[Any]:
    """The Tensors in nested containers."""
    if isinstance(x, kind):
        yield x
    elif isinstance(x, dict | tuple | list):
        for item in x.values() if isinstance(x, dict) else x:
            yield from flat(item, kind)


def or_zeros(lib: Any, grads: Any, inputs: list[Any]) -> list[Any]:
    return [lib.zeros_like(t) if g is None else g for g, t in zip(grads, inputs, strict=True)]

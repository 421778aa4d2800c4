"""microgad: an autograd-graph micro-framework on NumPy and CuPy, spelled as PyTorch spells it.

>>> import microgad as torch
>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from __future__ import annotations

import importlib
from math import inf, nan, pi
from typing import TYPE_CHECKING, Any

from . import autograd as autograd
from .autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .backend import device, empty_cache
from .dtypes import bool_ as bool
from .dtypes import (
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .dtypes import float16 as half
from .dtypes import float32 as float
from .dtypes import float64 as double
from .dtypes import int16 as short
from .dtypes import int32 as int
from .dtypes import int64 as long
from .function import Function, LinearMap
from .generator import Generator, default_generator
from .ops.arithmetic import abs, add, div, mul, neg, pow, sign, square, sub
from .ops.comparison import (
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    eq,
    equal,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
)  # fmt: skip
from .ops.complex import conj, imag, real
from .ops.creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from .ops.elementwise import cos, exp, log, relu, sigmoid, sin, sqrt, tanh
from .ops.indexing import gather
from .ops.matmul import matmul
from .ops.matmul import matmul as mm
from .ops.movement import (
    cat,
    chunk,
    clone,
    expand,
    flatten,
    flip,
    narrow,
    permute,
    reshape,
    split,
    squeeze,
    stack,
    transpose,
    unbind,
    unsqueeze,
)  # fmt: skip
from .ops.random import (
    bernoulli,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)  # fmt: skip
from .ops.reduction import all, amax, amin, any, argmax, argmin, max, mean, min, std, sum, var
from .ops.selection import clamp, maximum, minimum, where
from .ops.softmax import logsumexp
from .parameter import Parameter
from .printing import get_printoptions, set_printoptions
from .size import Size
from .tensor import Tensor

if TYPE_CHECKING:
    from . import cuda, datasets, graph, nn, optim, testing, training, transforms, utils

__version__ = "0.1.0"

softmax, log_softmax = Tensor.softmax, Tensor.log_softmax

# Rooms beyond the core, and names that live in them: loaded when first asked for (PEP 562).
_ROOMS = ("cuda", "datasets", "graph", "nn", "optim", "testing", "training", "transforms", "utils")
_ELSEWHERE = {"save": "serialization", "load": "serialization"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _ELSEWHERE:
        return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    from .errors import missing

    raise AttributeError(missing(f"name '{name}'", name, __dir__()))


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_ELSEWHERE})

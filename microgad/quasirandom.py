"""torch.quasirandom: points that fill a cube more evenly than random ones. SciPy has their direction numbers."""

from __future__ import annotations

import importlib
import warnings
from operator import index
from typing import Any, ClassVar, Self

import numpy as np

from . import dtypes
from .errors import ArgumentError, KindError
from .generator import Generator
from .lazy import define_getattr as _define_getattr
from .ops.random import randint
from .tensor import Tensor


class SobolEngine:
    """Points of the Sobol sequence in [0, 1)ᵈ, with the direction numbers of Joe and Kuo (2008).

    With `scramble` the points depend on the seed (Owen, Matoušek). Raises ImportError without SciPy, which has the
    table of direction numbers; ValueError unless 1 <= dimension <= 21201. Source: torch.quasirandom.SobolEngine.

    >>> torch.quasirandom.SobolEngine(dimension=2).draw(3)
    tensor([[0.0000, 0.0000],
            [0.5000, 0.5000],
            [0.7500, 0.2500]])
    >>> torch.quasirandom.SobolEngine(2, scramble=True, seed=4).draw(2)
    tensor([[0.8127, 0.4157],
            [0.1737, 0.8745]])
    """

    MAXBIT: ClassVar[int] = 30
    MAXDIM: ClassVar[int] = 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        if not 1 <= dimension <= self.MAXDIM:
            raise ValueError(f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}]")
        try:
            self._sequence = importlib.import_module("scipy.stats").qmc.Sobol(dimension, scramble=False)
        except ModuleNotFoundError:
            raise ImportError("SobolEngine needs SciPy, which has the directions: pip install scipy") from None
        self.dimension, self.scramble, self.seed, self.num_generated = dimension, scramble, seed, 0
        shift = np.zeros(dimension, int)
        if scramble:
            powers = 1 << np.arange(self.MAXBIT)
            generator = None if seed is None else Generator().manual_seed(seed)
            bits = (dimension, self.MAXBIT)
            shift = randint(2, bits, generator=generator, device="cpu").array @ powers
            lower = np.tril(randint(2, (*bits, self.MAXBIT), generator=generator, device="cpu").array, -1)
            self._columns = powers[::-1] + (lower * powers[::-1, None]).sum(1)  # a unit lower triangular bit matrix
        self.shift = Tensor._wrap(shift)

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """Return the next n points, (n, dimension), in `dtype` (the default dtype if None); `out` is filled if given.

        Raises RuntimeError for an n below 1, NotImplementedError for a dtype that isn't floating.
        """
        kind = np.dtype(dtypes.get_default_dtype() if dtype is None else dtype)
        if index(n) < 1:
            raise ArgumentError(f"SobolEngine.draw: n must be at least 1, got {n}")
        if kind.kind != "f":
            raise KindError(f"SobolEngine.draw: dtype must be a floating-point one, got {dtype}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy warns unless n is a power of 2
            plain = np.ldexp(self._sequence.random(n), self.MAXBIT).astype(np.int64)
        points = self._scrambled(plain) if self.scramble else plain
        drawn = np.ldexp(points.astype(kind), -self.MAXBIT)
        if self.num_generated == 0:  # PyTorch computes the first point in the default dtype
            drawn[0] = np.ldexp(points[0].astype(dtypes.get_default_dtype()), -self.MAXBIT)
        self.num_generated += n
        result = Tensor._wrap(drawn)
        return result if out is None else out.resize_(result.shape).copy_(result)

    def _scrambled(self, plain: Any) -> Any:
        """Multiply each point's bits by the bit matrix and add the shift, (n, dimension), modulo 2.

        Point i of the sequence is point i - 1 plus (modulo 2) a number that depends on the lowest bit of i alone. So it
        is enough to multiply these numbers and the first point.
        """
        rows = np.arange(1, len(plain))
        lowest = np.frexp((rows + self.num_generated) & -(rows + self.num_generated))[1]
        row_with = np.zeros(self.MAXBIT + 2, int)  # for each lowest bit some row; row 0 stands for the first point
        row_with[lowest] = rows
        steps = np.where(row_with[:, None], plain[row_with] ^ plain[row_with - 1], plain[0])
        found = np.zeros_like(steps)
        for i in range(self.MAXBIT):
            found ^= (steps >> self.MAXBIT - 1 - i & 1) * self._columns[:, i]
        found[0] ^= self.shift.array
        points = found[np.concatenate(([0], lowest))]
        return np.bitwise_xor.accumulate(points, 0, out=points)

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """Return the next 2ᵐ points. Raises ValueError unless the total number of points is then a power of 2."""
        total = self.num_generated + 2**m
        if total & (total - 1):
            raise ValueError(
                "The balance properties of Sobol' points require n to be a power of 2, but after "
                f"{self.num_generated} points 2**{m} more make {total}; SobolEngine.draw() gives any number"
            )
        return self.draw(2**m, out, dtype)

    def fast_forward(self, n: int) -> Self:
        """Skip n points."""
        if n:
            self._sequence.fast_forward(n)
        self.num_generated += n
        return self

    def reset(self) -> Self:
        """Restart the sequence from its first point."""
        self._sequence.reset()
        self.num_generated = 0
        return self

    def __repr__(self) -> str:
        options = [f"dimension={self.dimension}"] + ["scramble=True"] * self.scramble
        return f"SobolEngine({', '.join(options + [f'seed={self.seed}'] * (self.seed is not None))})"


_define_getattr(globals())

"""PyTorch's dtypes that NumPy doesn't have: they exist as names, for comparisons in programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..errors import DtypeError
from . import dtype


class unsupported_dtype(dtype):
    """A dtype of PyTorch's that NumPy doesn't have. Making a Tensor of it raises TypeError.

    The exception is a Tensor without elements, which libraries make to ask for the size of an element.

    >>> torch.bfloat16, torch.bfloat16 == torch.float32, torch.bfloat16.is_floating_point
    (torch.bfloat16, False, True)
    >>> torch.empty(0, dtype=torch.bfloat16).element_size()
    2
    >>> torch.ones(2, dtype=torch.bfloat16)
    Traceback (most recent call last):
    microgad.errors.DtypeError: microgad has no tensors of bfloat16: NumPy can't hold it; float32 and float16 are there
    """

    __slots__ = ("itemsize", "limits", "without_values")

    def __init__(self, name: str, itemsize: int, limits: tuple[float, ...] | None = None) -> None:
        self.name, self.itemsize = name, itemsize  # type: ignore[misc]
        self.limits = limits  # finfo's max, eps, tiny and resolution
        self.without_values = np.dtype([(name, f"V{itemsize}")])  # of empty arrays: NumPy can't compute with it
        dtypes.learn(self.without_values, self)

    is_floating_point, is_complex, is_signed = True, False, True

    def __getattr__(self, name: str) -> Any:
        if name == "dtype":
            why = "arrays are not quantized" if type(self) is QuantizedDtype else "NumPy can't hold it"
            raise DtypeError(f"microgad has no tensors of {self.name}: {why}; float32 and float16 are there")
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> str:
        return self.name


class UnsupportedComplex(unsupported_dtype):
    """complex32, two float16 a number, which NumPy doesn't have.

    >>> torch.complex32.is_complex, torch.complex32.itemsize, torch.complex32.to_real()
    (True, 4, torch.float16)
    """

    __slots__ = ()
    is_floating_point, is_complex = False, True

    def to_real(self) -> dtype:
        """The real dtype of the same precision."""
        return dtypes.float16

    def to_complex(self) -> dtype:
        """Itself."""
        return self


class QuantizedDtype(unsupported_dtype):
    """A dtype of quantized values, which microgad doesn't have.

    >>> torch.qint8, torch.qint32.itemsize, torch.quint8.is_floating_point
    (torch.qint8, 4, False)
    """

    __slots__ = ()
    is_floating_point = False

    @property
    def is_signed(self) -> bool:  # type: ignore[override]
        """Raise RuntimeError, as in PyTorch."""
        raise DtypeError("isSignedType not supported for quantized types")


bfloat16 = unsupported_dtype("bfloat16", 2, ((2 - 2**-7) * 2.0**127, 2.0**-7, 2.0**-126, 0.01))
float8_e4m3fn = unsupported_dtype("float8_e4m3fn", 1, (448.0, 2.0**-3, 2.0**-6, 1.0))
float8_e5m2 = unsupported_dtype("float8_e5m2", 1, (57344.0, 2.0**-2, 2.0**-14, 1.0))
complex32 = UnsupportedComplex("complex32", 4, (65504.0, 2.0**-10, 2.0**-14, 0.001))
qint8, quint8, qint32 = QuantizedDtype("qint8", 1), QuantizedDtype("quint8", 1), QuantizedDtype("qint32", 4)
quint4x2, quint2x4 = QuantizedDtype("quint4x2", 1), QuantizedDtype("quint2x4", 1)

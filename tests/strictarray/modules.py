"""The modules `cupy` and `cupyx`, as far as microgad uses them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from .arithmetic import scatter
from .array import OWNERS, bare, current_device, ndarray, of_owner, wrapped
from .linear_algebra import errstate
from .surface import check_scattered


def asarray(x: Any, dtype: Any = None, order: Any = "K") -> ndarray:
    """An array on the current device; others are copied, to C order unless they are in Fortran's."""
    if isinstance(x, ndarray):
        if x.device.id == current_device[0] and (order == "K" or x.flags.c_contiguous):
            return x if dtype is None or x.dtype == dtype else wrapped(x._a.astype(dtype))
        if order == "K" and not (x.flags.c_contiguous or x.flags.f_contiguous):
            raise NotImplementedError("CuPy cannot copy non-contiguous array between devices.")
    return wrapped(np.array(bare(x), dtype, order="A" if order == "K" else order))


def new(make: Any, *args: Any) -> ndarray:
    """A new array on the current device."""
    return wrapped(make(*args))


def as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
    """A view with other strides, which doesn't say so: it has no base."""
    return of_owner(np.lib.stride_tricks.as_strided(x._a, shape, strides))


class UfuncWithAt:
    """CuPy's ufunc of this name, as far as its method `at`: its index may be a tuple, which NumPy's ufunc refuses."""

    def __init__(self, ufunc: Any) -> None:
        self.ufunc = ufunc

    def at(self, target: ndarray, index: Any, values: Any) -> None:
        """target[index] op= values, also for repeated indices."""
        check_scattered(self.ufunc.__name__, target.dtype)
        scatter(self.ufunc, target._a, bare(index), bare(values))


class _Namespace(ModuleType):
    """A module that has only these members."""

    def __init__(self, name: str, **members: Any) -> None:
        super().__init__(name)
        vars(self).update(members)


class _Pool:
    """CuPy's memory pool."""

    def free_all_blocks(self) -> None:
        """Do nothing: there is no cached memory."""

    def used_bytes(self) -> int:
        """The bytes of all arrays."""
        return sum(a._a.nbytes for known in list(OWNERS.values()) if (a := known()) is not None)

    total_bytes = used_bytes


def modules() -> dict[str, ModuleType]:
    """The entries of `sys.modules`."""
    runtime = _Namespace(
        "cupy.cuda.runtime",
        getDeviceCount=lambda: 1,
        getDevice=lambda: current_device[0],
        setDevice=lambda index: current_device.__setitem__(0, index),
        deviceSynchronize=lambda: None,
        getDeviceProperties=lambda index: {"name": b"stand-in", "major": 9, "minor": 0, "totalGlobalMem": 1 << 30},
    )
    cuda = _Namespace("cupy.cuda", runtime=runtime, Device=lambda index=None: nullcontext())
    tricks = _Namespace("cupy.lib.stride_tricks", as_strided=as_strided)
    lib = _Namespace("cupy.lib", stride_tricks=tricks)
    cupy = _Namespace("cupy", ndarray=ndarray, asarray=asarray, cuda=cuda, lib=lib, get_default_memory_pool=_Pool)
    vars(cupy)["is_stand_in"] = True
    for make in (np.empty, np.zeros, np.ones, np.full):
        vars(cupy)[make.__name__] = partial(new, make)
    for ufunc in (np.add, np.maximum, np.minimum):
        vars(cupy)[ufunc.__name__] = UfuncWithAt(ufunc)
    return {"cupy": cupy, "cupyx": _Namespace("cupyx", errstate=errstate)}


@contextmanager
def installed() -> Iterator[None]:
    """Put the stand-in in CuPy's place inside of the block."""
    current_device[0] = 0
    before = {name: sys.modules.get(name) for name in ("cupy", "cupyx")}
    sys.modules.update(modules())
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module

"""The array: what CuPy has, and nothing else.

What it may do is read off CuPy itself (surface.json): functions, their parameters, ufuncs and their dtypes, attributes.
Beyond that there is no way to NumPy but `get`, no mixing with NumPy's arrays, no NumPy scalar out of a reduction, and
no error for an index that is out of range: it wraps. Operations may fetch an array only where synchronizations.py says
why. A test that runs a second time on the stand-in may look at values as it does at NumPy's (askers.py).
"""

from __future__ import annotations

import functools
import inspect
import json
import operator
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .askers import a_test_asks, check_fetch
from .linear_algebra import check_solve, computed

SURFACE = json.loads(Path(__file__).with_name("surface.json").read_text())
FUNCTIONS, UFUNCS = SURFACE["functions"], SURFACE["ufuncs"]
# Which ufuncs' methods CuPy has written.
METHODS = {
    "reduce": {"add", "multiply"},
    "accumulate": {"add", "multiply"},
    "reduceat": {"add"},
    "at": {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"},
}
# Of which dtypes CUDA has atomic operations.
ATOMIC = {"add": "ilqILQefd", "subtract": "iI", "maximum": "ilqILQfd", "minimum": "ilqILQfd"}
WRAPPING = {np.take: "a", np.take_along_axis: "arr", np.put_along_axis: "arr"}  # indices out of range
# How many arguments, the first ones, have to be arrays, where NumPy takes numbers or tuples as well.
ARRAYS_ALONE = {np.may_share_memory: 2, np.shares_memory: 2, np.isin: 2, np.where: 1, np.lexsort: 1}
SCALARS = (bool, int, float, complex, np.generic)
transfers: Counter[str] = Counter()  # how often values came to the host, and how
_CONVERSION = "Implicit conversion to a NumPy array is not allowed. Please use `.get()`"


class ndarray:
    """An array on the device that isn't there."""

    __slots__ = ("__weakref__", "_a", "base")
    __hash__ = None  # type: ignore[assignment]
    _a: np.ndarray[Any, Any]
    base: ndarray | None  # the array that owns the memory

    def __init__(self, shape: Any, dtype: Any = float) -> None:
        self._a, self.base = np.empty(shape, dtype), None

    # To the host

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        if a_test_asks():
            return np.array(self._a, *args)
        raise TypeError(_CONVERSION)

    def get(self) -> Any:
        """The values, on the host."""
        check_fetch("get")
        transfers["get"] += 1
        return self._a.copy()

    def item(self) -> Any:
        """The one value, on the host."""
        transfers["item"] += 1
        return self._a.item()

    def tolist(self) -> Any:
        """The values as lists, on the host."""
        check_fetch("tolist")
        transfers["tolist"] += 1
        return self._a.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """The bytes, on the host."""
        check_fetch("tobytes")
        transfers["tobytes"] += 1
        return self._a.tobytes(order)  # type: ignore[arg-type]

    def _scalar(self, kind: Callable[[Any], Any]) -> Any:
        transfers["item"] += 1
        return kind(self._a)

    def __bool__(self) -> bool:
        return self._scalar(bool)

    def __int__(self) -> int:
        return self._scalar(int)

    def __float__(self) -> float:
        return self._scalar(float)

    def __complex__(self) -> complex:
        return self._scalar(complex)

    def __index__(self) -> int:
        return self._scalar(operator.index)

    def __repr__(self) -> str:
        return repr(self._a)

    def __str__(self) -> str:
        return str(self._a)

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Any:
        return (wrapped(part) for part in self._a[...])

    # Facts

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in SURFACE["attributes"]:
            raise AttributeError(f"'cupy.ndarray' object has no attribute '{name}'")
        if not hasattr(np.ndarray, name):
            raise AttributeError(f"the stand-in has no {name}: nobody needed it")
        found = getattr(self._a, name)
        if not callable(found):
            return wrapped(found)

        def method(*args: Any, **kwargs: Any) -> Any:
            if not_there := kwargs.keys() & {"where", "initial", "mean"}:
                raise TypeError(f"{name}() got an unexpected keyword argument '{min(not_there)}'")
            if not a_test_asks():
                refuse_host_arrays((args, kwargs))
            return wrapped(found(*bare(args), **bare(kwargs)))

        return method

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self._a.shape, "typestr": self._a.dtype.str, "data": (0, False), "version": 3}

    @property
    def device(self) -> Any:
        """Where it is."""
        return SimpleNamespace(id=0)

    @property
    def flags(self) -> Any:
        """How it lies in memory: CuPy's arrays are always writeable, and have no word for it."""
        flags = self._a.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    @property
    def data(self) -> Any:
        """Where its memory is."""
        return SimpleNamespace(ptr=self._a.__array_interface__["data"][0])

    def _part(name: str) -> Any:  # type: ignore[misc]
        def write(self: ndarray, value: Any) -> None:
            wrapped(getattr(self._a, name))[...] = value

        return property(lambda self: wrapped(getattr(self._a, name)), write)

    real, imag = _part("real"), _part("imag")
    del _part

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        try:
            known = check_ufunc(ufunc, method, inputs, kwargs)
        except (TypeError, NotImplementedError):
            if not a_test_asks():
                raise
            return getattr(ufunc, method)(*bare(inputs), **bare(kwargs))
        if not known:
            return NotImplemented
        function = power if ufunc is np.power and method == "__call__" else getattr(ufunc, method)
        with np.errstate(all="ignore"):  # a GPU says nothing of NaN and infinities
            return wrapped(function(*bare(inputs), **bare(kwargs)))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(t, (ndarray, np.ndarray)) for t in types):
            return NotImplemented
        try:
            check_function(func, args, kwargs)
        except TypeError:
            if not a_test_asks():
                raise
            return func(*bare(args), **bare(kwargs))
        args, kwargs = bare(args), bare(kwargs)
        if func in WRAPPING:
            bound = inspect.signature(func).bind(*args, **kwargs)
            bound.apply_defaults()
            given = bound.arguments
            array, indices, axis = given[WRAPPING[func]], given["indices"], given.get("axis")
            given["indices"] = indices % max(array.size if axis is None else array.shape[axis], 1)
            args, kwargs = (), given
        found = computed(func, args, kwargs)
        if func is np.diagonal:
            found.flags.writeable = True  # as everything is there
        return wrapped(found)

    # Indexing

    def __getitem__(self, index: Any) -> ndarray:
        items = index if isinstance(index, tuple) else (index,)
        found = self._a[prepared(index, self._a.shape)]
        if any(isinstance(i, ndarray) for i in items):
            found = np.array(found)  # also where NumPy takes an array of no dimension for an integer
        elif isinstance(found, np.generic):
            found = self._a[(*items, ...)]  # one element is a view as well
        return wrapped(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(value, (ndarray, *SCALARS)) and not a_test_asks():
            raise TypeError(f"Unsupported type {type(value)}")
        self._a[prepared(index, self._a.shape)] = bare(value)


def _operator(name: str, ufunc: Any, turned: bool = False, in_place: bool = False) -> Any:
    def operator(self: ndarray, *others: Any) -> Any:
        inputs = (*others, self) if turned else (self, *others)
        if not in_place:
            return ufunc(*inputs)
        if not isinstance(others[0], (ndarray, *SCALARS)) and not a_test_asks():
            raise TypeError(f"Unsupported type {type(others[0])}")
        return ufunc(*inputs, out=self, casting="same_kind")

    operator.__name__ = name
    return operator


BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift, "matmul": np.matmul,
}  # fmt: skip
for _name, _ufunc in BINARY.items():
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))
    setattr(ndarray, f"__r{_name}__", _operator(_name, _ufunc, turned=True))
    if _name != "matmul":
        setattr(ndarray, f"__i{_name}__", _operator(_name, _ufunc, in_place=True))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))


def power(x: Any, p: Any, **kwargs: Any) -> Any:
    """NumPy's, which refuses integers to negative integer powers: CuPy gives 1 / xⁿ without its fraction."""
    if np.result_type(x, p).kind != "i":
        return np.power(x, p, **kwargs)
    nothing = (np.absolute(x) != 1) & (np.asarray(p) < 0)
    found = np.asarray(np.power(x, np.absolute(p), **kwargs))
    found[nothing] = 0
    return found


def wrapped(x: Any) -> Any:
    """What NumPy gives as the stand-in's: arrays, its scalars as arrays of no dimension, and tuples of them."""
    if isinstance(x, (np.ndarray, np.generic)):
        a = np.asarray(x)
        return of_owner(a) if a.base is None else view_of(a)
    if isinstance(x, tuple) and type(x) is not tuple:  # a namedtuple of NumPy's
        return type(x)(*map(wrapped, x))
    if isinstance(x, (tuple, list)):
        return type(x)(map(wrapped, x))
    return x


OWNERS: WeakValueDictionary[int, ndarray] = WeakValueDictionary()  # by the id of NumPy's


def of_owner(a: Any) -> ndarray:
    """The one array for an array of NumPy that owns its memory."""
    if (made := OWNERS.get(id(a))) is None:
        OWNERS[id(a)] = made = object.__new__(ndarray)
        made._a, made.base = a, None
    return made


def view_of(a: Any) -> ndarray:
    """An array for a view of NumPy's."""
    owner = a.base
    while not isinstance(owner, np.ndarray) or owner.base is not None:
        owner = getattr(owner, "base", None)  # NumPy's as_strided puts an object between
        if owner is None:
            return of_owner(a)  # of memory that is no array's
    made = object.__new__(ndarray)
    made._a, made.base = a, of_owner(owner)
    return made


def bare(x: Any) -> Any:
    """The same with NumPy's arrays in place of the stand-in's."""
    if isinstance(x, ndarray):
        return x._a
    if isinstance(x, dict):
        return {name: bare(value) for name, value in x.items()}
    return type(x)(map(bare, x)) if type(x) in (tuple, list) else x


def check_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> bool:
    """Whether CuPy knows the types of all inputs. Raises as it does where it lacks the ufunc, its method or dtypes."""
    name = ufunc.__name__
    if name not in UFUNCS and name not in FUNCTIONS[""]:
        raise TypeError(f"CuPy has no ufunc {name}")
    if method != "__call__" and method != "outer" and name not in METHODS.get(method, ()):
        raise NotImplementedError(f"`{name}.{method}` is not supported in CuPy")
    if method == "at":
        check_scattered(name, inputs[0])
    for x in (*inputs, *kwargs.get("out", ())):
        if isinstance(x, np.ndarray):
            raise TypeError(f"Unsupported type {np.ndarray}")
        if not isinstance(x, (ndarray, *SCALARS)) and not (method == "at" and isinstance(x, (tuple, slice))):
            return False
    if unknown := kwargs.keys() - {"out", "dtype", "casting", "axis", "keepdims"}:
        raise TypeError(f"Wrong arguments {sorted(unknown)}")
    if len(kwargs.get("out", ())) > 1:
        raise ValueError("The 'out' parameter must have exactly one array value")
    if method == "__call__" and name in UFUNCS:
        check_dtypes(name, inputs, UFUNCS[name])
    return True


def check_scattered(name: str, target: Any) -> None:
    """Raise TypeError where there is no atomic operation on the target's dtype."""
    if target.dtype.char not in ATOMIC.get(name, "ilqILQ"):
        raise TypeError(f"cupy.{name}.at doesn't support {target.dtype} as data type")


def check_function(func: Any, args: Any, kwargs: Any) -> None:
    """Raise TypeError where CuPy lacks the function, or a parameter of it, or where an argument is NumPy's."""
    path = func.__module__.removeprefix("numpy").lstrip(".").replace("_impl", "")
    parameters = FUNCTIONS.get(path, {}).get(func.__name__)
    if parameters is None and not path and func.__name__ in UFUNCS:  # a function of NumPy, a ufunc of CuPy
        parameters = ["x", "out", "dtype"]
    if parameters is None:
        raise TypeError(f"CuPy has no function {func.__module__}.{func.__name__}")
    if "**" not in parameters and (unknown := kwargs.keys() - set(parameters)):
        raise TypeError(f"{func.__name__}() got an unexpected keyword argument '{min(unknown)}'")
    names = positional(func)
    for i, name in enumerate(names[: len(args)]):
        theirs = parameters[i] if i < len(parameters) else None
        if theirs != name and (theirs is None or theirs in names or name in parameters):
            raise TypeError(f"{func.__name__}()'s argument {i} is {name} in NumPy, {theirs} in CuPy")
    refuse_host_arrays((args, kwargs))
    if not all(isinstance(x, ndarray) for x in args[: ARRAYS_ALONE.get(func, 0)]):
        raise TypeError(f"{func.__name__}(): an argument is no array")
    if func is np.linalg.solve:
        check_solve(*args)


@functools.cache
def positional(func: Any) -> list[str]:
    """Names of the parameters that NumPy takes by position."""
    try:
        signature = inspect.signature(func)
    except ValueError:  # written in C
        return []
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    return [p.name for p in signature.parameters.values() if p.kind in kinds]


def refuse_host_arrays(x: Any) -> None:
    """Raise TypeError where there is a NumPy array among arguments."""
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}")
    for part in x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ():
        refuse_host_arrays(part)


def check_dtypes(name: str, inputs: Any, loops: list[str]) -> None:
    """Raise TypeError where CuPy has no loop that takes the inputs' dtypes."""
    kinds = [x.dtype if hasattr(x, "dtype") else type(x) for x in inputs]
    weak = {bool: "?", int: "b", float: "e", complex: "F"}
    chars = [weak.get(kind) or np.dtype(kind).char for kind in kinds]
    for loop in loops:
        taken = loop.partition("->")[0]
        if len(taken) == len(chars) and all(np.can_cast(c, t, "same_kind" if k in weak else "safe")
                                            for c, t, k in zip(chars, taken, kinds, strict=True)):  # fmt: skip
            return
    raise TypeError(f"Wrong type ({kinds}) of arguments for cupy_{name}")


def prepared(index: Any, shape: tuple[int, ...]) -> Any:
    """An index for NumPy. Arrays have to be the stand-in's; integers in them that are out of range wrap."""
    items = index if isinstance(index, tuple) else (index,)
    if sum(isinstance(i, ndarray) and i.dtype == bool for i in items) > 1:
        raise ValueError("CuPy takes one boolean array in an index")
    axis, out = 0, []
    known = sum(axes_of(i) for i in items)
    for i in items:
        if isinstance(i, np.ndarray) and not a_test_asks():
            raise TypeError(f"Unsupported type {np.ndarray}")
        if isinstance(i, list):
            i = wrapped(np.asarray(i))
        if i is Ellipsis:
            axis += len(shape) - known
        elif isinstance(i, ndarray) and i.dtype == bool:
            axis += i.ndim
        elif isinstance(i, ndarray):
            n = shape[axis] if axis < len(shape) else 0
            i, axis = (i._a % n if n and i.dtype.kind in "iu" else i._a), axis + 1
        elif i is not None:
            axis += 1
        out.append(bare(i))
    return tuple(out) if isinstance(index, tuple) else out[0]


def axes_of(i: Any) -> int:
    """How many axes an item of an index takes."""
    if i is None or i is Ellipsis:
        return 0
    return i.ndim if isinstance(i, ndarray) and i.dtype.kind == "b" else 1

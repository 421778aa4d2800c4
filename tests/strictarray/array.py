"""The stand-in's array: it does what CuPy's does, and nothing else.

surface.json lists what CuPy has: functions, their parameters, ufuncs and their dtypes, attributes. As in CuPy, only
`get` converts to NumPy, arrays don't mix with NumPy's, except that indices, and what is written at them, may be
NumPy's, reductions give arrays instead of NumPy scalars, indices that are out of range wrap without an error, and
results are in C order whatever the order of the operands. Operations may fetch an array only for a reason in
synchronizations.py. Tests that run with `--device cuda` may read values as if they were NumPy's (callers.py).
"""

from __future__ import annotations

import functools
import inspect
import operator
import re
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from threading import local
from types import SimpleNamespace
from typing import Any
from weakref import ref

import numpy as np

from .arithmetic import OTHER_FORMULAS, scatter
from .callers import called_by_test, check_fetch
from .linear_algebra import call_as_cupy, check_solve
from .surface import ATTRIBUTES, FUNCTIONS, METHODS, UFUNCS, check_dtypes, check_scattered, positional

# Functions whose indices wrap if they are out of range, and the name of their array.
WRAPPING = {np.take: "a", np.take_along_axis: "arr", np.put_along_axis: "arr"}
# Functions and methods that take NumPy arrays, except as their first argument.
TAKE_HOST_ARRAYS = {"take", "put", "take_along_axis", "put_along_axis", "compress", "delete", "extract", "place"}
# How many of the first arguments have to be arrays, where NumPy also takes numbers or tuples.
ARRAYS_ONLY = {np.may_share_memory: 2, np.shares_memory: 2, np.isin: 2, np.where: 1, np.lexsort: 1}
# Functions whose result CuPy makes by empty_like, and functions and methods that take an order.
MADE_LIKE = {"empty_like", "zeros_like", "ones_like", "full_like"}
KEEP_ORDER = {"roll", "nan_to_num", "astype", "copy", *MADE_LIKE}
SCANS = {"cumsum", "cumprod", "accumulate", "argsort"}  # along the last axis in memory, to which they move theirs
SCALARS = (bool, int, float, complex, np.generic)
current_device = [0]  # its number; functions compute on it, whatever the device of their operands
transfers: Counter[str] = Counter()  # how often values were copied to the host, by method
_CONVERSION = "Implicit conversion to a NumPy array is not allowed. Please use `.get()`"


class ndarray:
    """An array on the device that the stand-in simulates."""

    __slots__ = ("__weakref__", "_a", "_gpu", "base")
    __hash__ = None
    _a: np.ndarray[Any, Any]
    base: ndarray | None  # the array that owns the memory

    def __init__(self, shape: Any, dtype: Any = float) -> None:
        self._a, self.base, self._gpu = np.empty(shape, dtype), None, current_device[0]

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        if called_by_test():
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
        return self._a.tobytes(order)

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

    dtype, shape, ndim, size = (
        property(operator.attrgetter(f"_a.{fact}")) for fact in ("dtype", "shape", "ndim", "size")
    )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in ATTRIBUTES:
            raise AttributeError(f"'cupy.ndarray' object has no attribute '{name}'")
        if not hasattr(np.ndarray, name):
            raise AttributeError(f"the stand-in has no {name}: no test needed it")
        found = functools.partial(clip, self._a) if name == "clip" else getattr(self._a, name)
        if not callable(found):
            return wrapped(found)

        def method(*args: Any, **kwargs: Any) -> Any:
            if unsupported := kwargs.keys() & {"where", "initial", "mean"}:
                raise TypeError(f"{name}() got an unexpected keyword argument '{min(unsupported)}'")
            if name not in TAKE_HOST_ARRAYS and has_host_arrays((args, kwargs)) and not called_by_test():
                raise TypeError(f"Unsupported type {np.ndarray}")
            with np.errstate(all="ignore"):  # a GPU doesn't warn about NaN and infinity
                result = computed(name, found, bare(args), bare(kwargs))
            return self if result is self._a else wrapped(in_c_order(name, result))

        return method

    def _set_shape_and_strides(self, shape: Any, strides: Any, update_c: bool, update_f: bool) -> None:
        self._a = np.lib.stride_tricks.as_strided(self._a, shape, strides)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self._a.shape, "typestr": self._a.dtype.str, "data": (0, False), "version": 3}

    @property
    def device(self) -> Any:
        """The device: that which was current when the memory was allocated."""
        return SimpleNamespace(id=(self if self.base is None else self.base)._gpu)

    @property
    def flags(self) -> Any:
        """Memory layout. CuPy's arrays are always writeable and have no flag for it."""
        flags = self._a.flags
        return SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata)

    @property
    def data(self) -> Any:
        """A pointer to the memory."""
        return SimpleNamespace(ptr=self._a.__array_interface__["data"][0])

    def _part(name: str) -> Any:
        def write(self: ndarray, value: Any) -> None:
            wrapped(getattr(self._a, name))[...] = value

        return property(lambda self: wrapped(getattr(self._a, name)), write)

    real, imag = _part("real"), _part("imag")
    del _part

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        try:
            known = check_ufunc(ufunc, method, inputs, kwargs)
        except (TypeError, NotImplementedError):
            if not called_by_test():
                raise
            return getattr(ufunc, method)(*bare(inputs), **bare(kwargs))
        if not known:
            return NotImplemented
        values = [x._a if type(x) is ndarray else bare(x) for x in inputs]
        if method == "__call__" and not kwargs and ufunc not in OTHER_FORMULAS:  # most calls
            if all(type(x) in OPERANDS for x in inputs):
                AS_NUMPY.add((ufunc, *kinds_of(inputs)))
            return quietly(ufunc, *values)
        function = OTHER_FORMULAS.get(ufunc, ufunc) if method == "__call__" else getattr(ufunc, method)
        if method == "at":
            function = functools.partial(scatter, ufunc)
        with np.errstate(all="ignore"):  # a GPU doesn't warn about NaN and infinity
            kwargs = bare(kwargs) if kwargs else kwargs
            name = ufunc.__name__ if method == "reduce" else method
            try:
                found = computed(name, function, values, kwargs)
            except ValueError as error:
                shapes = "non-broadcastable output operand"
                raise ValueError("Out shape is mismatched" if shapes in str(error) else error) from None
        return wrapped(found if "out" in kwargs else in_c_order(ufunc.__name__, found))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(t, (ndarray, np.ndarray)) for t in types):
            return NotImplemented
        try:
            check_function(func, args, kwargs)
        except (TypeError, ValueError):
            if not called_by_test():
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
        if func.__name__ in MADE_LIKE and not kwargs.get("shape", True):
            kwargs = {**kwargs, "shape": None}  # CuPy takes () and 0 for no shape
        found = computed(func.__name__, lambda *args, **kwargs: call_as_cupy(func, args, kwargs), args, kwargs)
        if func in (np.diagonal, np.broadcast_to):
            found.flags.writeable = True  # as all arrays of CuPy are
        return wrapped(found if "out" in kwargs else in_c_order(func.__name__, found))

    def __getitem__(self, index: Any) -> ndarray:
        items = index if isinstance(index, tuple) else (index,)
        try:
            found = self._a[numpy_index(index, self._a.shape)]
        except IndexError as error:
            raise IndexError(re.sub("^index", "Index", str(error))) from None
        if any(isinstance(i, (ndarray, np.ndarray)) for i in items):
            found = np.array(found, order="C")  # also if NumPy treats an array without dimensions as an integer
        elif isinstance(found, np.generic):
            found = self._a[(*items, ...)]  # a single element is a view as well
        return wrapped(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim and not called_by_test():
            items = index if isinstance(index, tuple) else (index,)
            if not any(isinstance(i, (ndarray, np.ndarray, list)) for i in items):
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        elif not isinstance(value, (ndarray, np.ndarray, *SCALARS)) and not called_by_test():
            raise TypeError(f"Unsupported type {type(value)}")
        self._a[numpy_index(index, self._a.shape)] = bare(value)


def _operator(name: str, ufunc: Any, reflected: bool = False, in_place: bool = False) -> Any:
    def operator(self: ndarray, *others: Any) -> Any:
        inputs = (*others, self) if reflected else (self, *others)
        if not in_place:
            if (ufunc, *kinds_of(inputs)) in AS_NUMPY:  # what __array_ufunc__ would find again
                return quietly(ufunc, *[x._a if type(x) is ndarray else x for x in inputs])
            return ufunc(*inputs)
        if not isinstance(others[0], (ndarray, *SCALARS)) and not called_by_test():
            raise TypeError(f"Unsupported type {type(others[0])}")
        return ufunc(*inputs, out=self, casting="same_kind")

    operator.__name__ = name
    return operator


BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift, "matmul": np.matmul,
}  # fmt: skip
OPERANDS = {ndarray, bool, int, float, complex}
for _name, _ufunc in BINARY.items():
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))
    setattr(ndarray, f"__r{_name}__", _operator(_name, _ufunc, reflected=True))
    if _name != "matmul":
        setattr(ndarray, f"__i{_name}__", _operator(_name, _ufunc, in_place=True))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))


def clip(x: Any, low: Any = None, high: Any = None, out: Any = None) -> Any:
    """CuPy's clip, which takes no notice of a bound of NaN."""
    return x.clip(*(None if isinstance(bound, float) and bound != bound else bound for bound in (low, high)), out)


def quietly(ufunc: Any, *values: Any) -> Any:
    """The ufunc of NumPy's arrays, without warnings of NaN and infinity, of which a GPU has none."""
    if not hasattr(LOCAL, "context"):
        with np.errstate(all="ignore"):
            LOCAL.context = copy_context()  # enters errstate in a tenth of its time
    found = LOCAL.context.run(ufunc, *values)
    if type(found) is not tuple and found.base is None and (found.ndim < 2 or found.flags.c_contiguous):
        return of_owner(np.asarray(found))
    return wrapped(in_c_order(ufunc.__name__, found))


def computed(name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call the function of this name. CuPy adds up float16 in float32, and scans along the last axis."""
    found = function(*args, **kwargs)
    if "out" in kwargs or not isinstance(found, (np.ndarray, np.generic)):
        return found
    if name in ("sum", "mean", "add") and found.dtype == np.float16:
        return function(*args, **{**kwargs, "dtype": np.float32}).astype(np.float16)
    if name in SCANS and found.ndim > 1:
        axis = next(n for n in (kwargs.get("axis"), *args, -1 if name == "argsort" else 0) if type(n) is int)
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(found, axis, -1)), -1, axis)
    return found


def in_c_order(name: str, x: Any) -> Any:
    """The result of a function of this name in C order, as CuPy returns it, also in tuples; views stay as they are."""
    if isinstance(x, (tuple, list)):
        parts = [in_c_order(name, part) for part in x]
        return type(x)(parts) if type(x) in (tuple, list) else type(x)(*parts)
    if not isinstance(x, np.ndarray) or x.flags.c_contiguous or x.base is not None or name in KEEP_ORDER:
        return x
    return x.copy()


def wrapped(x: Any) -> Any:
    """The stand-in's arrays for NumPy's arrays and scalars, also in tuples and lists; anything else unchanged."""
    if isinstance(x, (np.ndarray, np.generic)):
        a = np.asarray(x)
        return of_owner(a) if a.base is None else view_of(a)
    if isinstance(x, tuple) and type(x) is not tuple:  # a namedtuple
        return type(x)(*map(wrapped, x))
    if isinstance(x, (tuple, list)):
        return type(x)(map(wrapped, x))
    return x


AS_NUMPY: set[tuple[Any, ...]] = set()  # ufuncs, and kinds of operands of which CuPy computes what NumPy does
LOCAL = local()  # of each thread: a context that two threads enter raises
OWNERS: dict[int, ref[ndarray]] = {}  # by the id of the NumPy array, which a later array may have again


def of_owner(a: Any) -> ndarray:
    """The stand-in's array for a NumPy array that owns its memory. It is always the same one."""
    known = OWNERS.get(id(a))
    if known is not None and (there := known()) is not None and there._a is a:
        return there
    new = object.__new__(ndarray)
    new._a, new.base, new._gpu = a, None, current_device[0]
    OWNERS[id(a)] = ref(new)
    return new


def view_of(a: Any) -> ndarray:
    """The stand-in's array for a NumPy view."""
    owner = a.base
    while not isinstance(owner, np.ndarray) or owner.base is not None:
        owner = getattr(owner, "base", None)  # as_strided inserts an object between view and owner
        if owner is None:
            return of_owner(a)  # the memory belongs to no array
    new = object.__new__(ndarray)
    new._a, new.base = a, of_owner(owner)
    return new


def bare(x: Any) -> Any:
    """x with NumPy arrays in place of the stand-in's, also in tuples, lists and dicts."""
    if type(x) is ndarray:
        return x._a
    if type(x) is dict:
        return {name: bare(value) for name, value in x.items()}
    return type(x)(map(bare, x)) if type(x) in (tuple, list) else x


def kinds_of(inputs: Any) -> tuple[Any, ...]:
    """The dtypes of the stand-in's arrays, and the types of other inputs."""
    return tuple([x._a.dtype if type(x) is ndarray else type(x) for x in inputs])


def check_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> bool:
    """Whether CuPy knows the types of all inputs. Raises if it lacks the ufunc, its method or the dtypes."""
    kinds = kinds_of(inputs)
    outs = tuple([type(x) for x in kwargs.get("out", ())])
    return knows_ufunc(ufunc.__name__, method, kinds, outs, tuple(kwargs))


@functools.lru_cache(10_000)
def knows_ufunc(
    name: str, method: str, kinds: tuple[Any, ...], outs: tuple[Any, ...], keywords: tuple[str, ...]
) -> bool:
    """What `check_ufunc` does, for inputs of these dtypes and types."""
    if name not in UFUNCS and name not in FUNCTIONS[""]:
        raise TypeError(f"CuPy has no ufunc {name}")
    if method != "__call__" and method != "outer" and name not in METHODS.get(method, ()):
        raise NotImplementedError(f"`{name}.{method}` is not supported in CuPy")
    for i, kind in enumerate((*kinds, *outs)):
        if isinstance(kind, np.dtype) or kind is ndarray:
            continue
        if issubclass(kind, np.ndarray):
            if method == "at" and i:  # it takes NumPy's indices and values
                continue
            raise TypeError(f"Unsupported type {np.ndarray}")
        if not issubclass(kind, SCALARS):
            return False
    if method == "at":
        check_scattered(name, kinds[0])
    if unknown := set(keywords) - {"out", "dtype", "casting", "axis", "keepdims"}:
        raise TypeError(f"Wrong arguments {sorted(unknown)}")
    if len(outs) > 1:
        raise ValueError("The 'out' parameter must have exactly one array value")
    if method == "__call__" and name in UFUNCS:
        check_dtypes(name, kinds)
    return True


def check_function(func: Any, args: Any, kwargs: Any) -> None:
    """Raise TypeError if CuPy lacks the function or a parameter of it, or if an argument is a NumPy array."""
    path = func.__module__.removeprefix("numpy").lstrip(".").replace("_impl", "")
    parameters = FUNCTIONS.get(path, {}).get(func.__name__)
    if parameters is None and not path and func.__name__ in UFUNCS:  # a function in NumPy, but a ufunc in CuPy
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
    takes = func.__name__ in TAKE_HOST_ARRAYS and isinstance(args[0], ndarray)
    if not takes and has_host_arrays((args, kwargs)):
        raise TypeError(f"Unsupported type {np.ndarray}")
    if not all(isinstance(x, ndarray) for x in args[: ARRAYS_ONLY.get(func, 0)]):
        raise TypeError(f"{func.__name__}(): an argument is no array")
    if func is np.linalg.solve:
        check_solve(*args)


def has_host_arrays(x: Any) -> bool:
    """Whether there is a NumPy array among the arguments."""
    if isinstance(x, np.ndarray):
        return True
    return any(map(has_host_arrays, x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()))


def numpy_index(index: Any, shape: tuple[int, ...]) -> Any:
    """The index for NumPy. The integers of arrays in it wrap if they are out of range."""
    items = index if isinstance(index, tuple) else (index,)
    if sum(isinstance(i, ndarray) and i.dtype == bool for i in items) > 1:
        raise ValueError("CuPy takes one boolean array in an index")
    axis, out = 0, []
    known = sum(axes_of(i) for i in items)
    for i in items:
        if isinstance(i, (list, np.ndarray)):
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
    """How many axes of the array an item of an index stands for."""
    if i is None or i is Ellipsis:
        return 0
    return i.ndim if isinstance(i, ndarray) and i.dtype.kind == "b" else 1

"""Transform, the base of all transforms, with its inverse and the transforms that combine others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any
from weakref import ReferenceType, ref

from ..ops.creation import zeros_like
from ..ops.movement import cat, stack
from ..tensor import Tensor
from . import constraints
from .utils import _at_least, _sum_rightmost, alias, check_length


class Transform:
    """A transform y = f(x) with its inverse and log |dy/dx|.

    A subclass defines _call, _inverse and log_abs_det_jacobian. With cache_size = 1 the last pair (x, y) is kept, so
    that the inverse of y is exactly x. Raises ValueError for a cache_size other than 0 and 1.
    Source: torch.distributions.transforms.Transform.

    >>> x = torch.tensor([0.0, 1.0])
    >>> exp = torch.distributions.ExpTransform()
    >>> exp.log_abs_det_jacobian(x, exp(x))
    tensor([0., 1.])
    """

    bijective = False
    domain: Any
    codomain: Any
    _sign: Any = None
    _init_args: tuple[str, ...] = ()  # the arguments of __init__ before cache_size

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._cached_x_y: tuple[Any, Any] = (None, None)
        self._inv: ReferenceType[Transform] | None = None
        super().__init__()  # a subclass may be an nn.Module too

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_inv": None}  # a weak reference can't be pickled

    @property
    def event_dim(self) -> int:
        """The number of trailing dimensions that are transformed together."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError("Please use either .domain.event_dim or .codomain.event_dim")
        return self.domain.event_dim

    @property
    def inv(self) -> Transform:
        """The inverse transform."""
        there = None if self._inv is None else self._inv()
        if there is None:
            there = self._inverted()
            self._inv = ref(there)
        return there

    def _inverted(self) -> Transform:
        return _InverseTransform(self)

    @property
    def sign(self) -> Any:
        """The sign of the derivative: 1 for an increasing transform, -1 for a decreasing one."""
        if self._sign is None:
            raise NotImplementedError(f"{type(self).__name__} has no sign")
        return self._sign

    def with_cache(self, cache_size: int = 1) -> Any:
        """Return the same transform with the given cache size."""
        if self._cache_size == cache_size:
            return self
        made: Any = next(c for c in type(self).__mro__ if "_init_args" in vars(c))
        own = type(self).__init__ is made.__init__  # the __init__ of a subclass may take other arguments
        if made is Transform and not own:
            raise NotImplementedError(f"{type(self)}.with_cache is not implemented")
        kind: Any = type(self) if own else made
        return kind(*(getattr(self, name) for name in made._init_args), cache_size=cache_size)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __call__(self, x: Any) -> Any:
        if self._cache_size and x is self._cached_x_y[0]:
            return self._cached_x_y[1]
        y = self._call(x)
        self._remember(x, y)
        return y

    def _inv_call(self, y: Any) -> Any:
        if self._cache_size and y is self._cached_x_y[1]:
            return self._cached_x_y[0]
        x = self._inverse(y)
        self._remember(x, y)
        return x

    def _remember(self, x: Any, y: Any) -> None:
        if self._cache_size:
            self._cached_x_y = x, y

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log |dy/dx| for y = f(x); its shape lacks the dimensions that are transformed together."""
        raise NotImplementedError

    def forward_shape(self, shape: Any) -> Any:
        """Return the shape of y for a shape of x."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """Return the shape of x for a shape of y."""
        return shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ParameterFreeTransform(Transform):
    """A transform without parameters: all instances of the class are equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self))

    __hash__ = Transform.__hash__


class _InverseTransform(Transform):
    def __init__(self, transform: Transform) -> None:
        super().__init__(cache_size=transform._cache_size)
        self._original = transform

    domain = alias("_original.codomain")
    codomain = alias("_original.domain")
    bijective: bool = alias("_original.bijective")
    sign = alias("_original.sign")
    inv: Transform = alias("_original")

    def with_cache(self, cache_size: int = 1) -> Any:
        return self._original.with_cache(cache_size).inv

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _InverseTransform) and self._original == other._original

    __hash__ = Transform.__hash__

    def __call__(self, x: Any) -> Any:
        return self._original._inv_call(x)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._original.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        return self._original.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._original.forward_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._original!r})"


class ComposeTransform(Transform):
    """Apply transforms one after the other, in the order of `parts`. Source: torch.distributions.ComposeTransform.

    >>> t = torch.distributions.transforms
    >>> t.ComposeTransform([t.ExpTransform(), t.AffineTransform(1.0, 2.0)])(torch.tensor(0.0))
    tensor(3.)
    """

    _init_args = ("parts",)

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)
        super().__init__(cache_size=cache_size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = Transform.__hash__

    @property
    def domain(self) -> Any:
        if not self.parts:
            return constraints.real
        return self._with_event_dim(self.parts[0].domain, self._event_dims()[0])

    @property
    def codomain(self) -> Any:
        if not self.parts:
            return constraints.real
        return self._with_event_dim(self.parts[-1].codomain, self._event_dims()[-1])

    @staticmethod
    def _with_event_dim(constraint: Any, event_dim: int) -> Any:
        more = event_dim - constraint.event_dim
        return constraints.independent(constraint, more) if more else constraint

    def _event_dims(self) -> list[int]:
        """Return the number of event dimensions before the first part and after each part."""
        dim = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            dim = max(dim + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        dims = [dim]
        for part in self.parts:
            dims.append(dims[-1] + part.codomain.event_dim - part.domain.event_dim)
        return dims

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        return all(part.bijective for part in self.parts)

    @property
    def sign(self) -> Any:
        return math.prod(part.sign for part in self.parts)

    def _call(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def _inverted(self) -> Transform:
        inverse = ComposeTransform([part.inv for part in reversed(self.parts)])
        inverse._inv = ref(self)
        return inverse

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.parts:
            return zeros_like(x)
        values = [x]
        for part in self.parts[:-1]:
            values.append(part(values[-1]))
        values.append(y)
        total: Any = 0
        for part, dim, before, after in zip(self.parts, self._event_dims(), values, values[1:], strict=False):
            total = total + _sum_rightmost(part.log_abs_det_jacobian(before, after), dim - part.domain.event_dim)
        return total

    def forward_shape(self, shape: Any) -> Any:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        lines = ",\n    ".join(map(repr, self.parts))
        return f"{type(self).__name__}(\n    {lines}\n)"


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """Count trailing batch dimensions as event dimensions.

    Raises ValueError for fewer dimensions. Source: torch.distributions.IndependentTransform.

    >>> exp, x = torch.distributions.ExpTransform(), torch.tensor([0.0, 1.0])
    >>> torch.distributions.IndependentTransform(exp, 1).log_abs_det_jacobian(x, exp(x))
    tensor(1.)
    """

    _init_args = ("base_transform", "reinterpreted_batch_ndims")

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def domain(self) -> Any:
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @property
    def codomain(self) -> Any:
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    bijective: bool = alias("base_transform.bijective")
    sign = alias("base_transform.sign")

    def _call(self, x: Tensor) -> Tensor:
        _at_least(self.domain.event_dim, x.shape)
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        _at_least(self.codomain.event_dim, y.shape)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return _sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Any:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class _PartwiseTransform(Transform):
    """Base of transforms that apply one transform to each part of a value along `dim`.

    Calling one raises AssertionError if the size of the value along `dim` isn't `length`.
    """

    transforms: list[Transform]
    _joined: Callable[[list[Tensor], int], Tensor]  # joins the transformed parts along dim

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError("All elements of tseq must be Transform instances")
        self.transforms = [t.with_cache(cache_size) if cache_size else t for t in tseq]
        self.dim = dim

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        return all(t.bijective for t in self.transforms)

    @property
    def length(self) -> int:
        """The size along dim that a value must have."""
        return len(self.transforms)

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _parts(self, x: Tensor) -> Any:
        check_length(self, x, self.length)
        return zip(self.transforms, self._split(x), strict=True)

    def _call(self, x: Tensor) -> Tensor:
        return self._joined([t(part) for t, part in self._parts(x)], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._joined([t.inv(part) for t, part in self._parts(y)], self.dim)


class CatTransform(_PartwiseTransform):
    """Apply one transform to each of the parts of given lengths along dim.

    Raises AssertionError if the lengths don't add up. Source: torch.distributions.CatTransform.

    >>> parts = [torch.distributions.ExpTransform(), torch.distributions.AbsTransform()]
    >>> torch.distributions.CatTransform(parts, lengths=[1, 1])(torch.tensor([0.0, -3.0]))
    tensor([1., 3.])
    """

    _init_args = ("transforms", "dim", "lengths")
    _joined = staticmethod(cat)

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})")

    @property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self) -> int:
        return sum(self.lengths)

    @property
    def domain(self) -> Any:
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @property
    def codomain(self) -> Any:
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        return x.split(self.lengths, self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        logs = []
        for (t, before), (_, after) in zip(self._parts(x), self._parts(y), strict=True):
            logs.append(_sum_rightmost(t.log_abs_det_jacobian(before, after), self.event_dim - t.event_dim))
        dim = self.dim - x.dim() if self.dim >= 0 else self.dim
        dim += self.event_dim
        return cat(logs, dim) if dim < 0 else sum(logs[1:], logs[0])


class StackTransform(_PartwiseTransform):
    """Apply one transform to each index along dim.

    Raises AssertionError for another size. Source: torch.distributions.StackTransform.

    >>> parts = [torch.distributions.ExpTransform(), torch.distributions.AbsTransform()]
    >>> torch.distributions.StackTransform(parts)(torch.tensor([0.0, -3.0]))
    tensor([1., 3.])
    """

    _init_args = ("transforms", "dim")
    _joined = staticmethod(stack)

    @property
    def domain(self) -> Any:
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @property
    def codomain(self) -> Any:
        return constraints.stack([t.codomain for t in self.transforms], self.dim)

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        return x.unbind(self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(self._parts(x), self._parts(y), strict=True)
        return stack([t.log_abs_det_jacobian(before, after) for (t, before), (_, after) in pairs], self.dim)

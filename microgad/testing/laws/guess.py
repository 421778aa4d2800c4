"""Inputs for an operation that came without: as many Tensors as it takes, of the first kind that it accepts."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ...errors import FROM_FORWARD, ArgumentError
from ...function import Function
from ...tensor import Tensor
from ..calls import floating, tensors_in
from ..strategies import numbers, tensors
from .case import pull
from .kinds import Kind, Shapes, groups, together
from .settings import NAMED

if TYPE_CHECKING:
    from ... import autograd

SCALES = (1.0, 1.0, 3.0)  # beyond 6, where some functions are cut off

TRIES = 12  # of values, which have to be accepted together: a power of -1/2 may be 3


class Domain(NamedTuple):
    """Values that an input may be limited to."""

    low: float
    high: float
    zero: bool = True
    scaled: bool = True

    def values(self) -> list[float]:
        """Some, with the ends."""
        found = [self.low, 0.5, -0.5, self.high, 1.0, 0.0] if self.low < 0 else [self.low, self.high, 1.5]
        return [x for x in found if (x or self.zero) and self.low <= x <= self.high]

    def elements(self) -> st.SearchStrategy[float]:
        return numbers(self.low, self.high, away_from=() if self.zero else (0,))


DOMAINS = (  # the widest first
    Domain(-3, 3),
    Domain(-3, 3, zero=False),  # of a divisor
    Domain(0.125, 3),  # of a logarithm
    Domain(-0.875, 0.875, scaled=False),  # of an arc sine
    Domain(1.125, 3),
    Domain(0.125, 0.875, scaled=False),  # of a probability
)


class Guess:
    """What an operation can be called with, where its caller doesn't say."""

    def __init__(self, op: Any, name: str) -> None:
        self.op, self.name = op, name
        self.known: dict[str, st.SearchStrategy[Any]] = {}  # by settings

    def inputs(self, function: Callable[..., Any], settings: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        """A strategy of inputs that `function`, the operation with its settings, accepts.

        Raises ValueError where none of the kinds is accepted.
        """
        key = repr(settings)
        if key not in self.known:
            self.known[key] = self._found(function)
        return self.known[key]

    def _found(self, function: Callable[..., Any]) -> st.SearchStrategy[Any]:
        """Of the first group of which anything is accepted, the kinds that have a derivative, right or wrong.

        If none has, the derivative is to blame, and not the kind; unless the result is one number, as a loss is, which
        may be meant for inputs of one shape.
        """
        n, losses = self.count(), []
        for group in groups(n):
            accepted = []
            for kind in group.kinds:
                domains = self._domains(function, n, kind.some)
                if domains is not None:
                    accepted.append((kind, domains))
            if accepted:
                there = [
                    (kind, domains)
                    for kind, domains in accepted
                    if all(self.accepts(function, sizes, domains, 0, backward=True) for sizes in kind.some)
                ]
                chosen = there if group.several and there else (there or accepted)[:1]
                found = st.one_of([_drawn(kind.more, domains) for kind, domains in chosen])
                if there or not _is_a_number(function, *chosen[0]):
                    return found
                losses.append(found)
        if losses:
            return losses[0]
        raise ArgumentError(
            f"{self.name} accepts no {n} float64 Tensors that broadcast, no matrices and no images: give its inputs"
        )

    def of_any_shapes(self, function: Callable[..., Any]) -> list[Domain] | None:
        """What its inputs may be where they may have any shapes that broadcast; None where they may not."""
        n = self.count()
        return self._domains(function, n, together(n, 0))

    def _domains(self, function: Callable[..., Any], n: int, some: Sequence[Shapes]) -> list[Domain] | None:
        """For each input the widest domain, beginning with one for all; None where the operation refuses them all."""

        def accepted(domains: list[Domain]) -> bool:
            return all(self.accepts(function, sizes, domains, seed) for seed in range(TRIES) for sizes in some)

        one = next((d for d in DOMAINS if accepted([d] * n)), None)
        if one is None:
            return None
        found = [one] * n
        for i in range(n):
            wider = DOMAINS[: DOMAINS.index(one)]
            tried = ([*found[:i], domain, *found[i + 1 :]] for domain in wider)
            found = next((domains for domains in tried if accepted(domains)), found)
        return found

    def count(self) -> int:
        """How many Tensors it takes: as many arguments as have no default, two for any number of them."""
        if isinstance(self.op, type) and issubclass(self.op, Function):
            return 2 if self.op.variadic else len(self.op.inputs)
        if isinstance(self.op, np.ufunc):  # NumPy's older ones have no signature
            return self.op.nin
        if isinstance(self.op, type):  # an autograd.Function, of PyTorch too, whose forward has a context before them
            arguments = arguments_of(self.op.forward, self.name)[1:]  # type: ignore[attr-defined]
        else:
            arguments = arguments_of(self.op, self.name)
        if any(p.kind is p.VAR_POSITIONAL for p in arguments):
            return 2
        return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in required(arguments))

    def accepts(
        self, function: Callable[..., Any], sizes: Shapes, domains: Sequence[Domain], seed: int, backward: bool = False
    ) -> bool:
        """Whether the operation gives finite numbers for Tensors of these shapes, with values of these domains.

        Of Tensors without axes it has to make some without axes. If `backward`, that has to run as well.
        """
        rng = np.random.default_rng(seed)
        inputs = [
            Tensor._made(_resized(rng.permutation(domain.values()), size))
            for domain, size in zip(domains, sizes, strict=True)
        ]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                results = tensors_in(function(*inputs))
            except AttributeError as error:
                if isinstance(error.obj, Function):
                    raise ArgumentError(f"{self.name}: give settings={{{error.name!r}: ...}}") from error
                raise
            except (*FROM_FORWARD, ZeroDivisionError):
                return False
            if not any(sizes) and any(y.ndim for y in results):
                return False
            return all(np.isfinite(y.array).all() for y in results) and not (backward and _fails(function, inputs))


def arguments_of(op: Any, name: str) -> list[inspect.Parameter]:
    """Of a callable. Raises ValueError where it has no signature."""
    try:
        return list(inspect.signature(op).parameters.values())
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} doesn't say what it takes: give its inputs") from None


def required(arguments: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    """Arguments without default that are Tensors: after the first one, those whose name isn't a setting's."""
    return [p for i, p in enumerate(arguments) if p.default is p.empty and (i == 0 or p.name not in NAMED)]


@st.composite
def _drawn(draw: st.DrawFn, sizes: st.SearchStrategy[Shapes], domains: Sequence[Domain]) -> list[Tensor]:
    scale = draw(st.sampled_from(SCALES))
    return [
        draw(tensors(size, elements=domain.elements(), scale=scale if domain.scaled else None))
        for size, domain in zip(draw(sizes), domains, strict=True)
    ]


def _is_a_number(function: Callable[..., Any], kind: Kind, domains: Sequence[Domain]) -> bool:
    """Whether of inputs with axes the result has none."""
    sizes = kind.some[-1]
    with np.errstate(all="ignore"):
        out = function(*[Tensor._made(_resized(d.values(), size)) for d, size in zip(domains, sizes, strict=True)])
    return any(sizes) and not any(y.ndim for y in tensors_in(out))


def _fails(function: Callable[..., Any], inputs: Sequence[Tensor]) -> bool:
    """Whether backward, of outputs that have a derivative, raises an error."""
    try:
        outs = floating(function(*(x.requires_grad_() for x in inputs)))
        pull(outs, inputs, [np.ones_like(y.array) for y in outs])
    except Exception:  # whatever it raises
        return True
    return False


def _resized(values: Any, size: tuple[int, ...]) -> Any:
    return np.resize(np.asarray(values, float), size)


def with_signature(cls: type[autograd.Function]) -> Callable[..., Any]:
    """`cls.apply`, with the arguments of its forward, so that it's known what it takes."""

    def apply(*args: Any) -> Any:
        return cls.apply(*args)

    arguments = list(inspect.signature(cls.forward).parameters.values())[not hasattr(cls, "setup_context") :]
    apply.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]
    return apply

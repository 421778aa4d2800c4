"""Infer inputs for an operation by trial: as many Tensors as it takes, of the first shapes and values it accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from ...errors import FROM_FORWARD, ArgumentError, FunctionError
from ...errors.wording import plural
from ...function import Function
from ...ops.support.bare import tensors_in
from ...tensor import Tensor
from ...type_aliases import Array
from ..calls import floating, fresh_tensors, wanted
from ..strategies import numbers, tensors
from .case import Case, vjp
from .inferred_settings import arguments_of, strategy_of
from .input_shapes import ShapeFamily, Shapes, broadcasting, groups
from .runner import without_warnings

SCALES = (1.0, 1.0, 3.0)  # 3 · 3 goes beyond 6, where some functions saturate

TRIES = 12  # combinations of values that must all be accepted: a negative base may go well with some exponents


class Domain(NamedTuple):
    """A range of values that an input may be restricted to."""

    low: float
    high: float
    zero: bool = True
    scaled: bool = True

    def values(self) -> list[float]:
        """Return some values of the domain, including its ends."""
        found = [self.low, 0.5, -0.5, self.high, 1.0, 0.0] if self.low < 0 else [self.low, self.high, 1.5]
        return [x for x in found if (x or self.zero) and self.low <= x <= self.high]

    def elements(self) -> st.SearchStrategy[float]:
        return numbers(self.low, self.high, away_from=() if self.zero else (0,))


DOMAINS = (  # widest first
    Domain(-3, 3),
    Domain(-3, 3, zero=False),  # of a divisor
    Domain(0.125, 3),  # of a logarithm
    Domain(-0.875, 0.875, scaled=False),  # of an arc sine
    Domain(1.125, 3),
    Domain(0.125, 0.875, scaled=False),  # of a probability
)


class InputInference:
    """Finds inputs that an operation accepts, when the caller gives none."""

    def __init__(self, op: Any, name: str) -> None:
        self.op, self.name = op, name
        self.known: dict[str, st.SearchStrategy[Any]] = {}  # by the repr of the settings
        self.refused = ""  # the error of the last inputs that it refused

    def inputs(self, function: Callable[..., Any], settings: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        """Return a strategy of inputs that `function`, the operation with its settings, accepts.

        Raises ValueError if it accepts no family of shapes.
        """
        key = repr(settings)
        if key not in self.known:
            with without_warnings():
                self.known[key] = self._found(function)
        return self.known[key]

    def _found(self, function: Callable[..., Any]) -> st.SearchStrategy[Any]:
        """Take the first group in which a family is accepted, and of its families those whose backward runs.

        If backward runs for none, the derivative is at fault and not the family. The same if it runs only for families
        of fewer axes: a sum that forgets keepdims is right for vectors. The exception is a result that is one number,
        such as a loss: it may be meant for inputs of equal shapes, so that later groups are tried.
        """
        n, losses = self.count(), []
        if not n:
            self.accepts(function, (), (), 0)  # only for its error
        for group in groups(n) if n else ():
            tried = ((family, self._domains(function, n, family.examples)) for family in group.families)
            accepted = ((family, domains) for family, domains in tried if domains is not None)
            if (first := next(accepted, None)) is None:
                continue
            scalar = self._is_scalar(function, *first)
            usable = (
                (family, domains)
                for family, domains in chain([first], accepted)
                if (group.alternatives or scalar or family.axes == first[0].axes)
                and all(self.accepts(function, sizes, domains, 0, backward=True) for sizes in family.examples)
            )
            chosen = list(usable if group.alternatives else islice(usable, 1))
            found = st.one_of([_drawn(family.strategy, domains) for family, domains in chosen or [first]])
            if chosen or not scalar:
                return found
            losses.append(found)
        if losses:
            return losses[0]
        takes = f"refuses {plural(n, 'float64 Tensor')} of every shape that was tried" if n else "takes no Tensors"
        raise ArgumentError(f"{self.name} {takes}: give its inputs{self.refused}")

    def of_any_shapes(self, function: Callable[..., Any]) -> list[Domain] | None:
        """Return the inputs' domains if they may have any shapes that broadcast, else None."""
        n = self.count()
        with without_warnings():
            return self._domains(function, n, broadcasting(n, 0))

    def _domains(self, function: Callable[..., Any], n: int, some: Sequence[Shapes]) -> list[Domain] | None:
        """Return the widest domain of each input, starting from one common to all; None if there is no common one."""

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
        """Return how many Tensors it takes: the arguments without a default, or two for `*args`."""
        if isinstance(self.op, type) and issubclass(self.op, Function):
            return 2 if self.op.variadic else len(self.op.inputs)
        if isinstance(self.op, np.ufunc):  # NumPy's older ones have no signature
            return self.op.nin
        arguments = arguments_of(self.op, self.name)
        if any(p.kind is p.VAR_POSITIONAL for p in arguments):
            return 2
        positional = [p for p in arguments if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return sum(p.default is p.empty and (i == 0 or strategy_of(p) is None) for i, p in enumerate(positional))

    def accepts(
        self, function: Callable[..., Any], sizes: Shapes, domains: Sequence[Domain], seed: int, backward: bool = False
    ) -> bool:
        """Whether the operation gives finite numbers for Tensors of these shapes, with values of these domains.

        For 0-d Tensors the results have to be 0-d. With `backward`, backward has to run as well.
        """
        arrays = [x.copy() for x in _mixed(tuple(domains), sizes, seed)]
        inputs = for_gradients(self.op, arrays)
        try:
            results = tensors_in(function(*inputs))
        except AttributeError as error:
            if isinstance(error.obj, Function):
                raise ArgumentError(f"{self.name}: give settings={{{error.name!r}: ...}}") from error
            where = f" ({', '.join(f'{x.dtype} {tuple(x.shape)}' for x in inputs)})"
            raise AssertionError(f"{self.name}: its forward fails: AttributeError: {error}{where}") from error
        except FunctionError:  # it breaks a rule, whatever the inputs are
            raise
        except (*FROM_FORWARD, ZeroDivisionError) as error:
            self.refused = f" ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
            return False
        if not any(sizes) and any(y.ndim for y in results):
            return False
        return all(np.isfinite(y.array).all() for y in results) and not (backward and _fails(function, inputs))

    def _is_scalar(self, function: Callable[..., Any], family: ShapeFamily, domains: Sequence[Domain]) -> bool:
        """Whether the result is 0-d although the inputs aren't, as that of a loss."""
        sizes = family.examples[-1]
        arrays = [_resized(d.values(), size) for d, size in zip(domains, sizes, strict=True)]
        out = function(*for_gradients(self.op, arrays))
        return any(sizes) and not any(y.ndim for y in tensors_in(out))


@st.composite
def _drawn(draw: st.DrawFn, sizes: st.SearchStrategy[Shapes], domains: Sequence[Domain]) -> list[Tensor]:
    scale = draw(st.sampled_from(SCALES))
    return [
        draw(tensors(size, elements=domain.elements(), scale=scale if domain.scaled else None))
        for size, domain in zip(draw(sizes), domains, strict=True)
    ]


def for_gradients(op: Any, inputs: Sequence[Any]) -> list[Any]:
    """Return fresh inputs that require grad where the given ones do; if none does, all that have a derivative."""
    is_function = isinstance(op, type) and issubclass(op, Function)
    if is_function and not op.variadic and len(inputs) != len(op.inputs):
        given = f"{', '.join(op.inputs)}; given are {len(inputs)}"
        raise ArgumentError(f"{op.__name__} takes {plural(len(op.inputs), 'input')}, {given}")
    return fresh_tensors(inputs, lambda i: not is_function or op.joint is not None or op.derivatives[i] is not None)


def reject_if_refused(case: Case) -> None:
    """Make hypothesis draw another example if the operation refuses the inputs and settings inferred for it."""
    try:
        with without_warnings():
            _ = case.results
    except (*FROM_FORWARD, ZeroDivisionError):
        reject()


def _fails(function: Callable[..., Any], inputs: Sequence[Tensor]) -> bool:
    """Whether backward raises an error."""
    try:
        outs = floating(function(*inputs))
        vjp(outs, wanted(inputs), [np.ones_like(y.array) for y in outs])
    except Exception:  # a user's derivative may raise anything
        return True
    return False


@cache  # many operations are tried with the same values
def _mixed(domains: tuple[Domain, ...], sizes: Shapes, seed: int) -> list[Array]:
    """Return an array of each shape that has the values of its domain in some order."""
    rng = np.random.default_rng(seed)
    return [_resized(rng.permutation(domain.values()), size) for domain, size in zip(domains, sizes, strict=True)]


def _resized(values: Any, size: tuple[int, ...]) -> Any:
    return np.resize(np.asarray(values, float), size)

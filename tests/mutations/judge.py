"""Whether a fault is real, by comparison of faulty with intact code, and whether the property tests catch it."""

from __future__ import annotations

import re
import signal
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings

import microgad as torch
from microgad.errors import MicrogadError
from microgad.function import Tensor
from microgad.testing.calls import GradcheckError
from microgad.testing.findings.diagnosis import likely_mistake
from microgad.testing.laws import check_op

from .fault import Fault
from .inputs import FEW, INPUTS, STRUCTURES, Outcome, Pool, outcome, pool

DEFAULT = 100  # examples: hypothesis's own default
ENTRIES = 3  # property tests among which the inputs are divided
CHUNK = 250  # inputs that are evaluated while a fault is planted once
ONE_OF = 4  # one of this many faults is also checked by check_op
TIME_LIMIT = 60  # seconds of CPU time, after which a fault that makes the library hang counts as caught
CLOSE, CLOSE_IN_FLOAT32 = 1e-9, 1e-4


@dataclass
class Verdict:
    """The result for one fault."""

    name: str
    kind: str
    real: str  # how it shows on some input; empty if it doesn't
    caught: str  # the first line of the error of a property test; empty if none fails
    pattern: str = ""  # regular expression for the likely mistake
    mistake: str = ""  # the likely mistake that is named
    named: bool | None = None  # whether that is the kind that was planted; None if not determined
    guessed: bool | None = None  # whether check_op catches it with inferred inputs; None if not determined


class Hang(Exception):
    """The library didn't return within the time limit."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang(f"nothing for {seconds} seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds / 10)  # hypothesis runs a failing example again
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def judge(fault: Fault) -> Verdict:
    """Determine whether a fault is real, whether it is caught, and whether the likely mistake names its kind."""
    error = caught(fault, sure=True)
    verdict = Verdict(fault.name, fault.kind, real(fault), "" if error is None else _first_line(error))
    if fault.pattern and verdict.real and error is not None:
        mistake = explanation(fault)
        if mistake is not None:
            verdict.pattern, verdict.mistake = fault.pattern, mistake
            verdict.named = re.search(fault.pattern, mistake) is not None
    if verdict.real and zlib.crc32(fault.name.encode()) % ONE_OF == 0 and fault.cls and guessable(fault.cls):
        verdict.guessed = by_check_op(fault) is not None
    return verdict


def by_check_op(fault: Fault) -> BaseException | None:
    """The error that check_op raises for the faulty Function, with inputs and settings that it infers."""

    def check() -> None:
        before = settings.default
        settings.register_profile("mutations", database=None, derandomize=True, phases=[Phase.generate], deadline=None)
        settings.load_profile("mutations")
        try:
            check_op(fault.cls, examples=DEFAULT)
        finally:
            settings.register_profile("as before", before)
            settings.load_profile("as before")

    return _raised(fault, check)


@lru_cache
def guessable(cls: Any) -> bool:
    """Whether check_op infers inputs for a Function, and finds nothing wrong with it."""
    return by_check_op(Fault("none", "", "", nullcontext, (), cls)) is None


def caught(fault: Fault, shrink: bool = False, sure: bool = False) -> BaseException | None:
    """The error of a property test of the faulty code; with `sure`, only of a test that passes for intact code."""
    for entry in fault.entries:
        error = _error_of(fault, entry, shrink)
        if error is not None and (not sure or passes(entry)):
            return error
    return None


@cache
def passes(entry: Any) -> bool:
    """Whether a property test passes without a fault. A few examples are enough, since the suite runs them all."""
    error = _error_of(Fault("none", "", "", nullcontext, ()), entry, examples=DEFAULT // 4)
    if error is not None:
        print(f"not used, since it fails without any fault: {entry.name}: {_first_line(error)}", flush=True)
    return error is None


def _error_of(fault: Fault, entry: Any, shrink: bool = False, examples: int = DEFAULT) -> BaseException | None:
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    options = {"database": None, "deadline": None, "derandomize": True, "report_multiple_bugs": False}
    options |= {"max_examples": examples, "phases": phases, "suppress_health_check": list(HealthCheck)}
    return _raised(fault, partial(entry.check, **options))


def _raised(fault: Fault, check: Callable[[], Any]) -> BaseException | None:
    """The error that a check raises while a fault is planted; warnings are errors."""
    try:
        with time_limit(TIME_LIMIT), warnings.catch_warnings(), fault.plant():
            warnings.simplefilter("error")
            for expected in (".*degrees of freedom", "padding='same'"):  # by the tests of variances and convolutions
                warnings.filterwarnings("ignore", expected)
            check()
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return error
    return None


def explanation(fault: Fault) -> str | None:
    """The likely mistake of the example that hypothesis shrinks to; empty if none is named.

    None if that example has no derivative at all, since NumPy or the engine refuses a shape: that explains the fault.
    """
    error = caught(fault, shrink=True)
    finding = getattr(error, "finding", None)
    if finding is not None:
        return likely_mistake(finding) or ""
    return "" if isinstance(error, (AssertionError, GradcheckError)) and "Error:" not in str(error) else None


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def real(fault: Fault, count: int | None = None) -> str:
    """How a fault shows on one of the inputs, by comparison with intact code; empty if it shows on none."""
    entries = fault.entries[:ENTRIES]
    share, choices = (count or INPUTS) // len(entries), 0
    first = [(entry, FEW, range(min(share, CHUNK))) for entry in entries]
    chunks = (range(start, min(start + CHUNK, share)) for start in range(CHUNK, share, CHUNK))
    for entry, structures, numbers in (*first, *((entry, STRUCTURES, c) for c in chunks for entry in entries)):
        found = _shown(fault, pool(entry, structures), numbers)
        if found and found != CHOICE:
            return found
        choices += bool(found)
    return CHOICE if choices else ""


def _shown(fault: Fault, inputs: Pool, numbers: range) -> str:
    """How a fault shows on one of some inputs, for all of which it is planted once."""
    intact, found = [inputs.intact(k) for k in numbers], ""
    try:
        with time_limit(TIME_LIMIT), fault.plant():
            for k, expected in zip(numbers, intact, strict=True):
                broken = outcome(*inputs.inputs(k), k)
                shown = difference(expected, broken)
                if shown.startswith("first") and _another_choice(inputs, k):
                    found = CHOICE
                elif shown:
                    return shown
    except Exception as error:
        return type(error).__name__
    return found


CHOICE = "another derivative where there are two"


def difference(intact: Outcome, broken: Outcome) -> str:
    """The first difference of two outcomes; empty if all finite and defined values agree."""
    if intact.failed:
        return ""
    if broken.failed:
        return f"raises {broken.failed}"
    if len(intact.numbers) != len(broken.numbers):
        return "other gradients"
    for i, (x, y) in enumerate(zip(intact.numbers, broken.numbers, strict=True)):
        which = "first" if i < intact.first else "second"
        if x is None and y is None:
            continue
        if x is None or y is None:  # None stands for zeros
            z = np.zeros_like(x if y is None else y)
            x, y = (z if x is None else x), (z if y is None else y)
        if x.shape != y.shape:
            return f"{which}: another shape"
        if x.size and _differ(x, y):
            return f"{which}: other numbers"
    if intact.facts != broken.facts:
        return "other facts"
    return ""


def _differ(x: Any, y: Any) -> bool:
    known = np.isfinite(x)
    if not known.any():
        return False
    close = CLOSE if x.dtype == np.float64 and y.dtype == np.float64 else CLOSE_IN_FLOAT32
    tolerance = close * (np.abs(x[known]).max() + (1e-3 if x.dtype == np.float64 else 1e-2))
    gap = np.abs(y[known] - x[known])
    return not bool(gap.max() <= tolerance)


def _another_choice(inputs: Pool, k: int) -> bool:
    try:
        return another_choice(inputs, k)
    except MicrogadError:  # the function refuses the inputs beside the kink
        return False


def another_choice(inputs: Pool, k: int) -> bool:
    """Whether, at a kink, the faulty derivative of each output lies between the one-sided ones, so that it is as good.

    The directions are those of each element of an input, and of all elements together.
    """
    function, tensors = inputs.inputs(k)
    wanted = list({id(x): x for x in tensors if isinstance(x, Tensor) and x.requires_grad}.values())
    for x in wanted:
        x.array = x.array.astype(np.float64)
    values = _flat(function, tensors)
    if not values.size or not wanted or not np.isfinite(values).all():
        return False
    jacobian = _jacobian(function, tensors, wanted, values.size)
    offsets = np.cumsum([0, *(x.numel() for x in wanted)])
    directions = [
        *np.eye(offsets[-1])[:32],
        np.ones(offsets[-1]),
        np.where(np.arange(offsets[-1]) < offsets[1], 1.0, 0.0),
    ]
    kinks = 0
    for v in directions:
        parts = [v[a:b].reshape(x.array.shape) for a, b, x in zip(offsets, offsets[1:], wanted, strict=False)]
        up, down = (_moved(function, tensors, wanted, parts, h) for h in (1e-6, -1e-6))
        above, below, written = (up - values) / 1e-6, (values - down) / 1e-6, jacobian @ v
        if not (np.isfinite(above).all() and np.isfinite(below).all()):
            return False
        slack = 1e-4 * (1 + np.abs(above) + np.abs(below))
        if ((written < np.minimum(above, below) - slack) | (written > np.maximum(above, below) + slack)).any():
            return False
        kinks += int((np.abs(above - below) > slack).any())
    return kinks > 0


def _flat(function: Any, inputs: list[Any]) -> Any:
    torch.manual_seed(0)
    found = function(*inputs)
    found = found if isinstance(found, (tuple, list)) else (found,)
    arrays = [y.array.reshape(-1) for y in found if y.array.dtype.kind == "f"]
    return np.concatenate(arrays) if arrays else np.zeros(0)


def _moved(function: Any, inputs: list[Any], wanted: list[Any], parts: list[Any], h: float) -> Any:
    there = {id(x): Tensor._wrap(x.array + h * d) for x, d in zip(wanted, parts, strict=True)}
    return _flat(function, [there.get(id(x), x) for x in inputs])


def _jacobian(function: Any, inputs: list[Any], wanted: list[Any], m: int) -> Any:
    """The Jacobian matrix (m, n) of all flat outputs for all flat inputs."""
    torch.manual_seed(0)
    found = function(*inputs)
    found = found if isinstance(found, (tuple, list)) else (found,)
    outs = [y for y in found if y.array.dtype.kind == "f"]
    rows = np.zeros((m, sum(x.numel() for x in wanted)))
    start = 0
    for y in outs:
        for j in range(y.numel()):
            if y.requires_grad:
                one = np.zeros(y.array.shape)
                one.reshape(-1)[j] = 1
                grads = torch.autograd.grad(y, wanted, torch.tensor(one), retain_graph=True, allow_unused=True)
                flat = [
                    np.zeros(x.numel()) if g is None else g.array.reshape(-1)
                    for x, g in zip(wanted, grads, strict=True)
                ]
                rows[start + j] = np.concatenate(flat)
        start += y.numel()
    return rows

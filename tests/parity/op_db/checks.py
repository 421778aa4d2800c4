"""The checks of each op of PyTorch's operator database: programs that both libraries run."""

from __future__ import annotations

import contextlib
import math
import random
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import mock

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_utils import noncontiguous_like
from torch.testing._internal.opinfo import core
from torch.testing._internal.opinfo.core import SampleInput

from .compare import Different, same
from .exceptions import LEFT_OUT, SLACK, UNDEFINED
from .programs import Call, flat, forward, gradgrad, gradient, inplace, memory, name_of, out
from .swap import Copies, Swapped, Unsupported, microgad_function, swapped_function

DTYPES = ("float32", "float64", "complex64", "complex128", "int64", "bool")
REFERENCE = ("float32", "float64", "int64")  # dtypes of the reference inputs, which have extreme values and more shapes
SAMPLES = 8  # for an op and a dtype of REFERENCE; each has others
FEWER_SAMPLES = 4  # for its second derivatives, for each other form of the call, and of other dtypes
SAME_CLASS = "the class of torch's error"  # a value of Check.raises
T = TypeVar("T")
LARGE = 1000  # the most elements that a Tensor of the reference inputs may have
HUGE = 100_000  # the most elements that a Tensor may have without --thorough


@dataclass
class Failure:
    """A check that microgad doesn't pass."""

    check: str
    reason: str
    sample: SampleInput | None = None
    trace: str = ""
    missing: bool = False  # microgad doesn't have the op at all

    def __str__(self) -> str:
        return f"{self.check}: {self.reason}" + (f"   [{summarize(self.sample)}]" if self.sample else "")


@dataclass
class Check:
    """A program, the functions of torch and microgad that it calls, and a sample with their arguments.

    If `raises` is set and torch raises, microgad has to raise that class (SAME_CLASS: the class of torch's error). If
    it isn't set, an error of torch proves nothing.
    """

    name: str
    program: Callable[[Any, Call], Any]
    functions: tuple[Any, Any]
    sample: SampleInput
    requires_grad: bool = False
    raises: Any = None
    call: Any = Call  # makes a library's arguments from the sample and its Copies

    def failure(self, slack: float = 1, values: bool = True) -> Failure | None:
        """Run the program in both libraries, and return what is wrong."""
        try:
            theirs, ours = (self.call(self.sample, copies(self.requires_grad)) for copies in (Copies, Swapped))
        except Unsupported:
            return None
        except Exception as error:
            return self.make_failure(f"argument: {describe(error)}", error)
        try:
            expected = self.program(self.functions[0], theirs)
        except Exception as error:
            return self.error_failure(ours, error) if self.raises else None
        try:
            same(expected, self.program(self.functions[1], ours), slack=slack, values=values)
        except Unsupported:
            return None
        except Different as error:
            return self.make_failure(str(error))
        except Exception as error:
            return self.make_failure(describe(error), error)
        return None

    def error_failure(self, ours: Call, expected: Exception) -> Failure | None:
        try:
            self.program(self.functions[1], ours)
        except type(expected) if self.raises is SAME_CLASS else self.raises as error:  # noqa: B030
            return None if str(error) else self.make_failure(f"{type(error).__name__} without a message")
        except Exception as error:
            return self.make_failure(f"{describe(error)}, where torch has {describe(expected)}", error)
        return self.make_failure(f"nothing raised, where torch has {describe(expected)}")

    def make_failure(self, reason: str, error: Exception | None = None) -> Failure:
        trace = "".join(traceback.format_exception(error, limit=-4)) if error else ""
        missing = isinstance(error, AttributeError) and self.name.startswith("forward")
        return Failure(self.name, reason, self.sample, trace, missing)


class OpChecks:
    """All checks of an op."""

    def __init__(self, op: Any, dtypes: tuple[str, ...] = DTYPES, thorough: bool = False) -> None:
        self.op = op
        supported = set(map(name_of, op.supported_dtypes("cpu")))
        self.dtypes = [t for t in dtypes if t in supported]
        self.differentiable = set(map(name_of, op.supported_backward_dtypes("cpu"))) if op.supports_autograd else set()
        self.max_samples, self.fewer_samples = (None, None) if thorough else (SAMPLES, FEWER_SAMPLES)

    def failures(self) -> Iterator[Failure]:
        """The first failure of each check, as soon as it is found."""
        name = self.op.name
        slack, values = SLACK.get(name, (1, ""))[0], name not in UNDEFINED
        return first_failures(self.checks(), LEFT_OUT.get(name, {}), lambda check: check.failure(slack, values))

    def checks(self) -> Iterator[Check | Failure]:
        op = self.op
        try:
            ours = swapped_function(op.op)
            functions = op.op, microgad_function(op.name) if ours is op.op else ours
        except AttributeError as error:
            yield Failure("forward", str(error), missing=True)
            return
        made = {}
        for dtype in self.dtypes:
            made[dtype] = samples = self.samples(op.sample_inputs_func, dtype)
            yield from (Check(f"forward {dtype}", forward, functions, sample) for sample in samples)
            if op.reference_inputs_func is not None and (dtype in REFERENCE or self.max_samples is None):
                for sample in filter(has_ordinary_values, self.samples(op.reference_inputs_func, dtype)):
                    yield Check(f"forward {dtype} reference", forward, functions, sample)
            if dtype in ("float64", "complex128") and dtype in self.differentiable:
                yield from self.derivatives(dtype, functions, samples)
        if not self.dtypes:
            return
        dtype = "float64" if "float64" in self.dtypes else self.dtypes[0]
        samples = made[dtype]
        for sample in samples:
            with contextlib.suppress(Exception):  # torch can't copy a sample that holds no Tensor
                yield Check("forward noncontiguous", forward, functions, sample.noncontiguous())
        yield from self.variants(functions, spread(samples, self.fewer_samples), dtype in self.differentiable)
        yield from self.errors(functions)
        yield from self.non_tensors(functions, samples[:1])

    def derivatives(self, dtype: str, functions: Any, samples: list[SampleInput]) -> Iterator[Check]:
        for sample in samples:
            yield Check(f"gradient {dtype}", gradient, functions, sample, requires_grad=True)
        few = self.fewer_samples if dtype == "float64" else self.fewer_samples and self.fewer_samples // 2
        for sample in spread(samples, few):
            noncontiguous = sample.noncontiguous()
            yield Check(f"gradient {dtype} noncontiguous", gradient, functions, noncontiguous, requires_grad=True)
            if self.op.supports_gradgrad:
                yield Check(f"gradgrad {dtype}", gradgrad, functions, sample, requires_grad=True)

    def variants(self, functions: Any, samples: list[SampleInput], differentiable: bool) -> Iterator[Check | Failure]:
        """Check the op's other functions, its shared memory and `out=`."""
        op = self.op
        for name, theirs, path in self.variant_functions():
            try:
                both = theirs, microgad_function(path) if path else swapped_function(theirs)
            except AttributeError as error:
                yield Failure(name, str(error))
                continue
            for sample in samples:
                if "in place" not in name:
                    yield Check(name, forward, both, sample)
                    continue
                yield Check(name, inplace, both, sample, raises=Exception)
                if differentiable and op.supports_inplace_autograd:
                    of_copies = tuple(map(with_cloned_input, both))
                    yield Check(f"{name} gradient", gradient, of_copies, sample, requires_grad=True)
        for sample in samples:
            yield Check("memory", memory, functions, sample)
            if op.supports_out:
                yield from self.out(functions, sample)

    def variant_functions(self) -> Iterator[tuple[str, Any, str]]:
        """The check's name, torch's function, and the name of microgad's if it can't be found by torch's function."""
        op = self.op
        for alias in op.aliases:
            yield f"alias {alias.name}", alias.op, alias.name
        for name, of in [("", op), *((f" {alias.name}", alias) for alias in op.aliases)]:
            if of.method_variant is not None:
                yield f"method{name}", of.method_variant, ""
            if of.inplace_variant is not None:
                yield f"in place{name}", of.inplace_variant, ""
        if op.operator_variant is not None:
            yield "operator", op.operator_variant, ""
        if op.inplace_operator_variant is not None:
            yield "operator in place", op.inplace_operator_variant, ""

    def out(self, functions: Any, sample: SampleInput) -> Iterator[Check]:
        """Check `out=` with noncontiguous Tensors of the result's dtype, of float32 and of int64."""
        try:
            results = Call(sample, Copies(requires_grad=False))(functions[0])
            tensors = results if isinstance(results, tuple) else (results,)
            like_results = [noncontiguous_like(torch.ones_like(t)) for t in tensors]
        except Exception:
            return
        for dtype in (None, torch.float32, torch.int64):
            outs = [t.to(dtype) if dtype and t.dtype == torch.float64 else t for t in like_results]
            kwargs = {**sample.kwargs, "out": tuple(outs) if isinstance(results, tuple) else outs[0]}
            with_out = SampleInput(sample.input, args=sample.args, kwargs=kwargs)
            kind = f" {name_of(dtype)}" if dtype else ""
            yield Check(f"out{kind}", out, functions, with_out, raises=Exception if dtype == torch.int64 else None)

    def errors(self, functions: Any) -> Iterator[Check]:
        with contextlib.suppress(Exception):  # torch fails to make some of its own error inputs
            for error in self.op.error_inputs_func(self.op, "cpu"):
                if self.op.name.startswith("__") and not isinstance(error.sample_input.input, torch.Tensor):
                    continue  # Python raises the error: the method's object is no Tensor
                yield Check("errors", forward, functions, error.sample_input, raises=error.error_type)

    def non_tensors(self, functions: Any, samples: list[SampleInput]) -> Iterator[Check]:
        """Check the errors for a list, None and a str in place of each Tensor."""
        for sample in samples:
            operands = sample.input, *sample.args
            for i, x in enumerate(operands):
                if not isinstance(x, torch.Tensor) or (i == 0 and is_method(functions[0])):
                    continue  # Python raises the error: the method's object is no Tensor
                for wrong in ([1.0], None, "a"):
                    first, *rest = (*operands[:i], wrong, *operands[i + 1 :])
                    called = SampleInput(first, args=tuple(rest), kwargs=sample.kwargs)
                    yield Check("no Tensor", forward, functions, called, raises=SAME_CLASS)

    def samples(self, source: Any, dtype: str) -> list[SampleInput]:
        """All samples of `source`; without --thorough the first one and a seeded choice."""
        seed_all()
        samples = []
        make = torch.testing.make_tensor if self.max_samples is None else make_small
        # torch fails to make some of its own samples
        with contextlib.suppress(Exception), mock.patch.object(core, "make_tensor", make):
            samples.extend(source(self.op, "cpu", getattr(torch, dtype), dtype in self.differentiable))
        if self.op.name.startswith("__"):  # Python looks up a method on the object, so it must be a Tensor
            samples = [sample for sample in samples if isinstance(sample.input, torch.Tensor)]
        if self.max_samples is not None:
            samples = [sample for sample in samples if fits(sample, HUGE)]
        if source is self.op.reference_inputs_func:
            samples.sort(key=is_finite)  # the first one, which is always chosen, has infinities if any has
        return seeded_choice(samples, self.max_samples if dtype in REFERENCE else self.fewer_samples, dtype)


def first_failures(
    checks: Iterable[Check | Failure], left_out: Iterable[str], run: Callable[[Check], Failure | None]
) -> Iterator[Failure]:
    """Yield the first failure of each check name, without names that start with one in `left_out`."""
    failed, left_out = set(), tuple(left_out)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for check in checks:
            name = check.check if isinstance(check, Failure) else check.name
            if name in failed or name.startswith(left_out):
                continue
            failure = check if isinstance(check, Failure) else run(check)
            if failure:
                failed.add(name)
                yield failure
                if failure.missing:
                    return


def seed_all() -> None:
    """Seed all generators that samples are drawn with."""
    for seed in (random.seed, np.random.seed, torch.default_generator.manual_seed):
        seed(0)


def make_small(*shape: Any, **settings: Any) -> torch.Tensor:
    """Make a Tensor as `make_tensor` does, but cut off sizes that make it huge: the reference inputs have many such.

    A million random numbers take longer than all checks of an op, which would leave out that Tensor.
    """
    sizes = shape[0] if shape and not isinstance(shape[0], int) else shape
    cut = sizes if math.prod(sizes) <= HUGE else [min(n, 30) for n in sizes]
    return torch.testing.make_tensor(cut, **settings)


def seeded_choice(samples: list[T], max_samples: int | None, seed: int | str = 0) -> list[T]:
    """The first sample and a seeded choice of the others, at most `max_samples` in all."""
    if max_samples is None or len(samples) <= max_samples:
        return samples
    chosen = sorted(random.Random(seed).sample(range(1, len(samples)), max_samples - 1))
    return [samples[0], *(samples[i] for i in chosen)]


def is_method(f: Any) -> bool:
    return getattr(torch.Tensor, getattr(f, "__name__", ""), None) is f


def tensors_of(sample: SampleInput) -> list[torch.Tensor]:
    return list(flat((sample.input, sample.args, sample.kwargs), torch.Tensor))


def has_ordinary_values(sample: SampleInput) -> bool:
    """Whether a sample is small and has no complex infinities, for which C++ and C compilers give different results."""
    return fits(sample, LARGE) and all(t.isfinite().all() for t in tensors_of(sample) if t.is_complex())


def is_finite(sample: SampleInput) -> bool:
    return all(t.isfinite().all() for t in tensors_of(sample))


def fits(sample: SampleInput, limit: int) -> bool:
    """Whether no Tensor of a sample has more than `limit` elements."""
    return all(t.numel() <= limit for t in tensors_of(sample))


def spread(samples: list[T], max_samples: int | None) -> list[T]:
    """The first sample, the last, and some evenly spaced between them."""
    if max_samples is None or len(samples) <= max_samples:
        return samples
    return [samples[i * (len(samples) - 1) // (max_samples - 1)] for i in range(max_samples)]


def with_cloned_input(f: Any) -> Any:
    """An in-place operation on a clone of its input: a leaf that requires grad can't be written to."""
    return lambda x, *args, **kwargs: f(x.clone(), *args, **kwargs)


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().split("\n")[0]


def summarize(sample: SampleInput) -> str:
    text = sample.summary().removeprefix("SampleInput(").partition(", broadcasts_input=")[0]
    for noise in (', device="cpu"', "dtype=torch.", "size="):
        text = text.replace(noise, "")
    return text if len(text) < 300 else text[:300] + "..."


def infos(selected: list[str] | None = None) -> list[Any]:
    """The entries of op_db with these names; a string that is no name selects the names that it is a prefix of."""
    names = {op.name for op in op_db}
    unknown = [s for s in selected or () if not any(name.startswith(s) for name in names)]
    if unknown:
        raise SystemExit(f"op_db has no name and no prefix {', '.join(unknown)}")
    return [
        op
        for op in op_db
        if not selected or any(op.name == s or (s not in names and op.name.startswith(s)) for s in selected)
    ]


def title(op: Any) -> str:
    """The op's name and variant."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name

"""The checks of each layer of torch.nn: programs that both libraries run."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

import microgad
from tests.parity.op_db.checks import Check, Failure, describe, first_failures, seed_all, seeded_choice, spread
from tests.parity.op_db.compare import Different, same
from tests.parity.op_db.programs import gradgrad, gradient
from tests.parity.op_db.swap import Copies, Swapped

from .cases import CASES
from .exceptions import LEFT_OUT, NORMAL, SLACK
from .programs import Built, FromTorchState, Sample, arguments, attributes, called, copied, lazy, printed, run, state
from .scope import OUT_OF_SCOPE

DTYPES = ("float32", "float64", "complex128", "float16")
STORED = ("float64", "complex128")  # dtypes of copies and of state_dicts: neither is the default, which a bug may give
SAMPLES = 8  # for a layer, a dtype and a mode
FEWER_SAMPLES = 3  # for second derivatives, copies and noncontiguous arguments
STATE_SLACK = 0.05  # the factor on the tolerances for normal initial values
NAMES = {f"nn.{name}" for name in torch.nn.modules.__all__ if not name.endswith("Options")}


@dataclass
class StateExchange(Check):
    """microgad's layer loads a state_dict of torch's and gives its results, and the other way round."""

    def failure(self, slack: float = 1, values: bool = True) -> Failure | None:
        try:
            theirs, ours = (Built(self.sample, copies(), seed) for copies, seed in ((Copies, 1), (Swapped, 2)))
            fresh = Built(self.sample, Copies(), 3)
            first, expected = copy.deepcopy(theirs.module.state_dict()), theirs(called)
        except Exception:
            return None
        if lazy(fresh.module):
            return None
        try:
            arrays = {name: microgad.from_numpy(t.numpy().copy()) for name, t in first.items()}
            ours.module.load_state_dict(arrays)
            same(expected, ours(called), "with torch's state: result", slack)
            same(dict(theirs.module.state_dict()), dict(ours.module.state_dict()), "with torch's state: state", slack)
            back = {name: torch.from_numpy(t.numpy().copy()) for name, t in ours.module.state_dict().items()}
            fresh.module.load_state_dict(back)
            again = Built(self.sample, Swapped())  # another copy of the arguments
            again.module = ours.module
            same(fresh(called), again(called), "with microgad's state: result", slack)
        except Different as error:
            return self.make_failure(str(error))
        except Exception as error:
            return self.make_failure(describe(error), error)
        return None


class LayerChecks:
    """All checks of a layer, with its entries in module_db and in cases.py."""

    def __init__(self, name: str, dtypes: tuple[str, ...] = DTYPES, thorough: bool = False) -> None:
        self.name, self.cls = name, getattr(torch.nn, name.removeprefix("nn."))
        self.infos = [info for info in (*module_db, *CASES) if info.module_cls is self.cls]
        self.dtypes = dtypes
        self.max_samples, self.fewer_samples = (None, None) if thorough else (SAMPLES, FEWER_SAMPLES)

    def failures(self) -> Iterator[Failure]:
        """The first failure of each check, as soon as it is found."""
        return first_failures(
            self.checks(), LEFT_OUT.get(self.name, {}), lambda check: check.failure(self.slack(check))
        )

    def slack(self, check: Check) -> float:
        if check.name.partition(" ")[0] in ("state", "factory"):
            return STATE_SLACK if self.name in NORMAL else 0
        return SLACK.get(self.name, (1, ""))[0]

    def checks(self) -> Iterator[Check | Failure]:
        yield from self.signature()
        for info in self.infos:
            dtypes = [t for t in self.dtypes if getattr(torch, t) in info.dtypes]
            for dtype in dtypes:
                for training in (True, False) if info.train_and_eval_differ else (True,):
                    samples = self.samples(info, dtype, training)
                    if dtype == dtypes[0] or self.max_samples is None:
                        yield from self.made(dtype, samples)
                    yield from self.called(info, dtype, samples)
                    yield from self.errors(info, dtype, training)

    def signature(self) -> Iterator[Failure]:
        """Compare the signatures of the constructors."""
        try:
            ours = getattr(microgad.nn, self.cls.__name__)
        except AttributeError as error:
            yield Failure("layer", str(error), missing=True)
            return
        try:
            same(arguments(self.cls), arguments(ours), "arguments")
        except Different as error:
            yield Failure("arguments", str(error))

    def made(self, dtype: str, samples: list[Sample]) -> Iterator[Check]:
        """The checks that depend on the dtype little or not at all: the results' dtypes are checked in each."""
        for sample in samples:
            yield check("repr", printed, sample)
            yield check("attributes", attributes, sample)
            if self.name not in NORMAL or dtype == "float32":
                yield check(f"state {dtype}", state, sample, call=Built)
        for sample in spread(samples, self.fewer_samples):
            with contextlib.suppress(Exception):  # torch can't copy a sample that holds no Tensor
                yield check(f"forward {dtype} noncontiguous", run, sample.noncontiguous())

    def called(self, info: Any, dtype: str, samples: list[Sample]) -> Iterator[Check]:
        for sample in samples:
            yield check(f"forward {dtype}", run, sample)
            if dtype in ("float64", "complex128"):
                yield check(f"gradient {dtype}", gradient, sample, requires_grad=True)
        for sample in spread(samples, self.fewer_samples):
            if dtype in STORED:
                yield check(f"copies {dtype}", copied, sample)
                yield StateExchange(f"state_dict {dtype}", called, (called, called), sample)
            if "dtype" in {name for name, *_ in arguments(self.cls)} and dtype == "float64":
                factory = {"dtype": torch.float64, "device": torch.device("cpu")}
                yield check("factory", state, replace(sample, factory=factory), call=Built)
            if dtype == "float64" and info.supports_gradgrad:
                yield check(f"gradgrad {dtype}", gradgrad, sample, requires_grad=True)

    def errors(self, info: Any, dtype: str, training: bool) -> Iterator[Check]:
        if info.module_error_inputs_func is None:
            return
        for error in info.module_error_inputs_func(info, "cpu", getattr(torch, dtype), False, training):
            sample = Sample.of(self.cls, error.module_error_input, getattr(torch, dtype), training)
            program = state if error.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR else run
            yield check("errors", program, sample, raises=error.error_type)

    def samples(self, info: Any, dtype: str, training: bool) -> list[Sample]:
        """All samples; without --thorough the first one and a seeded choice."""
        seed_all()
        inputs = info.module_inputs_func(info, "cpu", getattr(torch, dtype), True, training)
        samples = [Sample.of(self.cls, each, getattr(torch, dtype), training) for each in inputs]
        return seeded_choice(samples, self.max_samples)


def check(name: str, program: Any, sample: Sample, **settings: Any) -> Check:
    call = FromTorchState if f"nn.{sample.cls.__name__}" in NORMAL else Built
    return Check(name, program, (called, called), sample, **{"call": call, **settings})


def selected(names: list[str]) -> list[str]:
    """The layers with these names and prefixes; without any, all that are in scope."""
    found = [n for n in sorted(NAMES) if (n not in OUT_OF_SCOPE if not names else n in names)]
    for prefix in names:
        if prefix not in NAMES:
            matching = [n for n in sorted(NAMES) if n.startswith(prefix)]
            if not matching:
                raise SystemExit(f"torch.nn has no layer and no prefix {prefix}")
            found += matching
    return found

"""Which property test each Function has.

A test is a function that draws an example: what to call, and the Tensors to call it with. Those that require grad are
differentiated; settings (axis, stride, ...) are bound in the callable:

    from .registry import checks

    @checks(Sum)
    def test_sum(draw):
        x = draw(tensors())
        dim = draw(axes(x.ndim))
        return lambda x: torch.sum(x, dim), x

`checks` makes a hypothesis test of it: every example has to obey every law of `check_op` (first and second derivative
against differences, shapes, dtypes, nothing mutated, nothing aliased, ...), and over the run every class named in
`checks(...)` has to appear in a recorded graph, of the result or of its gradients; for a LinearMap so does its adjoint.

Functions without a derivative are held against a plain Python reference instead: `computes`.
test_every_function_is_tested.py fails for a class that has no entry here.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from microgad.function import Function
from microgad.function.linear_map import LinearMap
from microgad.testing.laws import gradients, op, values
from microgad.testing.laws.case import Case
from microgad.testing.laws.runner import Law, ThoroughnessSchedule, check_laws, for_all

REGISTRY: dict[type[Function], list[Entry]] = {}
WHOLLY = 25  # examples that every law is held against; what costs much is held against some of the rest


class Entry:
    """The property test of some Functions: where its examples come from, and the law that each has to obey."""

    def __init__(
        self,
        name: str,
        examples: st.SearchStrategy[Case],
        classes: Sequence[type[Function]],
        law: Callable[[Case], set[type[Function]]],
    ) -> None:
        self.name, self.examples, self.classes, self.law = name, examples, classes, law
        for cls in classes:
            REGISTRY.setdefault(cls, []).append(self)

    def run(self) -> None:
        """Hold the law against many examples, among which every class has to appear: not of the stand-in's few."""
        recorded = self.hold()
        if stands_in():
            return
        adjoints = [cls.transposed for cls in self.classes if issubclass(cls, LinearMap)]
        absent = sorted(cls.__name__ for cls in {*self.classes, *adjoints} - recorded)
        assert not absent, f"{self.name} never recorded {', '.join(absent)}: {sorted(cls.__name__ for cls in recorded)}"

    def hold(self, **options: Any) -> set[type[Function]]:
        """Hold the law against many examples; gives the classes that were recorded.

        Options are hypothesis's settings, where they aren't the profile's.
        """
        recorded: set[type[Function]] = set()
        schedule = ThoroughnessSchedule(WHOLLY)

        def every_example_obeys(case: Case) -> None:
            with schedule.running(case):
                recorded.update(self.law(case))

        for_all(self.name, self.examples, every_example_obeys, **options)
        return recorded


def obeys_laws(case: Case, *, laws: Sequence[Law[Case]] = op.LAWS) -> set[type[Function]]:
    """Hold every law of an operation against an example; gives the classes that were recorded."""
    laws = on_the_stand_in(laws)
    case.evaluate_all()  # here, where a warning is an error
    check_laws(case, laws)
    return case.classes


def computes_as(case: Case) -> set[type[Function]]:
    """Hold the laws against an example of a Function without derivative; gives the classes that were called."""
    assert not any(y.requires_grad for y in case.results)
    check_laws(case, on_the_stand_in(op.LAWS))
    return {type(node) for node, _, _ in case.calls.seen}


def on_the_stand_in(laws: Sequence[Law[Case]]) -> Sequence[Law[Case]]:
    """Of the laws those of devices, where a run is on the stand-in for CuPy: another run holds the others."""
    return [law for law in laws if law in (gradients.shapes, values.devices)] if stands_in() else laws


def stands_in() -> bool:
    """Whether this run is on the stand-in for CuPy."""
    return getattr(sys.modules.get("cupy"), "is_stand_in", False)


def checks(*classes: type[Function], float32: bool = True) -> Callable[[Callable[..., Any]], Callable[[], None]]:
    """Make a function that draws `(callable, *inputs)` the property test of the Functions named.

    `float32=False` leaves out that float32 inputs give float32 results.
    """
    laws = [law for law in op.LAWS if float32 or law is not values.float32]

    def decorate(example: Callable[..., Any]) -> Callable[[], None]:
        cases = st.composite(lambda draw: _case(*example(draw)))()
        entry = Entry(example.__name__, cases, classes, functools.partial(obeys_laws, laws=laws))
        return _test(example.__name__, entry)

    return decorate


def computes(cls: type[Function], function: Callable[..., Any], reference: Callable[..., Any], inputs: Any) -> Entry:
    """Hold a Function without derivative against a reference that works on arrays; `inputs` is a strategy of tuples."""

    def case(drawn: Sequence[Any]) -> Case:
        made = _case(function, *drawn)
        made.reference = reference
        return made

    return Entry(cls.__name__, inputs.map(case), [cls], computes_as)


def _case(function: Callable[..., Any], *inputs: Any) -> Case:
    return Case(getattr(function, "__name__", type(function).__name__), function, inputs)


def _test(name: str, entry: Entry) -> Callable[[], None]:
    def test() -> None:
        entry.run()

    test.__name__ = test.__qualname__ = name
    test.entry = entry  # type: ignore[attr-defined]
    return test

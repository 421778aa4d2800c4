"""Which property test each Function has.

A test is a function that draws an example: what to call, and the Tensors to call it with. Those that require grad are
differentiated; settings (axis, stride, ...) are bound in the callable:

    from .registry import checks

    @checks(Sum)
    def test_sum(draw):
        x = draw(tensors())
        dim = draw(axes(x.ndim))
        return lambda x: torch.sum(x, dim), x

`checks` makes a hypothesis test of it. Every example must obey every law of `check_op`: first and second derivatives
agree with differences, shapes and dtypes are right, nothing is mutated or aliased, and so on. Among all examples of a
run, every class named in `checks(...)`, and the adjoint of every LinearMap, must appear in the graph of a result or of
a gradient.

Functions without a derivative are compared with a reference in plain Python instead: `computes`.
test_every_function_is_tested.py fails for a class that has no entry here.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from microgad.function import Function
from microgad.function.linear_map import LinearMap
from microgad.testing.laws import gradients, op, values
from microgad.testing.laws.case import Case
from microgad.testing.laws.runner import Law, ThoroughnessSchedule, check_laws, for_all
from microgad.testing.strategies import shapes, tensors

REGISTRY: dict[type[Function], list[Entry]] = {}
THOROUGH = 4  # examples that are checked by every law, 1 in a run of few; expensive laws check only some of the others
REACHING = 20  # examples, among which every class of a test must appear


class Entry:
    """The property test of some Functions: a strategy for its examples, and the check of one example."""

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
        """Check many examples, in whose graphs every class must appear; in the few of a further run it needn't."""
        recorded = self.check()
        if settings().max_examples < REACHING:
            return
        adjoints = [cls.transposed for cls in self.classes if issubclass(cls, LinearMap)]
        absent = sorted(cls.__name__ for cls in {*self.classes, *adjoints} - recorded)
        assert not absent, f"{self.name} never recorded {', '.join(absent)}: {sorted(cls.__name__ for cls in recorded)}"

    def check(self, **options: Any) -> set[type[Function]]:
        """Check many examples, and return the classes that were recorded.

        Options are settings of hypothesis that differ from the profile's.
        """
        recorded: set[type[Function]] = set()
        few = settings(**options).max_examples < REACHING
        schedule = ThoroughnessSchedule(1 if few else THOROUGH)

        def every_example_obeys(case: Case) -> None:
            with schedule.running(case):
                recorded.update(self.law(case))

        for_all(self.name, self.examples, every_example_obeys, **options)
        return recorded


def obeys_laws(case: Case, *, laws: Sequence[Law[Case]] = op.LAWS) -> set[type[Function]]:
    """Check that an example obeys every law, and return the classes that were recorded."""
    laws = laws_of_this_run(laws)
    case.evaluate_all()  # before the laws, since warnings are errors here
    check_laws(case, laws)
    return case.classes


def computes_as(case: Case) -> set[type[Function]]:
    """Check that a Function without derivative obeys the laws, and return the classes that were called."""
    assert not any(y.requires_grad for y in case.results)
    check_laws(case, laws_of_this_run(op.LAWS))
    return {type(node) for node, _, _ in case.operations.seen}


def laws_of_this_run(laws: Sequence[Law[Case]]) -> Sequence[Law[Case]]:
    """Select the laws of devices in a run on the stand-in for CuPy: the other laws are checked on the CPU."""
    return [law for law in laws if law in (gradients.shapes, values.devices)] if runs_on_stand_in() else laws


def runs_on_stand_in() -> bool:
    """Whether this run is on the stand-in for CuPy."""
    return getattr(sys.modules.get("cupy"), "is_stand_in", False)


def checks(*classes: type[Function], float32: bool = True) -> Callable[[Callable[..., Any]], Callable[[], None]]:
    """Turn a function that draws `(callable, *inputs)` into the property test of the named Functions.

    `float32=False` leaves out the law that float32 inputs give float32 results.
    """
    laws = [law for law in op.LAWS if float32 or law is not values.float32]

    def decorate(example: Callable[..., Any]) -> Callable[[], None]:
        cases = st.composite(lambda draw: _case(*example(draw)))()
        entry = Entry(example.__name__, cases, classes, functools.partial(obeys_laws, laws=laws))
        return _test(example.__name__, entry)

    return decorate


def checks_of_one_input(functions: dict[Any, tuple[Any, ...]]) -> list[Callable[[], None]]:
    """Make the property tests of Functions of one input, from the elements to draw and the functions that call it.

    A key is a Function or several. Functions whose name ends in _ are applied to a copy.
    """

    def example_of(name: str, elements: Any, *functions: Any) -> Callable[..., Any]:
        def example(draw: Any) -> Any:
            function = draw(st.sampled_from(functions))
            x = draw(tensors(shapes(min_side=0), elements=elements, requires_grad=True))
            return (lambda x: function(x.clone())) if function.__name__.endswith("_") else function, x

        example.__name__ = name
        return example

    keys = {key: key if isinstance(key, tuple) else (key,) for key in functions}
    return [checks(*classes)(example_of(classes[0].__name__, *functions[key])) for key, classes in keys.items()]


def computes(cls: type[Function], function: Callable[..., Any], reference: Callable[..., Any], inputs: Any) -> Entry:
    """Compare a Function without derivative with a reference for arrays; `inputs` is a strategy for tuples."""

    def with_reference(drawn: Sequence[Any]) -> Case:
        case = _case(function, *drawn)
        case.reference = reference
        return case

    return Entry(cls.__name__, inputs.map(with_reference), [cls], computes_as)


def _case(function: Callable[..., Any], *inputs: Any) -> Case:
    return Case(getattr(function, "__name__", type(function).__name__), function, inputs)


def _test(name: str, entry: Entry) -> Callable[[], None]:
    def test() -> None:
        entry.run()

    test.__name__ = test.__qualname__ = name
    test.entry = entry
    return test

"""Which property test each Function has.

A test is a function that draws an example: what to call, and the Tensors to call it with. Those that require grad are
differentiated; settings (axis, stride, ...) are bound in the callable:

    from .registry import checks

    @checks(Sum)
    def test_sum(draw):
        x = draw(tensors())
        dim = draw(axes(x.ndim))
        return lambda x: torch.sum(x, dim), x

`checks` makes a hypothesis test of it: every example has to obey every law in laws.py (first and second derivative
against differences, shapes, dtypes, nothing mutated, nothing aliased, ...), and over the run every class named in
`checks(...)` has to appear in a recorded graph, of the result or of its gradients; for a LinearMap so does its adjoint.
Elements have to stay 0.01 away from kinks and ties: what happens on them is said by tests of their own.

Functions without a derivative are held against a plain Python reference instead: `computes`.
test_every_function_is_tested.py fails for a class that has no entry here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from microgad.function import Function, LinearMap

from .laws import computes_as, obeys_laws

REGISTRY: dict[type[Function], list[Entry]] = {}


class Case:
    """One example: a callable, and what to call it with."""

    def __init__(self, function: Callable[..., Any], *inputs: Any) -> None:
        self.function, self.inputs = function, inputs

    def __repr__(self) -> str:
        layouts = [f"strides {x.array.strides}" for x in self.inputs if hasattr(x, "array")]
        return f"{getattr(self.function, '__name__', self.function)}{self.inputs!r} with {', '.join(layouts)}"


class Entry:
    """The property test of some Functions: where its examples come from, and the law that each has to obey."""

    def __init__(
        self,
        name: str,
        examples: st.SearchStrategy[Case],
        classes: Sequence[type[Function]],
        law: Callable[..., set[type]],
    ) -> None:
        self.name, self.examples, self.classes, self.law = name, examples, classes, law
        for cls in classes:
            REGISTRY.setdefault(cls, []).append(self)

    def run(self) -> None:
        """Hold the law against many examples, among which every class has to appear."""
        recorded = self.hold()
        adjoints = [cls.transposed for cls in self.classes if issubclass(cls, LinearMap)]
        absent = sorted(cls.__name__ for cls in {*self.classes, *adjoints} - recorded)
        assert not absent, f"{self.name} never recorded {', '.join(absent)}: {sorted(cls.__name__ for cls in recorded)}"

    def hold(self, **options: Any) -> set[type]:
        """Hold the law against many examples; gives the classes that were recorded.

        Options are hypothesis's settings, where they aren't the profile's.
        """
        recorded: set[type] = set()

        @settings(**options)
        @given(self.examples)
        def every_example_obeys(case: Case) -> None:
            recorded.update(self.law(case.function, case.inputs))

        every_example_obeys()
        return recorded


def checks(*classes: type[Function], **options: bool) -> Callable[[Callable[..., Any]], Callable[[], None]]:
    """Make a function that draws `(callable, *inputs)` the property test of the Functions named.

    Options are those of `laws.obeys_laws`.
    """

    def decorate(example: Callable[..., Any]) -> Callable[[], None]:
        cases = st.composite(lambda draw: Case(*example(draw)))()
        entry = Entry(example.__name__, cases, classes, functools.partial(obeys_laws, **options))
        return _test(example.__name__, entry)

    return decorate


def computes(cls: type[Function], function: Callable[..., Any], reference: Callable[..., Any], inputs: Any) -> Entry:
    """Hold a Function without derivative against a reference that works on arrays; `inputs` is a strategy of tuples."""
    examples = inputs.map(lambda drawn: Case(function, *drawn))
    return Entry(cls.__name__, examples, [cls], lambda function, inputs: computes_as(function, reference, inputs))


def _test(name: str, entry: Entry) -> Callable[[], None]:
    def test() -> None:
        entry.run()

    test.__name__ = test.__qualname__ = name
    test.entry = entry  # type: ignore[attr-defined]
    return test

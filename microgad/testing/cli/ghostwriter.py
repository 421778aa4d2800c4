"""Write a test file with a test for each Function of a module, to run as it is and to edit."""

from __future__ import annotations

import re
import site
import sysconfig
import textwrap
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ..laws.inferred_inputs import DOMAINS, Domain, InputInference
from ..laws.inferred_settings import infer_settings

WIDTH = 88  # of lines: the default of formatters
IMPORTS = {  # by the name that needs it
    "np": "import numpy as np",
    "st": "from hypothesis import strategies as st",
    "check_op": "from microgad.testing import check_op",
    "s": "from microgad.testing import strategies as s",
}
TAKEN = {"SCALES", *IMPORTS}


def write_tests(module: ModuleType, functions: Sequence[type[Any]]) -> str:
    """Return a pytest file in which each test checks a Function, or autograd.Function, of the module by every law.

    If the Function takes any shapes that broadcast, the inputs are written out. If not, check_op infers inputs that it
    accepts; if there are none, the test fails and says what to give.

    >>> print(write_tests(microgad.ops.elementwise, [microgad.ops.elementwise.Log]))
    \"""Property tests of the derivatives in microgad.ops.elementwise.\"""
    <BLANKLINE>
    from __future__ import annotations
    ...
    def test_log() -> None:
        check_op(
            elementwise.Log,
            s.tensors(elements=s.numbers(0.125, 3), scale=SCALES),
            reference=np.log,
        )
    <BLANKLINE>
    """
    package, _, last = module.__name__.rpartition(".")
    name = last if last not in TAKEN else "module"
    tests, names = [], set[str]()
    for function in functions:
        test = f"test_{_snake(function.__name__)}"
        test = next(n for n in chain([test], (f"{test}_{i}" for i in count(2))) if n not in names)
        names.add(test)
        tests.append(f"\n\ndef {test}() -> None:\n{_body(function, name)}")
    body = "".join(tests)
    if "SCALES" in body:
        body = f"\nSCALES = st.sampled_from([1.0, 8.0])  # some functions are flat at large values\n{body}"
    imports = [line for used, line in IMPORTS.items() if re.search(rf"\b{used}[.(]", body)]
    own = f"{f'from {package} ' if package else ''}import {last}{f' as {name}' if name != last else ''}"
    blocks = [[*imports, own]] if _is_installed(module) else [imports, [own]]
    lines = "\n\n".join("\n".join(sorted(block, key=_sort_key)) for block in blocks)
    title = f'"""Property tests of the derivatives in {module.__name__}."""'
    return f"{title}\n\nfrom __future__ import annotations\n\n{lines}\n{body}"


def _sort_key(line: str) -> tuple[bool, str, str]:
    """Return the sort key of an import: `import` before `from`, then the module's name, ignoring case."""
    kind, name, *rest = line.split()
    return kind == "from", name.lower(), " ".join(rest)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _is_installed(module: ModuleType) -> bool:
    """Whether a module is third-party: those of the current project are imported in a block of their own."""
    file = Path(module.__file__ or "").resolve()
    homes = [sysconfig.get_paths()["purelib"], *site.getsitepackages()]
    return any(file.is_relative_to(home) for home in homes) or not file.is_relative_to(Path.cwd())


def _body(op: type[Any], module: str) -> str:
    """Return the body of a test."""
    name = f"{module}.{op.__name__}"
    try:
        settings = infer_settings(op, op.__name__, {})
        if settings:
            return _commented(f"check_op draws {', '.join(settings)}, and inputs that go with that.") + _call(name)
        inference = InputInference(op, op.__name__)
        domains = inference.of_any_shapes(op.apply)
        if domains is None:
            inference.inputs(op.apply, {})  # raises an error where nothing is accepted
            return _commented("check_op draws shapes that it accepts.") + _call(name)
    except ArgumentError as error:
        return _commented(str(error)) + _call(name)
    return _check_op_call(name, domains, _reference(op))


def _commented(text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - 6)
    return "".join(f"    # {line}\n" for line in lines)


def _call(*arguments: str) -> str:
    return _wrapped("check_op(", arguments, ")")


def _wrapped(start: str, items: Sequence[str], end: str) -> str:
    """Return a statement as formatters lay it out: on one line, or else with a line for each item."""
    line = f"    {start}{', '.join(items)}{end}\n"
    if len(line) <= WIDTH:
        return line
    return f"    {start}\n" + "".join(f"        {item},\n" for item in items) + f"    {end}\n"


def _check_op_call(name: str, domains: Sequence[Domain], reference: list[str]) -> str:
    """Return a call of check_op with Tensors that broadcast, with values of these domains."""
    elements = [_numbers(domain) for domain in domains]
    scale = ["scale=SCALES"] if all(domain.scaled for domain in domains) else []
    if len(domains) == 1:
        return _call(name, f"s.tensors({', '.join([f'elements={elements[0]}', *scale])})", *reference)
    strategy = f"s.broadcastable_tensors({', '.join([str(len(domains)), 'elements=elements', *scale])})"
    return _wrapped("elements = [", elements, "]") + _call(name, strategy, *reference)


def _numbers(domain: Domain) -> str:
    limits = [] if domain[:2] == DOMAINS[0][:2] else [f"{domain.low:g}", f"{domain.high:g}"]
    return f"s.numbers({', '.join([*limits, *([] if domain.zero else ['away_from=[0]'])])})"


def _reference(op: type[Any]) -> list[str]:
    """Return the argument `reference` with the ufunc of a Function, if it takes the same inputs."""
    ufunc = getattr(op, "numpy", None)
    if not isinstance(ufunc, np.ufunc) or ufunc.nin != len(op.inputs):
        return []
    name = ufunc.__name__
    return [f"reference=np.{name}"] if vars(np).get(name) is ufunc else []

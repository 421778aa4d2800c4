"""Writing tests: a file with one for each Function of a module, to run as it is and to change."""

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

WIDTH = 88  # of lines: what formatters have by default
IMPORTS = {  # by the name that is used
    "np": "import numpy as np",
    "st": "from hypothesis import strategies as st",
    "check_op": "from microgad.testing import check_op",
    "s": "from microgad.testing import strategies as s",
}
TAKEN = {"SCALES", *IMPORTS}


def written(module: ModuleType, functions: Sequence[type[Any]]) -> str:
    """A file of tests for pytest: each holds a Function, or autograd.Function, of the module against every law.

    Where the Function takes whatever broadcasts, the inputs are written out; where not, check_op draws what it accepts,
    and if there is nothing, the test fails and says what to give.

    >>> print(written(microgad.ops.elementwise, [microgad.ops.elementwise.Log]))
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
        body = f"\nSCALES = st.sampled_from([1.0, 8.0])  # far out, some functions are flat\n{body}"
    imports = [line for used, line in IMPORTS.items() if re.search(rf"\b{used}[.(]", body)]
    theirs = f"{f'from {package} ' if package else ''}import {last}{f' as {name}' if name != last else ''}"
    blocks = [[*imports, theirs]] if _is_installed(module) else [imports, [theirs]]
    lines = "\n\n".join("\n".join(sorted(block, key=_place)) for block in blocks)
    title = f'"""Property tests of the derivatives in {module.__name__}."""'
    return f"{title}\n\nfrom __future__ import annotations\n\n{lines}\n{body}"


def _place(line: str) -> tuple[bool, str, str]:
    """Where an import stands: `import` before `from`, then by the module's name, whatever the case."""
    kind, name, *rest = line.split()
    return kind == "from", name.lower(), " ".join(rest)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _is_installed(module: ModuleType) -> bool:
    """Whether a module is another's, and not of the project that one is in: those are imported in a block of theirs."""
    file = Path(module.__file__ or "").resolve()
    homes = [sysconfig.get_paths()["purelib"], *site.getsitepackages()]
    return any(file.is_relative_to(home) for home in homes) or not file.is_relative_to(Path.cwd())


def _body(op: type[Any], module: str) -> str:
    """The lines of a test."""
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
    return _held(name, domains, _reference(op))


def _commented(text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - 6)
    return "".join(f"    # {line}\n" for line in lines)


def _call(*arguments: str) -> str:
    return _wrapped("check_op(", arguments, ")")


def _wrapped(start: str, items: Sequence[str], end: str) -> str:
    """A statement, as formatters have it: on one line, or if that would be too long with a line for each item."""
    line = f"    {start}{', '.join(items)}{end}\n"
    if len(line) <= WIDTH:
        return line
    return f"    {start}\n" + "".join(f"        {item},\n" for item in items) + f"    {end}\n"


def _held(name: str, domains: Sequence[Domain], reference: list[str]) -> str:
    """A call of check_op with Tensors that broadcast, which have values of these domains."""
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
    """The NumPy function that a Function answers for, if that takes what the Function takes."""
    ufunc = getattr(op, "numpy", None)
    if not isinstance(ufunc, np.ufunc) or ufunc.nin != len(op.inputs):
        return []
    name = ufunc.__name__
    return [f"reference=np.{name}"] if vars(np).get(name) is ufunc else []

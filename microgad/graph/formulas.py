"""The source code of an operation's forward and derivatives, as the formulas to show for it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ..errors.own_arguments import checked
from ..function import Function
from ..function.linear_map import LinearMap
from ..grad_fn.torch_names import key
from .tape import Op


@dataclass(frozen=True, slots=True)
class Formula:
    """The source code of an operation: what it computes, and the derivative for each input.

    >>> torch.graph.formula("Exp").derivatives
    {'x': 'grad * out'}
    """

    says: str  # first line of the Function's docstring
    forward: str
    derivatives: dict[str, str]  # by name of the input; under "" one that computes all of them


@checked
def formula(name: str) -> Formula | None:
    """Return the Formula of the operation with this name; None if there is no such Function, or no source code of it.

    >>> torch.graph.formula("Mul").derivatives["a"]
    'grad * b'
    """
    cls = _functions().get(name) or _all_functions().get(name)
    return None if cls is None else formula_of(cls)


def recorded_formula(op: Op) -> Formula | None:
    """Return the Formula of an operation on a tape: a program may have one of the same name as microgad's."""

    def named() -> type[Function] | None:
        return next((cls for cls in loaded() if cls.__name__ == op.name and bool(key(cls)) is not op.own), None)

    cls = named() or (named() if _all_functions() else None)
    return None if cls is None else formula_of(cls)


def function_names() -> list[str]:
    """Return the names of all operations."""
    return list(_all_functions())


@cache
def _all_functions() -> dict[str, type[Function]]:
    """Return all Functions by name, after importing all of microgad's: a tape from a file may have any of them."""
    import importlib
    import pkgutil

    from .. import batching, fake_quantize, ops  # noqa: F401
    from ..distributions import reparameterized  # noqa: F401

    for package in (ops, batching):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return _functions()


def _functions() -> dict[str, type[Function]]:
    found: dict[str, type[Function]] = {}
    for cls in loaded():
        found.setdefault(cls.__name__, cls)
    return found


def loaded() -> Iterator[type[Function]]:
    """Iterate over all Functions that are defined so far. Among subclasses of one class, the newest comes first."""
    stack = list(Function.__subclasses__())
    while stack:
        cls = stack.pop()
        yield cls
        stack += cls.__subclasses__()


def formula_of(cls: type[Function]) -> Formula | None:
    """Return the Formula of an operation; None if there is no source code of it."""
    own = getattr(cls, "function", None)  # of an autograd.Function, whose node only calls its methods
    try:
        forward = _body((own or cls).forward)
        if own is not None:
            derivatives = {"": _body(own.backward)}
        elif issubclass(cls, LinearMap):
            derivatives = {"": _body(cls.adjoint)} if hasattr(cls, "adjoint") else {}
        elif cls.joint is not None:
            derivatives = {"": _body(cls.joint)}
        else:
            pairs = zip(cls.inputs, cls.derivatives, strict=False)
            derivatives = {given: _body(method) for given, method in pairs if method is not None}
    except (OSError, TypeError, SyntaxError):  # no source, as in an interactive session or a compiled module
        return None
    says = (vars(cls).get("__doc__") or "").strip().partition("\n")[0]
    return Formula(says, forward, derivatives)


def _body(method: object) -> str:
    """Return the source of a method's body without its docstring; of a single `return`, only the expression."""
    source = textwrap.dedent(inspect.getsource(method))  # type: ignore[arg-type]
    (definition,) = ast.parse(source).body
    if not isinstance(definition, ast.FunctionDef):
        return source.strip()
    body = definition.body
    if len(body) > 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    (first, *more) = body
    if isinstance(first, ast.Return) and first.value is not None and not more:
        return ast.get_source_segment(source, first.value) or ""
    lines = source.splitlines()
    if first.lineno == definition.lineno:
        return source.strip()
    return textwrap.dedent("\n".join(lines[first.lineno - 1 :])).strip()

"""check: which names of PyTorch's a program uses that microgad doesn't have, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .alias import ROOTS, Nowhere, room_of, said_of


class Absence(NamedTuple):
    """A name that a program uses: where, and what microgad says of it."""

    file: str
    line: int
    said: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.said}"


def check(file: str | Path) -> list[Absence]:
    """What of PyTorch a program names that microgad doesn't have: imported names, and attributes reached from them.

    Methods of Tensors are not looked at: what a variable holds is known when the program runs. Raises OSError where
    there is no such file, SyntaxError where it isn't Python.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     program = pathlib.Path(folder, "program.py")
    ...     _ = program.write_text("import torch.nn as nn\\nnet = nn.Linar(2, 3)")
    ...     [(absence.line, absence.said) for absence in microgad.porting.check(program)]
    [(2, 'microgad has no nn.Linar; the nearest name is Linear')]
    """
    tree = ast.parse(Path(file).read_bytes(), str(file))
    known: dict[str, Any] = {}
    found = [*_of_imports(tree, known), *_of_attributes(tree, known)]
    return [Absence(str(file), line, said) for line, said in sorted(set(found))]


def _of_imports(tree: ast.AST, known: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """What imports don't find; what they bind goes to `known`, under the program's name for it."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for found, bound in _imported(node):
                known.update(bound)
                yield from _if_absent(node, found)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[Any, dict[str, Any]]]:
    """For each of PyTorch's names that an import asks for: what that is here, and what it binds."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root in ROOTS:
                found = _module(alias.name)
                yield found, {alias.asname: found} if alias.asname else {root: _module(root)}
    elif not node.level and (node.module or "").partition(".")[0] in ROOTS:
        module = _module(node.module or "")
        for alias in node.names:
            if alias.name == "*":
                yield module, {name: getattr(module, name) for name in getattr(module, "__all__", dir(module))}
                continue
            try:
                found = getattr(module, alias.name)
            except AttributeError:
                found = _module(f"{node.module}.{alias.name}")
            yield found, {alias.asname or alias.name: found}


def _module(name: str) -> ModuleType:
    return room_of(name) or Nowhere(name)


def _if_absent(node: ast.stmt, found: Any) -> Iterator[tuple[int, str]]:
    said = said_of(found)
    if said is not None:
        yield node.lineno, said


def _of_attributes(tree: ast.AST, known: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """What chains like `torch.nn.Linear` don't find, beginning from a name that was imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            room = _value(node.value, known)
            if isinstance(room, ModuleType) and not isinstance(room, Nowhere):
                try:
                    getattr(room, node.attr)
                except AttributeError as error:
                    yield node.lineno, str(error)


def _value(node: ast.AST, known: dict[str, Any]) -> Any:
    """What an expression of names and attributes stands for; None where that isn't known."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        room = _value(node.value, known)
        return getattr(room, node.attr, None) if isinstance(room, ModuleType) else None
    return None

"""check, which lists the PyTorch names in a program that microgad lacks, without running the program."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .alias import PACKAGES, MissingModule, MissingName, find_module, missing_message


class Absence(NamedTuple):
    """A missing name: the file and line that use it, and microgad's message."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def check(file: str | Path) -> list[Absence]:
    """List the PyTorch names in a program that microgad lacks: imported names and attributes reached from them.

    Methods of Tensors are not checked, because types of variables are only known when the program runs. Dtypes such as
    `torch.bfloat16`, which no Tensor can have here, count as present, because programs compare with them. Raises
    OSError if the file can't be read and SyntaxError if it isn't Python.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     program = pathlib.Path(folder, "program.py")
    ...     _ = program.write_text("import torch.nn as nn\\nnet = nn.Linar(2, 3)")
    ...     [(absence.line, absence.message) for absence in microgad.porting.check(program)]
    [(2, 'microgad has no nn.Linar; the nearest name is Linear')]
    """
    tree = ast.parse(Path(file).read_bytes(), str(file))
    known: dict[str, Any] = {}
    found = [*_missing_imports(tree, known), *_missing_attributes(tree, known)]
    return [Absence(str(file), line, message) for line, message in sorted(set(found))]


def _missing_imports(tree: ast.AST, known: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield missing imported names. Add what the imports bind to `known`, by the program's names."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for found, bound in _imported_names(node):
                known.update(bound)
                if (message := missing_message(found)) is not None:
                    yield node.lineno, message


def _imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield, for each PyTorch name that an import statement asks for, microgad's object and the names it binds."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root in PACKAGES:
                found = _module(alias.name)
                yield found, {alias.asname: found} if alias.asname else {root: _module(root)}
    elif not node.level and (node.module or "").partition(".")[0] in PACKAGES:
        module = _module(node.module or "")
        for alias in node.names:
            if alias.name == "*":
                yield module, {name: _member(module, name) for name in getattr(module, "__all__", dir(module))}
                continue
            try:
                found = _member(module, alias.name)
            except AttributeError:
                found = _module(f"{node.module}.{alias.name}")
            yield found, {alias.asname or alias.name: found}


def _member(module: ModuleType, name: str) -> Any:
    """Return a module's member: a placeholder if it needs a package that isn't installed. Raise AttributeError."""
    try:
        return getattr(module, name)
    except ImportError as error:
        return MissingName(str(error))


def _module(name: str) -> ModuleType:
    return find_module(name) or MissingModule(name)


def _missing_attributes(tree: ast.AST, known: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield missing names in chains like `torch.nn.Linear` that start from an imported name."""
    waiting = [(tree, known)]
    for node, known in waiting:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            hidden = {x.arg for x in ast.walk(node.args) if isinstance(x, ast.arg) and x.arg in known}
            known = {name: known[name] for name in known.keys() - hidden} if hidden else known
        waiting += [(child, known) for child in ast.iter_child_nodes(node)]
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            module = _value(node.value, known)
            if isinstance(module, ModuleType) and not isinstance(module, MissingModule):
                try:
                    message = missing_message(_member(module, node.attr))
                except AttributeError as error:
                    message = str(error)
                if message is not None:
                    yield node.lineno, message


def _value(node: ast.AST, known: dict[str, Any]) -> Any:
    """Return the object that an expression of names and attributes denotes, or None if unknown."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        module = _value(node.value, known)
        if isinstance(module, ModuleType):
            with suppress(AttributeError):
                return _member(module, node.attr)
    return None

"""Collect the source code of Functions, and of all helpers that they need, as text that runs with NumPy alone."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import math
import re
import sys
import textwrap
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from pprint import pformat
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, TypeVar

import numpy as np

from ...errors import GraphError
from ...function import Function
from ...function.linear_map import LinearMap
from ...function.view import View
from ...lazy import LazyModule
from ...pytree import tree_leaves

# NumPy replacements for helpers that serve other arrays or speed, since a program has only NumPy arrays.
REPLACEMENTS = {
    "is_gpu": "def {}(x):\n    return False",
    "on_cpu": "def {}(x):\n    return True",
    "device_of": 'class {}:\n    type = "cpu"\n\n    def __init__(self, x):\n        pass',
    "is_array": "def {}(x):\n    return isinstance(x, np.ndarray)",
    "as_array": "{} = np.asarray",
    "as_strided": "{} = np.lib.stride_tricks.as_strided",
    "like": "def {}(values, x, dtype=None):\n    return np.asarray(values, dtype)",
    "make_like": "def {}(make, x, *value, **options):\n    return make(x, *value, **options)",
    "to_numpy": "{} = np.asarray",
    "to_device": "def {}(x, where):\n    return x",
    "known": "{} = bool",
    "as_zeros": "def {}(x):\n    return x",
    "unbuffered": "def {}(x, axis):\n    return np.errstate()",
    "unbuffered_runs": "def {}(length):\n    return np.errstate()",
    "at": "def {}(ufunc, target, index, values):\n    ufunc.at(target, index, values)",
    "add_at": "{} = np.add.at",
    "checked": "def {}(x):\n    return np.errstate()",
    "current": 'class {}:\n    path = ""  # of the running module: a program has none',
    "DuckArray": 'class {}:\n    """A program has NumPy\'s arrays alone."""',
    "Tensor": 'class {}:\n    """A program has no Tensors."""',
    "transposes_tangent": "def {}():\n    return False",
}
FUNCTION_CLASS = '''class Function:
    """An operation: its settings, how it is computed, and a derivative for each input."""

    needs = ()  # which inputs want a gradient

    def __init__(self, **settings):
        vars(self).update(settings)

    def __call__(self, *inputs):
        out = self.forward(*inputs)
        return tuple(map(np.asarray, out)) if type(out) is tuple else np.asarray(out)

    @classmethod
    def apply(cls, *inputs, **settings):
        return cls(**settings)(*inputs)'''
INPUT_NAMES = """

    def __init_subclass__(cls):
        if hasattr(cls, "forward"):
            code = cls.forward.__code__
            cls.inputs = code.co_varnames[1 : code.co_argcount]  # their names"""
LINEAR_MAP_CLASS = '''class LinearMap(Function):
    """A linear operation: `forward`, and its transpose `adjoint`, which is its derivative."""

    def __init_subclass__(cls):
        super().__init_subclass__()
        if "adjoint" in vars(cls) and "transposed" not in vars(cls):
            body = {"forward": cls.adjoint, "adjoint": cls.forward, "transposed": cls}
            cls.transposed = type(cls.__name__ + "Adjoint", (cls,), body)

    @classmethod
    def apply(cls, x, **settings):
        return super().apply(x, **{"x_shape": np.shape(x), **settings})

    def grad_x(self, grad):
        return self.adjoint(grad)'''
REPLACED_MODULES = (
    "microgad.backend", "microgad.backend.arrays", "microgad.backend.inner_loops", "microgad.backend.meta",
    "microgad.duck_arrays", "microgad.engine.transforms", "microgad.ops.support.blocks", "microgad.tensor",
    "microgad.state",
)  # fmt: skip
UFUNC_CLASS = "class {}(Function):\n    def forward(self, *inputs):\n        return np.{}(*inputs)"
LEFT_OUT = frozenset((  # attributes of a Function that a program doesn't need
    "symbol", "numpy", "promote", "write", "decomposition", "may_share", "constants", "broadcasts", "conjugates",
    "materializes", "zero_link", "native_half", "elementwise", "last_first", "all_edges", "operator", "node_name",
    "saved_names", "large",
))  # fmt: skip
IMPORTED_MODULES = {"numpy", *sys.stdlib_module_names}
REMOVED = "\0"  # marks lines to be removed
Result = TypeVar("Result")


class Definitions:
    """The definitions that a program needs, in an order in which they run. `name` adds one and returns its name."""

    def __init__(self) -> None:
        self.imports: dict[str, None] = {"import numpy as np": None}
        self.chunks: list[str] = []
        self.last: list[str] = []  # constants computed by calling definitions, which come last
        self.names: dict[Any, str] = {Function: "Function", LinearMap: "LinearMap", View: "LinearMap"}
        self.taken = {"Function", "LinearMap", "np", *vars(builtins)}
        self.in_last: set[str] = set()  # names of the constants in `last`
        self.defined: set[Any] = {Function, LinearMap, View}
        self.pending: list[tuple[Any, Any, str, dict[str, Any]]] = []  # what bodies call, to be defined afterwards

    def text(self) -> str:
        """Return all definitions in an order in which they run."""
        linear = [LINEAR_MAP_CLASS] if any("LinearMap" in chunk for chunk in self.chunks) else []
        names = INPUT_NAMES if any(".inputs" in chunk for chunk in self.chunks) else ""
        return "\n\n\n".join(["\n".join(self.imports), FUNCTION_CLASS + names, *linear, *self.chunks, *self.last])

    def add(self, x: Any) -> str:
        """Add a class or function with all that it needs, and return its name in the program."""
        name = self.name(x, x.__name__, vars(sys.modules[x.__module__]), True)
        while self.pending:
            self.define(*self.pending.pop(0))
        return name

    def name(self, x: Any, called: str, scope: dict[str, Any], at_once: bool) -> str:
        """Return the program's name for x, whose name in `scope` is `called`, and define it `at_once` or later."""
        if isinstance(x, ModuleType):
            return self.imported(f"import {x.__name__}", x, called)
        x = inspect.unwrap(x) if hasattr(x, "__wrapped__") else x
        has_definition = _has_definition(x)
        foreign = isinstance(x, BuiltinFunctionType) or type(x).__module__.startswith("numpy")
        module = getattr(x, "__module__", None) if has_definition or foreign else None
        if not has_definition and module is None:
            scope = _origin(scope, called)
        key = x if has_definition else (called, scope["__name__"])
        if key in self.names and (key in self.defined or not at_once):
            return self.names[key]
        if module is not None and module.split(".")[0] in IMPORTED_MODULES:
            return self.imported(f"from {module} import {x.__name__}", x, called)
        text = _replacement(x, called, module or scope["__name__"])
        if text is not None:
            return self.replaced(key, called, text)
        if isinstance(x, type) and issubclass(x, LinearMap) and "forward" in vars(x) and not _has_source(x):
            forward = x.transposed
            return f"{self.name(forward, forward.__name__, vars(sys.modules[x.__module__]), at_once)}.transposed"
        if has_definition:
            called = x.__name__
        if key not in self.names:
            self.names[key] = self.unused_name(called)
        if at_once:
            self.define(x, key, called, scope)
        else:
            self.pending.append((x, key, called, scope))
        return self.names[key]

    def imported(self, line: str, x: Any, called: str) -> str:
        if line not in self.names:
            self.names[line] = called if called == "np" else self.unused_name(called)
        name = self.names[line]
        self.imports[line if name == x.__name__ else f"{line} as {name}"] = None
        return name

    def replaced(self, key: Any, called: str, text: str) -> str:
        self.defined.add(key)
        name = self.names[key] = self.unused_name(called)
        self.chunks.append(text.format(name))
        return name

    def unused_name(self, called: str) -> str:
        name, n = called, 2
        while name in self.taken:
            name, n = f"{called}{n}", n + 1
        self.taken.add(name)
        return name

    def define(self, x: Any, key: Any, called: str, scope: dict[str, Any]) -> None:
        """Add a definition, after what it needs when it is executed. What its body calls is added later."""
        if key in self.defined:
            return
        self.defined.add(key)
        try:
            if _has_definition(x):
                text, scope = textwrap.dedent(_source(x)), vars(sys.modules[x.__module__])
            else:
                text = _assignment(scope, called)
            (tree,) = _statements(text)
        except (OSError, TypeError, SyntaxError, ValueError, KeyError):
            raise GraphError(f"program: there is no source code of {called}") from None
        rewriter = Rewriter(self, text, dict(scope))
        rewriter.left_out = LEFT_OUT if isinstance(x, type) and issubclass(x, Function) else frozenset()
        chunk = rewriter.of(tree, self.names[key])
        (self.last if rewriter.calls else self.chunks).append(chunk)
        if rewriter.calls:
            self.in_last.add(self.names[key])


class Rewriter:
    """Rewrites one definition: it replaces names from other modules, and removes what only microgad reads."""

    def __init__(self, definitions: Definitions, text: str, scope: dict[str, Any]) -> None:
        self.definitions, self.scope, self.calls = definitions, scope, False
        self.left_out: frozenset[str] = frozenset()
        self.lines = [line.encode() for line in text.splitlines()]
        self.changes: list[tuple[int, int, int, int, str]] = []  # (line, column, end line, end column, new text)

    def of(self, tree: ast.stmt, name: str) -> str:
        """Return the definition's new text, under this name."""
        if isinstance(tree, ast.ClassDef):
            self.class_def(tree, name)
        elif isinstance(tree, ast.FunctionDef):
            self.function(tree, set(), name)
        else:
            assert isinstance(tree, ast.Assign)
            self.change(tree.targets[0], name)
            self.walk(tree.value, set(), True)
        for line, start, end_line, end, text in sorted(self.changes, reverse=True):
            head, tail = self.lines[line][:start], self.lines[end_line][end:]
            self.lines[line : end_line + 1] = [head + text.encode() + tail]
        text = b"\n".join(self.lines).decode()
        text = "\n".join(line for line in text.splitlines() if REMOVED not in line)
        return re.sub(r"\n\s*\n(\s*\n)+", "\n\n", text).strip()

    def class_def(self, tree: ast.ClassDef, name: str) -> None:
        self.renamed(tree, "class", name)
        for node in [*tree.decorator_list, *tree.bases, *(word.value for word in tree.keywords)]:
            self.walk(node, set(), True)
        kept = 0
        for part in tree.body:
            if _defined_names(part) <= self.left_out:
                self.remove(part)
                continue
            kept += 1
            if isinstance(part, ast.FunctionDef):
                self.function(part, set())
            elif isinstance(part, (ast.Assign, ast.AnnAssign)) and part.value is not None:
                self.walk(part.value, set(), True)
        if not kept:
            self.lines[-1] += b"\n    pass"

    def function(self, tree: ast.FunctionDef, outer: set[str], name: str = "") -> None:
        if name:
            self.renamed(tree, "def", name)
        for decorator in tree.decorator_list:
            found = self.scope.get(decorator.id) if isinstance(decorator, ast.Name) else None
            if getattr(found, "__module__", "") == "microgad.state":
                self.remove(decorator)
            else:
                self.walk(decorator, set(), True)
        given = tree.args
        for default in (*given.defaults, *(x for x in given.kw_defaults if x is not None)):
            self.walk(default, outer, True)
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        local = outer | {x.arg for x in arguments if x is not None} | _of_tree(tree, _assigned)
        for node in tree.body:
            self.walk(node, local, False)

    def walk(self, node: ast.AST, local: set[str], at_once: bool) -> None:
        """Replace the names and attributes of modules in an expression or a body, by `Names`."""
        Names(self, local, at_once).visit(node)

    def resolved(self, node: ast.expr, local: set[str]) -> tuple[Any, str, dict[str, Any]] | None:
        """Return what a name, or an attribute of a microgad module, refers to outside the definition, if anything."""
        if isinstance(node, ast.Name):
            if node.id in local or node.id not in self.scope:
                return None
            return self.scope[node.id], node.id, self.scope
        if isinstance(node, ast.Attribute):
            base = self.resolved(node.value, local)
            module = base and base[0]
            if isinstance(module, LazyModule):
                module = importlib.import_module(module._module)
            if isinstance(module, ModuleType) and _is_of_microgad(module):
                return getattr(module, node.attr), node.attr, vars(module)
        return None

    def renamed(self, tree: ast.ClassDef | ast.FunctionDef, word: str, name: str) -> None:
        line = tree.lineno - 1
        start = tree.col_offset + len(word) + 1
        self.changes.append((line, start, line, start + len(tree.name.encode()), name))

    def change(self, node: ast.AST, text: str) -> None:
        at: Any = node
        self.changes.append((at.lineno - 1, at.col_offset, at.end_lineno - 1, at.end_col_offset, text))

    def remove(self, node: ast.AST) -> None:
        at: Any = node
        first = min([at.lineno, *(x.lineno for x in getattr(at, "decorator_list", ()))]) - 1
        for line in range(first, at.end_lineno):
            self.lines[line] += REMOVED.encode()


class Names(ast.NodeVisitor):
    """Replaces the names and attributes of modules in an expression or a body, where the names `local` are variables.

    It runs `at_once`, together with the definition, or when a function is called.
    """

    def __init__(self, rewriter: Rewriter, local: set[str], at_once: bool) -> None:
        self.rewriter, self.local, self.at_once = rewriter, local, at_once

    def generic_visit(self, node: ast.AST) -> None:
        for below in _of_tree(node, _visited_below):
            self.visit(below)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.rewriter.function(node, self.local)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        inner = self.local | {x.arg for x in (*node.args.args, *node.args.kwonlyargs)}
        self.rewriter.walk(node.body, inner, False)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            scope = self.rewriter.scope
            module = importlib.import_module("." * node.level + (node.module or ""), scope["__package__"])
            scope |= {x.asname or x.name: getattr(module, x.name) for x in node.names}
            self.rewriter.change(node, "pass")

    def visit_Name(self, node: ast.Name | ast.Attribute) -> None:
        found = self.rewriter.resolved(node, self.local)
        if found is None:
            self.generic_visit(node)
            return
        definitions = self.rewriter.definitions
        name = definitions.name(*found, self.at_once)
        if name in self.local:
            raise GraphError(f"program: a local variable hides {name}, which {ast.unparse(node)} becomes")
        self.rewriter.calls |= self.at_once and name in definitions.in_last
        self.rewriter.change(node, name)

    visit_Attribute = visit_Name

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        for expression in (node.target, node.value):  # not the annotation
            if expression is not None:
                self.visit(expression)

    def visit_Call(self, node: ast.Call) -> None:
        if self.at_once:
            found = self.rewriter.resolved(node.func, self.local)
            owner = found and getattr(found[0], "__module__", None)
            self.rewriter.calls |= str(owner).startswith("microgad")
        self.generic_visit(node)


def _of_tree(node: ast.AST, compute: Callable[[Any], Result]) -> Result:
    """Return compute(node), which its attributes keep for further programs with this definition."""
    kept = vars(node)
    if compute.__name__ not in kept:
        kept[compute.__name__] = compute(node)
    return kept[compute.__name__]


def _visited_below(node: ast.AST) -> list[ast.AST]:
    """Return the nearest nodes below this one for which `Names` has a method, in their order."""
    found: list[ast.AST] = []
    for below in ast.iter_child_nodes(node):
        found += [below] if hasattr(Names, f"visit_{type(below).__name__}") else _visited_below(below)
    return found


def _assigned(function: ast.FunctionDef) -> set[str]:
    """Return the names of variables, functions and classes that a function's body makes."""
    nodes = [node for node in ast.walk(function) if node is not function]
    made = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    return made | {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _replacement(x: Any, called: str, module: str) -> str | None:
    """Return the text that replaces a helper or something without source; None if x's own source is used."""
    if called in REPLACEMENTS and module in REPLACED_MODULES:
        return REPLACEMENTS[called]
    if isinstance(x, type) and issubclass(x, BaseException):
        return "class {}(Exception):\n    pass"
    if isinstance(x, type) and issubclass(x, Function) and isinstance(x.numpy, np.ufunc) and not _has_source(x):
        return UFUNC_CLASS.format("{}", x.numpy.__name__)
    return None


def _defined_names(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a class defines, or {""} if it defines none."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.AnnAssign):
        return {ast.unparse(node.target)}
    if isinstance(node, ast.Assign):
        names = {x.id for target in node.targets for x in ast.walk(target) if isinstance(x, ast.Name)}
        return names or {""}
    return {""}


def _is_of_microgad(module: ModuleType) -> bool:
    """Whether a module is microgad's, even if it is imported under the name torch."""
    return module.__spec__ is not None and module.__spec__.name.partition(".")[0] == "microgad"


def _has_definition(x: Any) -> bool:
    """Whether x is a class or function, other than one that a call made, whose definition needs the call's values."""
    return isinstance(x, type) or (isinstance(x, FunctionType) and not x.__closure__)


def _has_source(cls: type[Any]) -> bool:
    return f"class {cls.__name__}(" in inspect.getsource(sys.modules[cls.__module__])


@lru_cache(4096)
def _statements(text: str) -> list[ast.stmt]:
    """Parse the source code of a module, which has many definitions, or of a definition, which many programs need."""
    return ast.parse(text).body


def _source(x: type[Any] | FunctionType) -> str:
    """Return the source code of a class or function; `inspect` would read a file again for each of them."""
    module = sys.modules[x.__module__]
    text = inspect.getsource(module) if hasattr(module, "__file__") else ""
    for node in _statements(text):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == x.__qualname__:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if isinstance(x, type) or x.__code__.co_firstlineno == first:  # there are overloads of the same name
                return "\n".join(text.split("\n")[first - 1 : node.end_lineno])
    return inspect.getsource(x)


def _segment(text: str, node: ast.expr) -> str:
    """Return an expression's source code; `ast.get_source_segment` looks at each character of the file."""
    lines = [line.encode() for line in text.split("\n")[node.lineno - 1 : node.end_lineno]]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b"\n".join(lines).decode()


def _origin(scope: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the namespace of the module that assigns a constant, following imports."""
    for node in _statements(inspect.getsource(sys.modules[scope["__name__"]])):
        if isinstance(node, ast.ImportFrom) and any((x.asname or x.name) == name for x in node.names):
            module = importlib.import_module("." * node.level + (node.module or ""), scope["__package__"])
            return _origin(vars(module), name)
    return scope


def _assignment(scope: dict[str, Any], name: str) -> str:
    """Return the statement that assigns a constant in its module, or its numbers if there isn't one for it alone."""
    text = inspect.getsource(sys.modules[scope["__name__"]])
    for node in _statements(text):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for one, value in pairs:
                if isinstance(one, ast.Name) and one.id == name:
                    expression = _segment(text, value)
                    return f"{name} = ({expression})" if "\n" in expression else f"{name} = {expression}"
    if not all(isinstance(x, (int, float, Decimal)) and math.isfinite(x) for x in tree_leaves(scope[name])):
        raise KeyError(name)
    return f"{name} = {pformat(scope[name], width=100)}"

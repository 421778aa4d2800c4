"""Faults made by rewriting source code: each mutant of a derivative, or of what it calls, has one change."""

from __future__ import annotations

import ast
import inspect
import textwrap
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .fault import Fault
from .plant import replaced, rewritten
from .targets import Derivative

Node = ast.AST
Change = tuple[str, str, Node]  # the kind of fault, a description, and the new node


def rewrites(function: Any, entries: tuple[Any, ...]) -> Iterator[Fault]:
    """Every fault that the operators make of a function."""
    for kind, what, code in mutants(function):
        yield Fault(kind, function.__qualname__, what, rewritten(function, code), entries)


def mutants(function: Any) -> Iterator[tuple[str, str, Any]]:
    """The kind, description and code of each mutant of a function."""
    tree = _parsed(function)
    seen = {function.__code__.co_code + repr(function.__code__.co_consts).encode()}
    for node, exchange in list(_nodes(tree)):
        for kind, what, other in _changes(node):
            exchange(other)
            code = _compiled(tree, function).__code__
            exchange(node)
            key = code.co_code + repr((code.co_consts, code.co_names, code.co_varnames)).encode()
            if key not in seen:
                seen.add(key)
                yield kind, f"line {getattr(node, 'lineno', 0)}, {what}", code


def _parsed(function: Any) -> ast.Module:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    body = tree.body[0]
    assert isinstance(body, ast.FunctionDef)
    body.decorator_list = []
    if ast.get_docstring(body):
        body.body = body.body[1:] or [ast.Pass()]
    for argument in ast.walk(body.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    body.returns = None
    return tree


def _compiled(tree: ast.Module, function: Any) -> Any:
    """The function that the tree defines, with the same globals."""
    made: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a mutant may do anything with constants
        code = compile(ast.fix_missing_locations(tree), "<mutant>", "exec")
    exec(code, function.__globals__, made)
    return made[function.__name__]


def _nodes(tree: ast.Module) -> Iterator[tuple[Node, Callable[[Node], None]]]:
    """Each node of the function, and a setter that replaces it in place, as copies of the tree would take long."""
    for parent in ast.walk(tree.body[0]):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.AST) and not isinstance(value, ast.arguments):
                yield value, partial(setattr, parent, field)
            elif isinstance(value, list):
                for i, node in enumerate(value):
                    if isinstance(node, ast.AST):
                        yield node, partial(value.__setitem__, i)


def _changes(node: Node) -> Iterator[Change]:
    for operator in OPERATORS:
        for kind, other in operator(node):
            yield kind, f"`{_text(node)}` becomes `{_text(other)}`", other


def _text(node: Node) -> str:
    text = ast.unparse(node).replace("\n", "; ")
    return text if len(text) < 80 else text[:77] + "..."


# The operators


def signs(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        yield "sign", ast.Return(ast.UnaryOp(ast.USub(), node.value))


OTHER_OPERATION = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}


def arithmetic(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, ast.BinOp):
        other = OTHER_OPERATION.get(type(node.op))
        if other:
            yield "operation", ast.BinOp(node.left, other(), node.right)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            yield "dropped term", node.left
            yield "dropped term", node.right
        if isinstance(node.op, (ast.Mult, ast.Div)):
            yield "dropped factor", node.left
            yield "dropped factor", node.right
        if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)):
            yield "operands exchanged", ast.BinOp(node.right, node.op, node.left)
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        yield "factor 2", ast.Return(ast.BinOp(node.value, ast.Mult(), ast.Constant(2)))
    if isinstance(node, ast.AugAssign):
        yield "= for +=", ast.Assign([node.target], node.value, lineno=node.lineno)
        other = OTHER_OPERATION.get(type(node.op))
        if other:
            yield "operation", ast.AugAssign(node.target, other(), node.value)
        yield "dropped term", ast.Pass()


OTHER_COMPARISON = {ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt)}
OTHER_COMPARISON |= {ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,)}


def conditions(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in OTHER_COMPARISON.get(type(node.ops[0]), ()):
            yield "comparison", ast.Compare(node.left, [other()], node.comparators)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
        yield "mask", node.operand
    if isinstance(node, ast.BoolOp):
        yield "condition", ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        yield "mask", node.left
        yield "mask", node.right
        yield "mask", ast.BinOp(node.left, ast.BitOr() if isinstance(node.op, ast.BitAnd) else ast.BitAnd(), node.right)
    if isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
    if isinstance(node, ast.If):
        yield "branch", ast.If(ast.Constant(False), node.body, node.orelse)
        yield "branch", ast.If(ast.Constant(True), node.body, node.orelse)


def constants(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield "keepdims, a flag", ast.Constant(not value)
        elif isinstance(value, int):
            yield "off by one", ast.Constant(value + 1)
            yield "off by one", ast.Constant(value - 1)
        elif isinstance(value, float):
            yield "constant", ast.Constant(2 * value)
            yield "constant", ast.Constant(value + 1)


DROPPED = {
    "sum": "missing sum", "swapaxes": "transpose dropped", "transpose": "transpose dropped",
    "flip": "flip dropped", "where": "mask", "logical_not": "mask", "broadcast_to": "broadcast dropped",
}  # fmt: skip
OTHER_FUNCTION = {"maximum": "minimum", "sin": "cos", "cos": "sin", "exp": "log", "sqrt": "square", "log": "exp"}


def calls(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "transpose dropped", node.value
    if not isinstance(node, ast.Call):
        return
    arguments = list(node.args)
    of_numpy = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and arguments
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    is_method = isinstance(node.func, ast.Attribute) and name in ("sum", "mean", "copy", "astype")
    if is_method and not (of_numpy and node.func.value.id == "np"):
        yield DROPPED.get(name, "call dropped"), node.func.value
    elif arguments and not isinstance(arguments[0], ast.Starred):
        yield DROPPED.get(name, "call dropped"), arguments[-1 if name in ("apply", "where") else 0]
    if of_numpy and name in OTHER_FUNCTION:
        func = ast.Attribute(node.func.value, OTHER_FUNCTION[name], ast.Load())
        yield "wrong function", ast.Call(func, arguments, node.keywords)
    if len(arguments) > 1 and not any(isinstance(a, ast.Starred) for a in arguments[-2:]):
        swapped = [*arguments[:-2], arguments[-1], arguments[-2]]
        yield "arguments exchanged", ast.Call(node.func, swapped, node.keywords)
    for i, keyword in enumerate(node.keywords):
        if keyword.arg in ("axis", "shape", "keepdims"):
            yield "keepdims, a flag", ast.Call(node.func, arguments, node.keywords[:i] + node.keywords[i + 1 :])


def indices(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, ast.Slice):
        if node.lower is not None:
            yield "wrong index", ast.Slice(None, node.upper, node.step)
        if node.step is not None:
            yield "wrong index", ast.Slice(node.lower, node.upper, None)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice):
        yield "wrong index", node.value


def statements(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, ast.Expr) or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)):
        yield "dropped statement", ast.Pass()


OPERATORS: tuple[Callable[[Node], Iterator[tuple[str, Node]]], ...] = (
    signs, arithmetic, conditions, constants, calls, indices, statements,
)  # fmt: skip


def other_reads(derivative: Derivative) -> Iterator[Fault]:
    """Faults that read another kept value: the input in place of the result, one operand in place of the other."""
    cls, method = derivative.cls, derivative.method
    reads = cls.reads(method) if derivative.name in vars(cls) and derivative.name != "adjoint" else ()
    known = [name for name in (*cls.inputs, "out") if not cls.variadic and name not in ("input", "target")]
    bound = {node.arg for node in ast.walk(_parsed(method)) if isinstance(node, ast.arg)}
    for name in reads:
        for other in known:
            if name in known and other not in bound:
                tree = _parsed(method)
                for node in ast.walk(tree.body[0]):
                    if isinstance(node, ast.Name) and node.id == name:
                        node.id = other
                    if isinstance(node, ast.arg) and node.arg == name:
                        node.arg = other
                plant = replaced(cls, **{derivative.name: _compiled(tree, method)})
                what = f"reads {other} for {name}"
                yield Fault("kept value", derivative.place, what, plant, derivative.entries, cls)

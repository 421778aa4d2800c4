"""Derivatives are written in a dialect: the subset of NumPy that runs on arrays and on Tensors alike.

The tests read the source of all derivatives and report what lies outside of that subset.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from microgad import dispatch

# Methods and attributes that mean the same on an array and on a Tensor.
METHODS = {"reshape", "sum", "mean", "swapaxes"}
ATTRIBUTES = {"ndim", "shape", "dtype", "T"}
# Functions that NumPy's protocols don't dispatch, or that detach.
FORBIDDEN = {
    "asarray",
    "array",
    "full",
    "fromiter",
    "prod",
    "empty",
    "zeros",
    "ones",
    "arange",
    "ascontiguousarray",
}


def subclasses(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def derivatives() -> list[tuple[str, Any, bool]]:
    """Each derivative of microgad's operations: its name, its function, and whether it runs on arrays only.

    It does where its Function has a decomposition, which `create_graph` differentiates instead.
    """
    import microgad.nn.functional

    found = {}
    for cls in subclasses(microgad.Function):
        if not cls.__module__.startswith(("microgad.ops", "microgad.view_writes")):
            continue
        for name, member in vars(cls).items():
            if (name.startswith("grad_") or name in ("backward", "decomposition")) and inspect.isfunction(member):
                found[f"{cls.__name__}.{name}"] = (member, cls.decomposed is not None and name != "decomposition")
    return [(name, *entry) for name, entry in sorted(found.items())]


def problems(function: Any, on_arrays_only: bool = False) -> list[str]:
    """Descriptions of all places where a derivative's source lies outside of the subset.

    A derivative that runs on arrays only must not write into its arguments; the other rules don't apply to it.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    arguments = {a.arg for a in definition.args.args[1:]}
    found = []
    for node in ast.walk(definition):
        where = (
            f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)[:60]}"
            if isinstance(node, ast.expr | ast.stmt)
            else ""
        )
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "np":
                target = getattr(np, node.attr)
                scalar_or_type = isinstance(target, (float, type)) or node.attr in ("newaxis",)
                if on_arrays_only:
                    continue
                if node.attr in FORBIDDEN or not (
                    scalar_or_type or target in dispatch.UFUNCS or target in dispatch.FUNCTIONS
                ):
                    found.append(f"{where}: np.{node.attr} is not in the dispatch table")
            elif not on_arrays_only and node.value.id in arguments and node.attr not in METHODS | ATTRIBUTES:
                found.append(f"{where}: .{node.attr} means something else on a Tensor")
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                written = (
                    target.value.id if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) else ""
                )
                if isinstance(target, ast.Subscript) and (written in arguments or not on_arrays_only):
                    found.append(f"{where}: writes into an array")
                if isinstance(node, ast.AugAssign) and isinstance(target, ast.Name) and target.id in arguments:
                    found.append(f"{where}: writes into {target.id}")
        if isinstance(node, ast.Call):
            options = {keyword.arg for keyword in node.keywords} & {"where", "initial", "out"}
            found += [f"{where}: {option}= isn't recorded" for option in options if not on_arrays_only]
            if (
                isinstance(node.func, ast.Name)
                and node.func.id in ("float", "int", "bool", "abs", "max", "min", "getattr")
                and any(isinstance(arg, ast.Name) and arg.id in arguments for arg in node.args)
            ):
                found.append(f"{where}: takes a value off the graph")
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Slice)
            and isinstance(node.slice.step, ast.UnaryOp)
        ):
            found.append(f"{where}: reversal is np.flip")
    return found


@pytest.mark.parametrize(
    ("name", "function", "on_arrays_only"), derivatives(), ids=lambda x: x if isinstance(x, str) else ""
)
def test_derivatives_use_only_the_subset(name: str, function: Any, on_arrays_only: bool) -> None:
    assert problems(function, on_arrays_only) == []


def test_each_kind_of_problem_is_reported() -> None:
    def grad_x(self, grad, x):
        grad += 1
        y = np.asarray(x) + np.linalg.norm(x) + x.max() + float(x) + x[::-1] + getattr(x, "array", x)
        y[0] = np.add(x, grad, out=y)
        return y

    report = "\n".join(problems(grad_x))
    for part in (
        "writes into grad",
        "np.asarray",
        ".max",
        "float(x): takes a value off",
        "getattr(x, 'array', x): takes a value off",
        "np.flip",
        "writes into an array",
        "out= isn't",
    ):
        assert part in report, (part, report)

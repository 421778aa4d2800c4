"""The error messages of gradcheck (`explain`) and check_grads (`describe`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...function import AccumulateGrad, Output
from ...tensor import Tensor
from ..calls import nodes_behind
from .finding import Finding, brackets, derivative_name


def explain(
    finding: Finding, kind: str, y: Tensor, below: float, above: float, eps: float, atol: float, rtol: float
) -> str:
    """Return gradcheck's message, from the names of output and input on.

    It shows the worst entry, its two derivatives, what they may mean, and where to look. `y` is the output, `kind` what
    messages call it, `below` and `above` are the one-sided derivatives of the entry.
    """
    output, name = f"{kind} {finding.output}", finding.names[finding.input]
    shapes = f"of shapes {finding.output_shape} and {finding.input_shape}"
    lines, n, a, tolerance = _numbers(finding, output, f"{output} with respect to {name}, {shapes}: wrong")
    lines.append(f"    difference {abs(a - n): .4g}, tolerance {tolerance:.4g} = atol + rtol · |numerical|")
    if abs(above - below) > atol + max(rtol, 0.01) * abs(n):
        kink = f"From below the derivative is {below:.6g}, from above {above:.6g}: the input may sit on a kink. "
        lines.append(f"{kink}Move it away by more than eps = {eps:g}")
    if not y.requires_grad:
        message = "doesn't require grad: somewhere on the way the values were taken off the graph"
        lines.append(f"Numerical gradient for function expected to be zero, as {output} {message}")
    else:
        lines.append(f"{_ratio(finding)}Look at the derivatives of {', '.join(operations([y]))}")
    return "\n".join(lines)


def _numbers(finding: Finding, output: str, what: str) -> tuple[list[str], float, float, float]:
    """Return the first lines of a message about `what`, and of the worst entry the derivatives and the tolerance."""
    row, column = finding.worst_entry()
    n, a, error = (float(x[row, column]) for x in (finding.numerical, finding.analytical, finding.error))
    wrong, size = int((finding.excess() > 0).sum()), finding.numerical.size
    worst = f"{output}{brackets(column, finding.output_shape)}"
    worst += f" by {finding.names[finding.input]}{brackets(row, finding.input_shape)}"
    first = f"{what} in {wrong} of {size} entries. The worst: {worst}"
    return [first, f"    numerical  {n: .10g}", f"    analytical {a: .10g}"], n, a, error


def describe(finding: Finding) -> str:
    """Return check_grads' message: the worst entry, its derivatives and tolerance, the likely mistake, a reproducer."""
    from .diagnosis import likely_mistake
    from .reproducer import as_code

    output = f"{'output' if finding.order == 1 else 'gradient'} {finding.output}"
    what = f"{finding.op}: the {derivative_name(finding.order)} of {output} {finding.output_shape} with respect to "
    what += f"{finding.names[finding.input]} {finding.input_shape} is wrong"
    lines, n, a, error = _numbers(finding, output, what)
    lines.append(f"    difference {abs(a - n): .4g}, of which the estimate's error explains {error:.4g}")
    named = finding.operations
    if any(isinstance(x, np.ndarray) and x.dtype.kind == "c" for x in finding.arguments):
        lines.append("Complex Tensors are checked in parts: a last index of 0 is the real part, 1 the imaginary one")
        named = tuple(name for name in named if name not in ("ViewAsReal", "ViewAsComplex"))
    if finding.at_kink:
        lines.append(f"The input sits on a kink: any value between the one-sided derivatives is right, but {a} isn't")
    mistake = likely_mistake(finding)
    if mistake:
        lines.append(f"It looks like {mistake}")
    if named:
        lines.append(f"Look at the derivatives of {', '.join(named)}")
    if finding.custom_functions and finding.order > 1:
        lines.append(
            f"What {', '.join(finding.custom_functions)} computes in forward and keeps is a constant in backward, "
            "unless it is a result: compute it again in backward"
        )
    lines += ["To reproduce it:", *(f"    {line}" for line in as_code(finding).splitlines())]
    return "\n".join(lines)


def _ratio(finding: Finding) -> str:
    """Return a sentence about the ratio of the two derivatives if it is constant, else an empty string."""
    a, n = finding.analytical, finding.numerical
    clear = np.abs(n) > 1e-3 * np.abs(n).max()
    if not clear.any() or not np.isfinite(a).all():
        return ""
    ratio = float(np.median(a[clear] / n[clear]))
    if not np.allclose(a, ratio * n, 1e-3, 1e-6 * float(np.abs(n).max())):
        return ""
    hint = {-1.0: ": a sign", 0.0: ": nothing arrives"}.get(round(ratio, 3), "")
    return f"Everywhere the analytical derivative is {ratio:.4g} × the numerical one{hint}. "


def operations(outputs: Sequence[Tensor]) -> tuple[str, ...]:
    """Return the names of the operations in the Tensors' graphs, each once, at most ten."""
    names = (type(node).__name__ for node in nodes_behind(outputs) if not isinstance(node, (AccumulateGrad, Output)))
    return tuple(dict.fromkeys(names))[:10]

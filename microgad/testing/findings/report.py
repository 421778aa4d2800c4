"""What gradcheck says of a derivative that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...function import Leaf
from ...tensor import Tensor
from ..calls import nodes_behind
from .finding import Finding, beyond, brackets


class Jacobians(NamedTuple):
    """The derivative of one output with respect to one input, found in two ways: each (x.size, y.size)."""

    output: int
    input: int
    numerical: Any
    analytical: Any
    atol: float
    rtol: float

    def excess(self) -> Any:
        """By how much each entry is outside of its tolerance; by infinity where one of the two is not a number."""
        return beyond(self.analytical, self.numerical, self.atol + self.rtol * np.abs(self.numerical))

    def at(self) -> tuple[int, int]:
        """The worst entry: which element of the input, which of the output."""
        i, j = np.unravel_index(int(self.excess().argmax()), self.numerical.shape)
        return int(i), int(j)


def explain(
    found: Jacobians, output: str, y: Tensor, name: str, x: Tensor, below: float, above: float, eps: float
) -> str:
    """The worst entry, both numbers, what they may mean, and where to look.

    `below` and `above` are the one-sided derivatives there.
    """
    i, j = found.at()
    n, a = float(found.numerical[i, j]), float(found.analytical[i, j])
    wrong, size = int((found.excess() > 0).sum()), found.numerical.size
    tolerance = found.atol + found.rtol * abs(n)
    numbers = (
        f"the derivative of {output} {tuple(y.shape)} with respect to {name} {tuple(x.shape)} is wrong in {wrong} "
        f"of {size} entries. The worst: {output}{brackets(j, y.shape)} by {name}{brackets(i, x.shape)}\n"
        f"    numerical  {n: .10g}\n"
        f"    analytical {a: .10g}\n"
        f"    difference {abs(a - n): .4g}, tolerance {tolerance:.4g} = atol + rtol · |numerical|"
    )
    lines = [numbers]
    if abs(above - below) > found.atol + max(found.rtol, 0.01) * abs(n):
        kink = f"From below the derivative is {below:.6g}, from above {above:.6g}: the input may sit on a kink. "
        lines.append(f"{kink}Move it away by more than eps = {eps:g}")
    if not y.requires_grad:
        lines.append(f"{output} doesn't require grad: somewhere on the way the values were taken off the graph")
    else:
        lines.append(f"{_ratio(found)}Look at the derivatives of {', '.join(operations([y]))}")
    return "\n".join(lines)


def describe(finding: Finding) -> str:
    """The worst entry, both numbers, how far they may be apart, what the mistake may be, and code to paste."""
    from .mistakes import likely_mistake
    from .paste import as_code

    row, column = finding.worst_entry()
    n, a = float(finding.numerical[row, column]), float(finding.analytical[row, column])
    wrong, size = int((finding.excess() > 0).sum()), finding.numerical.size
    output, name = ("output" if finding.order == 1 else "gradient"), finding.names[finding.input]
    which = {1: "derivative", 2: "second derivative"}.get(finding.order, f"derivative of order {finding.order}")
    what = (
        f"{finding.op}: the {which} of {output} {finding.output} {finding.output_shape} with respect to {name} "
        f"{finding.input_shape} is wrong in {wrong} of {size} entries. The worst: {output} {finding.output}"
        f"{brackets(column, finding.output_shape)} by {name}{brackets(row, finding.input_shape)}"
    )
    error = float(finding.error[row, column])
    lines = [
        what,
        f"    numerical  {n: .10g}",
        f"    analytical {a: .10g}",
        f"    difference {abs(a - n): .4g}, of which the estimate's error explains {error:.4g}",
    ]
    mistake = likely_mistake(finding)
    if mistake:
        lines.append(f"It looks like {mistake}")
    if finding.operations:
        lines.append(f"Look at the derivatives of {', '.join(finding.operations)}")
    if finding.contexts and finding.order > 1:
        lines.append(
            f"What {', '.join(finding.contexts)} computed in forward and kept is a constant in backward, unless it is "
            "a result: compute it there again"
        )
    lines += ["To see it again:", *(f"    {line}" for line in as_code(finding).splitlines())]
    return "\n".join(lines)


def _ratio(found: Jacobians) -> str:
    """What it says if the two differ by a constant factor."""
    a, n = found.analytical, found.numerical
    clear = np.abs(n) > 1e-3 * np.abs(n).max()
    if not clear.any() or not np.isfinite(a).all():
        return ""
    ratio = float(np.median(a[clear] / n[clear]))
    if not np.allclose(a, ratio * n, 1e-3, 1e-6 * float(np.abs(n).max())):
        return ""
    hint = {-1.0: ": a sign", 0.0: ": nothing arrives"}.get(round(ratio, 3), "")
    return f"Everywhere the analytical derivative is {ratio:.4g} × the numerical one{hint}. "


def operations(outputs: Sequence[Tensor]) -> tuple[str, ...]:
    """The names of the operations that lead to some Tensors, each once, at most ten."""
    names = (type(node).__name__ for node in nodes_behind(outputs) if not isinstance(node, Leaf))
    return tuple(dict.fromkeys(names))[:10]

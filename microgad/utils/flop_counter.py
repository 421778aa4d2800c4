"""torch.utils.flop_counter: count a program's floating-point operations, by module and by PyTorch operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

from .. import operators, state
from ..autograd.function_hooks import FunctionHook
from ..errors import UnsupportedError
from ..errors.notices import warn
from ..function import Function
from ..lazy import define_getattr as _define_getattr
from ..ops.attention import Attention
from ..ops.linalg.einsum import Contract
from ..ops.linalg.products import Linear, MatMul
from ..ops.recurrent import Gru, Lstm, Rnn
from ..ops.window.conv import BY_DIMS
from ..tensor import Tensor
from .module_tracker import ModuleTracker

__all__ = ["FlopCounterMode"]

Shape = tuple[int, ...]
Shapes = Sequence[Shape | None]  # of an operation's inputs; None for no input, or one that wasn't kept
Gradients = list[tuple[tuple[int, ...], int]]  # (the inputs whose gradients need a product, its cost) for each product
NONE = (0, 0)
UNITS = ["", "K", "M", "B", "T"]


class Cost(NamedTuple):
    """The floating-point operations of an operation and of its derivatives, with PyTorch's names of both."""

    name: str
    flops: int
    backward_name: str
    backward: Gradients


class FlopCounterMode(FunctionHook):
    """Counts the operations of matrix products and convolutions in a block, forward and backward: 2 · M · N · K each.

    As in PyTorch nothing else counts, not even a bias, and the weight's gradient of a grouped convolution counts as if
    there were one group. Attention counts as its two products forward and four backward, as in PyTorch without a fused
    kernel. An LSTM counts in float32 too, unlike PyTorch's on the CPU. With `display` a table of modules down to
    `depth` is printed when the block ends. `custom_mapping`, which is about PyTorch's operators, raises
    NotImplementedError.

    Source: torch.utils.flop_counter.FlopCounterMode.

    >>> from microgad.utils.flop_counter import FlopCounterMode
    >>> model = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
    >>> with FlopCounterMode() as counter:
    ...     model(torch.ones(20, 100)).sum().backward()
    Module              FLOP    % Total
    --------------  --------  ---------
    Sequential      460.000K    100.00%
     - aten.addmm   220.000K     47.83%
     - aten.mm      240.000K     52.17%
     Sequential.0   400.000K     86.96%
      - aten.addmm  200.000K     43.48%
      - aten.mm     200.000K     43.48%
     Sequential.2    60.000K     13.04%
      - aten.addmm   20.000K      4.35%
      - aten.mm      40.000K      8.70%
    >>> counter.get_total_flops()
    460000
    """

    def __init__(
        self, mods: Any = None, depth: int | None = 2, display: bool = True, custom_mapping: Any = None
    ) -> None:
        super().__init__()
        if mods is not None:
            warn("mods argument is not needed anymore, you can stop passing it")
        if custom_mapping:
            raise UnsupportedError("FlopCounterMode: custom_mapping is of PyTorch's operations; none is called here")
        self.depth, self.display = depth, display
        self.flop_counts: dict[str, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
        self.mod_tracker = ModuleTracker()

    def __enter__(self) -> FlopCounterMode:
        self.flop_counts.clear()
        self.mod_tracker.__enter__()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.mod_tracker.__exit__()
        if self.display:
            print(self.get_table())

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Count an operation."""
        super().forward(node, inputs, out)
        if rule := RULES.get(type(node)):
            shapes = [x.shape if isinstance(x, Tensor) else None for x in inputs]
            cost = rule(node, shapes, (out[0] if type(out) is tuple else out).shape)
            rows = inputs[0].ndim < 3 or inputs[0].is_contiguous()  # else PyTorch adds the bias after an mm
            name = cost.name if rows or cost.name != "addmm" else "mm"
            self._add(cost.backward_name if state.current().deriving else name, cost.flops)

    def backward(self, node: Function, gradients: list[Any]) -> None:
        """Count an operation's derivatives; under create_graph these are operations themselves, counted as such."""
        super().backward(node, gradients)
        rule = RULES.get(type(node))
        if rule is None or state.current().grad_enabled:
            return
        kept = dict(zip(node.plan.inputs, node.kept, strict=False))
        known = [kept.get(i) if edge is None else edge for i, edge in enumerate(node.edges)]
        shapes = [None if x is None else x.shape for x in known]
        cost = rule(node, shapes, node.shape[0] if type(node.shape) is list else node.shape)
        for wanting, flops in cost.backward:
            if any(gradients[i] is not None for i in wanting):
                self._add(cost.backward_name, flops)

    def _add(self, name: str, flops: int) -> None:
        for module in self.mod_tracker.parents if flops else ():
            self.flop_counts[module][getattr(operators.aten, name)] += flops

    def get_total_flops(self) -> int:
        """Return the count of all modules and of what is outside of them."""
        return sum(self.flop_counts["Global"].values())

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """Return the counts of each module, and of "Global" for all: dicts by operator, such as `torch.ops.aten.mm`."""
        return {module: dict(counts) for module, counts in self.flop_counts.items()}

    def get_table(self, depth: int | None = None) -> str:
        """Format a table with a row for each module and each operator in it: the count, and its share of the total."""
        depth, whole = depth or self.depth or 999, self.get_total_flops()
        modules = sorted(name for name in self.flop_counts if name != "Global" and name.count(".") < depth)
        outside = all(sum(self.flop_counts[name].values()) < whole for name in modules)  # "Global" gets a row
        unit = max(0, min(len(UNITS) - 1, (len(str(whole)) - 2) // 3))
        rows = [("Module", "FLOP", "% Total")]
        for name in ["Global"] * outside + modules:
            indent, counts = " " * (name.count(".") + (outside and name != "Global")), self.flop_counts[name]
            for label, n in [(name, sum(counts.values())), *((f" - {op}", n) for op, n in counts.items())]:
                short = f"{n / 1000**unit:.3f}{UNITS[unit]}" if unit else str(n)
                rows.append((indent + label, short, f"{n / whole:.2%}" if whole else "0%"))
        a, b, c = (max(len(head) + 2, *map(len, cells)) for head, *cells in zip(*rows, strict=True))
        rows.insert(1, ("-" * a, "-" * b, "-" * c))
        return "\n".join(f"{x:<{a}}  {y:>{b}}  {z:>{c}}" for x, y, z in rows)


def _matmul(node: Any, shapes: Shapes, out: Shape) -> Cost:
    a, b = shapes
    flops = 2 * prod(out) * (a[-1] if a else (b or NONE)[-2])
    edge = getattr(node, "edges", shapes)[0]  # one matrix times a batch is one product
    name = "mm" if len(out) == 2 or (isinstance(edge, Function) and len(edge.shape) == 2) else "bmm"
    within = state.current().path.rpartition(".")[2]
    return Cost(within[:-2] if within in ("addmm()", "baddbmm()") else name, flops, name, _both(flops))


def _linear(node: Any, shapes: Shapes, out: Shape) -> Cost:
    x, weight, bias = shapes
    flops = 2 * prod(out) * (weight or x or NONE)[-1]
    return Cost("addmm" if bias else "mm", flops, "mm", _both(flops))


def _contract(node: Any, shapes: Shapes, out: Shape) -> Cost:
    pairs = [zip(labels, shape or (), strict=False) for labels, shape in zip(node.labels, (*shapes, out), strict=True)]
    sizes = {label: n for pair in pairs for label, n in pair}
    flops = 2 * prod(sizes.values()) if len(sizes) > len(out) else 0  # else no axis is summed
    return Cost("bmm", flops, "bmm", _both(flops))


def _convolution(node: Any, shapes: Shapes, out: Shape) -> Cost:
    flops = 2 * prod(out) * prod((shapes[1] or NONE)[1:])
    return Cost("convolution", flops, "convolution_backward", _both(flops, node.groups))


def _transposed(node: Any, shapes: Shapes, out: Shape) -> Cost:
    return _convolution(node, shapes, shapes[0] or NONE)


def _weight_of_convolution(node: Any, shapes: Shapes, out: Shape) -> Cost:
    return Cost("", 2 * prod(shapes[0] or NONE) * prod(out[1:]) * node.groups, "convolution_backward", [])


def _attention(node: Any, shapes: Shapes, out: Shape) -> Cost:
    query, key = shapes[0] or NONE, shapes[1] or NONE
    scores, mixed = 2 * prod(out[:-1]) * key[-2] * query[-1], 2 * prod(out) * key[-2]
    gradients = [((0,), scores), ((1,), scores), ((2,), mixed), ((0, 1, 3), mixed)]
    return Cost("bmm", scores + mixed, "bmm", gradients)


def _recurrent(node: Any, shapes: Shapes, out: Shape) -> Cost:
    at = {name: i for i, name in enumerate(node.inputs) if shapes[i]}
    rows, first, whole = 2 * sum(node.batch_sizes), 2 * node.batch_sizes[0], tuple(at.values())
    forward = {name: rows * prod(shapes[i] or ()) for name, i in at.items() if name.startswith("w_")}
    gradients: Gradients = [((at[name],), flops) for name, flops in forward.items()]
    gradients += [((at["input"],), forward["w_ih"]), (whole, forward.get("w_hr", 0))]
    rest = forward["w_hh"] * first // rows  # the first step, whose initial states may not require grad
    gradients += [(whole, forward["w_hh"] - rest), ((at["hx"],), rest)]
    return Cost("addmm" if "b_ih" in at else "mm", sum(forward.values()), "mm", gradients)


def _both(flops: int, groups: int = 1) -> Gradients:
    """Return the gradients of a product's two factors: each is a product of the same size."""
    return [((0,), flops), ((1,), flops * groups)]


RULES: dict[type[Function], Callable[[Any, Shapes, Shape], Cost]] = {
    MatMul: _matmul, Linear: _linear, Contract: _contract, Attention: _attention,
    Rnn: _recurrent, Gru: _recurrent, Lstm: _recurrent,
}  # fmt: skip
for _plain, _transpose, _of_weight in BY_DIMS.values():
    RULES |= {_plain: _convolution, _transpose: _transposed, _of_weight: _weight_of_convolution}

_define_getattr(globals())

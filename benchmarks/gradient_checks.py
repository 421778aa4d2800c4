"""The cost of check_op: processor and wall-clock seconds of operations over 100 random examples.

If PyTorch is installed, its gradcheck and gradgradcheck run on the same examples, with one thread each. They only check
derivatives, as check_op does in the column "derivatives"; in the other columns it checks all laws. Ratios are of
processor times. "Refused" counts the examples that PyTorch's checks reject, because they are on a kink.

    python benchmarks/gradient_checks.py
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import one_thread  # noqa: F401

# isort: split
import hypothesis
from arguments import parser
from hypothesis import strategies as st

import microgad
from microgad.testing import check_op
from microgad.testing.strategies import broadcastable_tensors, conv_problems, numbers, tensors

EXAMPLES = 100
positive = tensors(elements=numbers(0.125, 8.0))


class Operation(NamedTuple):
    name: str
    function_of: Callable[[Any], Any]  # a library -> its function
    inputs: st.SearchStrategy[Any]  # of tuples
    target: float  # seconds


OPERATIONS = [
    Operation("exp", lambda torch: torch.exp, st.tuples(tensors()), 1.0),
    Operation("tanh", lambda torch: torch.tanh, st.tuples(tensors()), 1.0),
    Operation("log", lambda torch: torch.log, st.tuples(positive), 1.0),
    Operation("relu", lambda torch: torch.relu, st.tuples(tensors()), 1.0),
    Operation("mul", lambda torch: torch.mul, broadcastable_tensors(2).map(tuple), 1.0),
    Operation("maximum", lambda torch: torch.maximum, broadcastable_tensors(2).map(tuple), 1.0),
    Operation(
        "conv2d",
        lambda torch: torch.nn.functional.conv2d,
        conv_problems(2).map(lambda problem: (*problem.operands, *problem.settings.values())),
        5.0,
    ),
]


class Seconds(NamedTuple):
    processor: float
    clock: float

    def __str__(self) -> str:
        return f"{self.processor:.2f} ({self.clock:.2f})"


def measure(action: Callable[[], object]) -> Seconds:
    processor, clock = time.process_time(), time.perf_counter()
    action()
    return Seconds(time.process_time() - processor, time.perf_counter() - clock)


class TorchChecks:
    """PyTorch's gradcheck and gradgradcheck on the same examples."""

    def __init__(self, function: Any, examples: list[tuple[Any, ...]]) -> None:
        self.function, self.examples = function, examples
        self.refused = 0  # the number of rejected examples

    def check(self) -> None:
        torch: Any = importlib.import_module("torch")
        for example in self.examples:
            inputs = [
                torch.tensor(x.numpy().copy(), requires_grad=True) if isinstance(x, microgad.Tensor) else x
                for x in example
            ]
            try:
                torch.autograd.gradcheck(self.function, inputs)
                torch.autograd.gradgradcheck(self.function, inputs)
            except RuntimeError:
                self.refused += 1


def row(operation: Operation, torch: Any) -> list[str]:
    """Return the cells of an operation's row."""
    function, examples = operation.function_of(microgad), list[tuple[Any, ...]]()

    def record(example: tuple[Any, ...]) -> tuple[Any, ...]:
        examples.append(example)
        return example

    ours = measure(lambda: check_op(function, operation.inputs.map(record), examples=EXAMPLES))
    derivatives_only = measure(lambda: check_op(function, operation.inputs, examples=EXAMPLES, laws=["derivatives"]))
    cells = [operation.name, f"< {operation.target}", str(ours), str(derivatives_only)]
    if torch is not None:
        peer = TorchChecks(operation.function_of(torch), examples)
        theirs = measure(peer.check)
        ratios = [f"{seconds.processor / theirs.processor:.2f}" for seconds in (ours, derivatives_only)]
        cells += [str(theirs), *ratios, str(peer.refused)]
    return cells


def main() -> None:
    hypothesis.settings.register_profile("benchmark", derandomize=True, database=None)
    hypothesis.settings.load_profile("benchmark")
    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    titles = ["operation", "aim", "check_op", "derivatives", "PyTorch", "ratio", "derivatives'", "refused"]
    if torch is not None:
        torch.set_num_threads(1)
        x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        torch.autograd.gradcheck(torch.sin, x)  # a warm-up: some parts are loaded on first use
    check_op(microgad.sin, tensors(), examples=5)
    print("seconds of the processor (of the clock)")
    for cells in [titles, *(row(operation, torch) for operation in OPERATIONS)]:
        print("  ".join(f"{cell:>13}" for cell in cells))


if __name__ == "__main__":
    parser(__doc__).parse_args()
    main()

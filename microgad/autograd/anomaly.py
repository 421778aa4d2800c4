"""Anomaly detection: find the operation that produced the first NaN or infinity, not the first one that received it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from contextlib import ContextDecorator
from typing import Any, NamedTuple

import numpy as np

from .. import errors, state
from ..engine.backward_pass import current_pass
from ..errors.arguments import check_bool
from ..errors.callers import program_frame
from ..errors.notices import warn
from ..function import Output
from ..function.naming import node_name
from ..function.plan import argument
from ..grad_fn.torch_names import inputs_of
from ..tensor import Tensor
from .function_hooks import remove_observer


class AnomalyError(errors.MicrogadError, RuntimeError):
    """Raised for a NaN, or an unexpected infinity. `op` and `path` are the operation and module that it came from."""

    op: str = ""
    path: str = ""


class Source(NamedTuple):
    """The operation that a non-finite value came from."""

    order: int  # sources are numbered; of several the oldest one is reported
    op: str
    path: str
    told: str  # what the operation did, in words

    def error(self, before: str = "", after: str = "") -> AnomalyError:
        """Return the exception that reports this source, with text before and after."""
        made = AnomalyError(f"{before}{errors.place(self.op, self.path)}: {self.told}{after}")
        made.op, made.path = self.op, self.path
        return made


class Tracer(state.Observer):
    """An observer that follows every non-finite value back to its source, forward and backward.

    `names` maps names to Tensors, such as a model's parameters; a NaN in one of them is reported by its name. With
    `halt`, a NaN raises AnomalyError at once (unless `check_nan` is false), and an error in a backward pass gives a
    warning with the traceback of the operation's call.

    >>> x = torch.tensor([1.0, -1.0])
    >>> tracer = Tracer()
    >>> with np.errstate(all="ignore"), microgad.state.scope(observer=tracer):
    ...     y = (x.log() * 2).exp()
    >>> tracer.source(y).op, tracer.source(x)
    ('Log', None)
    """

    takes_batches = True

    def __init__(self, names: Mapping[str, Any] | None = None, halt: bool = False, check_nan: bool = True) -> None:
        self.outer = state.current().observer
        self.halt, self.check_nan = halt, check_nan
        self._names = {id(tensor): name for name, tensor in (names or {}).items()}
        self._sources: dict[int, tuple[Any, Source]] = {}  # by a Tensor's id; holding the Tensor keeps the id its own
        self._backward: dict[int, Source] = {}  # by the number of the node that receives the gradient
        self._stacks: dict[int, traceback.StackSummary] = {}  # the call that recorded a node, by the node's number
        self._inside: Source | None = None  # in the derivatives that are being computed

    def source(self, tensor: Any) -> Source | None:
        """Return where a Tensor's non-finite values came from; None if it has none, or if none was seen to arise."""
        return self._sources.get(id(tensor), (None, None))[1]

    def source_of_gradient(self, tensor: Any) -> Source | None:
        """Return where the non-finite values of a Tensor's gradient came from."""
        return self._backward.get(tensor.node.number) if tensor.node is not None else None

    def forward(self, node: Any, inputs: tuple[Any, ...], out: Any) -> None:
        """Check an operation's results."""
        super().forward(node, inputs, out)
        if self.halt and hasattr(node, "number"):
            self._stacks[node.number] = _program_stack()
        if not self.check_nan:
            return
        bad = [(tensor, kind) for tensor in (out if type(out) is tuple else (out,)) if (kind := nonfinite_kind(tensor))]
        if not bad:
            return
        kind = bad[0][1]
        source = self._inherited(inputs) or self._new_source(node, inputs, kind)
        for tensor, _ in bad:
            self._sources[id(tensor)] = tensor, source
        if not self.halt or all(kind != "NaN" for _, kind in bad):
            return
        if current_pass() is not None:  # only the gradients count: a NaN on the way to them may be masked
            self._inside = self._inside or source
        else:
            here = errors.place(type(node).__name__, state.current().path)
            raise source.error(after="" if source.told.startswith("produced NaN") else f". It became NaN in {here}")

    def begin_backward(self, node: Any, grad: Any) -> None:
        """Forget the operations of other derivatives."""
        super().begin_backward(node, grad)
        self._inside = None

    def backward(self, node: Any, gradients: list[Any]) -> None:
        """Check the gradients of an operation's inputs."""
        super().backward(node, gradients)
        if not self.check_nan:
            return
        for i, (edge, grad) in enumerate(zip(node.edges, gradients, strict=True)):
            kind = nonfinite_kind(grad)
            if not kind or edge is None:
                continue
            source = self._backward.get(node.number) or self._inside or Source(
                len(self._sources) + len(self._backward), type(node).__name__, node.path,
                f"the gradient of its input {argument(node, i)} {tuple(grad.shape)} is the first one with {kind}",
            )  # fmt: skip
            for target in (edge, *(edge.edges if isinstance(edge, Output) else ())):
                self._backward.setdefault(target.number, source)
            if self.halt and kind == "NaN":
                stack, index = self._stacks.get(node.number), inputs_of(node).index(i)
                before = f"Function '{node_name(node)}' returned nan values in its {index}th output. backward: "
                after = f". It was recorded at {stack[-1].filename}, line {stack[-1].lineno}" if stack else ""
                raise source.error(before, after)

    def failed(self, node: Any) -> None:
        """Warn of an error in backward, with the call that recorded the operation."""
        super().failed(node)
        if not self.halt:
            return
        stack = self._stacks.get(node.number)
        told = f"Error detected in {node_name(node)}. " + (
            "Traceback of forward call that caused the error:\n" + "".join(stack.format()) if stack else
            "No forward pass information available. Enable detect anomaly during forward pass for more information."
        )  # fmt: skip
        try:
            warn(told)
        except Warning:  # the program turns warnings into errors, but the error that is on its way matters more
            print(told, file=sys.stderr)

    def _inherited(self, inputs: tuple[Any, ...]) -> Source | None:
        """Return the source of the inputs' non-finite values: NaN before infinity, an older source before a younger."""
        known = [(nonfinite_kind(x) != "NaN", *self._sources[id(x)][1:]) for x in inputs if id(x) in self._sources]
        return min(known)[1] if known else None

    def _new_source(self, node: Any, inputs: tuple[Any, ...], kind: str) -> Source:
        """Make the source for an operation that is the first one with non-finite values."""
        told = f"produced {kind} from finite inputs: {_describe_inputs(node, inputs)}"
        for i, x in enumerate(inputs):
            if found := nonfinite_kind(x):
                name = self._names.get(id(x), "")
                told = f"produced {kind}, but its input {argument(node, i)}{name and f' ({name})'} held {found} before"
                break
        return Source(len(self._sources) + len(self._backward), type(node).__name__, state.current().path, told)


def _program_stack() -> traceback.StackSummary:
    """Return the calls that lead to the innermost frame that isn't microgad's own. Source lines aren't read yet."""
    stack = traceback.StackSummary.extract(traceback.walk_stack(program_frame()[0]), lookup_lines=False)
    stack.reverse()
    return stack


def nonfinite_kind(x: Any) -> str:
    """Return "NaN", "inf" or "-inf" if a Tensor, array or number has such a value, "NaN" before others; else "".

    >>> nonfinite_kind(torch.tensor([1.0, float("-inf")])), nonfinite_kind(2.0), nonfinite_kind(None)
    ('-inf', '', '')
    """
    values = x.array if isinstance(x, Tensor) else x
    values = getattr(values, "innermost", values)  # of all slices, under vmap
    if isinstance(values, (float, complex)):
        values = np.asarray(values)
    if getattr(getattr(values, "dtype", None), "kind", "") not in ("f", "c") or np.isfinite(values).all():
        return ""
    if np.isnan(values).any():
        return "NaN"
    return "-inf" if (values == -np.inf).any() else "inf"


def _describe_inputs(node: Any, inputs: tuple[Any, ...]) -> str:
    """Describe an operation's inputs, as "x (128, 10) from -0.3 to 2.1, other 0.5"."""
    told = []
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor):
            real = x.array.dtype.kind in "fiu" and x.array.size
            values = getattr(x.array, "innermost", x.array)
            ends = (float(values.min()), float(values.max())) if real else None
            told.append(describe_range(argument(node, i), tuple(x.array.shape), ends))
        elif x is not None:
            told.append(f"{argument(node, i)} {x!r}")
    return ", ".join(told)


def describe_range(name: str, shape: tuple[int, ...], ends: tuple[float, float] | None) -> str:
    """Describe an array by its shape and range, as "x (128, 10) from -0.3 to 2.1"."""
    return f"{name} {shape}" + (f" from {ends[0]:.4g} to {ends[1]:.4g}" if ends is not None else "")


def _current_tracer() -> Tracer | None:
    """Return the tracer that `detect_anomaly` has installed, or None."""
    return next((x for x in state.observers() if isinstance(x, Tracer) and x.halt), None)


def _replace_tracer(tracer: Tracer | None) -> Tracer | None:
    """Install a tracer in place of the current one, and return that; other observers stay."""
    if (before := _current_tracer()) is not None:
        remove_observer(before)
    if tracer is not None:
        tracer.outer = state.current().observer
        state.variable.set(state.changed(observer=tracer))
    return before


class set_detect_anomaly:
    """Switch anomaly detection on or off, from here on or for a block: see `detect_anomaly`.

    Source: torch.autograd.set_detect_anomaly.

    >>> torch.autograd.set_detect_anomaly(False)
    set_detect_anomaly(False)
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        check_bool("set_detect_anomaly", mode=mode, check_nan=check_nan)
        self.mode = mode
        self._before = _replace_tracer(Tracer(halt=True, check_nan=check_nan) if mode else None)

    def __enter__(self) -> None:
        """Do nothing: the mode is set when the object is made."""

    def __exit__(self, *_: object) -> None:
        _replace_tracer(self._before)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.mode})"


class detect_anomaly(ContextDecorator):
    """Raise RuntimeError when an operation or derivative produces NaN, in a block or a decorated function.

    The error names the operation and module that the NaN came from; if it came from an infinity, those that produced
    the infinity. In a backward pass it also gives the line that recorded the operation. Results are checked as well as
    gradients, which are all that PyTorch checks, but not what is computed on the way to a gradient. The
    checks take time; an infinity alone doesn't raise. With check_nan=False nothing is checked. Any error in a backward
    pass, such as that of a value modified in place, comes with a warning that has the traceback of the operation's
    call. It is on in the thread that enters the block alone, whereas in PyTorch it is on in all threads.
    Source: torch.autograd.detect_anomaly.

    >>> x = torch.tensor([4.0, -1.0], requires_grad=True)
    >>> with torch.autograd.detect_anomaly(), np.errstate(invalid="ignore"):
    ...     (x * 2).log().sum()
    Traceback (most recent call last):
    microgad.autograd.anomaly.AnomalyError: Log: produced NaN from finite inputs: x (2,) from -2 to 8
    """

    def __init__(self, check_nan: bool = True) -> None:
        warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging."
        )
        self.check_nan = check_nan
        self._active: list[set_detect_anomaly] = []  # a stack: one object may be entered again inside its own block

    def __enter__(self) -> None:
        self._active.append(set_detect_anomaly(True, self.check_nan))

    def __exit__(self, *_: object) -> None:
        self._active.pop().__exit__()


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on. Source: torch.is_anomaly_enabled.

    >>> with torch.autograd.detect_anomaly():
    ...     torch.is_anomaly_enabled()
    True
    """
    return _current_tracer() is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN; True while it is off. Source: torch.is_anomaly_check_nan_enabled.

    >>> with torch.autograd.detect_anomaly(check_nan=False):
    ...     torch.is_anomaly_check_nan_enabled()
    False
    """
    return (tracer := _current_tracer()) is None or tracer.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch anomaly detection on or off, from here on. Source: torch.set_anomaly_enabled.

    >>> torch.set_anomaly_enabled(False)
    """
    set_detect_anomaly(mode, check_nan)

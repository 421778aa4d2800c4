"""A live view of training: the page of `Tape.page`, served with losses and gradient norms as training goes on."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import backend, state
from ...autograd.function_hooks import remove_observer
from ...engine import backward_pass
from ...errors import ArgumentError
from ...errors.own_arguments import checked
from ...function import Function
from ...function.half import norm
from ...tensor import Tensor
from ...type_aliases import Array
from ..recording.node_reader import names_of
from ..tape import Tape

if TYPE_CHECKING:
    from ..recording.recorder import Recorder
    from .serving import Server

MAX_STEPS = 2000  # most recent steps that are kept
MAX_RECORDED = 20  # most recent steps that are kept with statistics of their operations, besides the first


@checked
def watch(model: Any, *, port: int = 0, every: int = 50, open: bool = False) -> Watch:
    """Show a model in a browser while it trains: its graph, and the loss and gradient norms of each step.

    A step is a backward pass that reaches parameters of `model`, a module or a dict of names to Tensors. Every
    `every`th step, from the first one on, also has statistics and times of all operations. Only the current thread is
    watched, until `close()` or the end of a `with` block.

    The page is served on 127.0.0.1 at `port`, or at a free port for 0; `url` is its address. `open` opens it in a
    browser. `save(path)` writes it to a file. Raises ValueError if `every` is less than 1, and OSError for a port that
    is in use.

    >>> model = torch.nn.Linear(3, 1)
    >>> with torch.graph.watch(model) as live:
    ...     for _ in range(2):
    ...         model(torch.ones(2, 3)).mean().backward()
    >>> live
    <Watch: 2 steps, closed>
    """
    if every < 1:
        raise ArgumentError(f"watch: every must be at least 1, got {every}")
    return Watch(names_of(model), type(model).__name__, port, every, open)


class Watch:
    """A live view of a model: see `watch`."""

    def __init__(self, names: dict[str, Tensor], title: str, port: int, every: int, open: bool) -> None:
        from .serving import Server

        self._history = StepHistory(title)
        self._server: Server | None = Server(self._history, port)
        self.url = self._server.url
        self._watcher = Watcher(names, self._history, every)
        if open:
            import webbrowser

            webbrowser.open(self.url)
        state.variable.set(state.changed(observer=self._watcher))  # last, in case that the browser raises an error

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The number, the loss, and the gradient norms by parameter, of each step so far."""
        return [{name: step[name] for name in ("number", "loss", "norms")} for step in self._history.steps_after(-1)]

    def save(self, path: str | Path) -> None:
        """Write the steps so far as a page that needs no server."""
        from .page import document

        Path(path).write_text(document(self._history.page()), encoding="utf-8")

    def close(self) -> None:
        """Stop watching and serving. A page that is open in a browser keeps what it shows."""
        if self._server is None:
            return
        self._watcher.close()
        remove_observer(self._watcher)
        self._history.open = False
        self._server.close()
        self._server = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        count = self._history.count
        return f"<Watch: {count:,} step{'' if count == 1 else 's'}, {'closed' if self._server is None else self.url}>"


class StepHistory:
    """The steps so far, for access from the thread that serves them."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.count = 0
        self.open = True
        self.graph = self.page_data(Tape([], [], []))
        self._steps: deque[dict[str, Any]] = deque(maxlen=MAX_STEPS)
        self._lock = threading.Lock()

    def page_data(self, tape: Tape) -> dict[str, Any]:
        from .page_data import page_data

        return page_data(tape, self.title)

    def add(self, tape: Tape | None, loss: Any, norms: dict[str, float]) -> None:
        """Add a step. `tape` has its operations, if they were recorded."""
        from .page_data import short, step_of

        if tape is not None and not self.graph["ops"]:
            self.graph = self.page_data(tape)
        step: dict[str, Any] = {
            "number": self.count,
            "label": f"step {self.count}",
            "loss": None if loss is None else short(float(loss)),
            "norms": {name: short(norm) for name, norm in norms.items()},
        }
        if tape is not None and [op.name for op in tape.ops] == [op["name"] for op in self.graph["ops"]]:
            step = step_of(tape) | step
        with self._lock:
            self._steps.append(step)
            self.count += 1
            recorded = [one for one in self._steps if "ops" in one]
            for one in recorded[1:-MAX_RECORDED]:
                del one["ops"], one["sources"]

    def steps_after(self, number: int) -> list[dict[str, Any]]:
        """Return the steps after this one, with norms by name."""
        with self._lock:
            return [dict(step) for step in self._steps if step["number"] > number]

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the steps after this one for the page, with norms in the order of its sources."""
        names = [source["name"] for source in self.graph["sources"]]
        return [step | {"norms": [step["norms"].get(name) for name in names]} for step in self.steps_after(number)]

    def page(self) -> dict[str, Any]:
        """Return all data of the page."""
        return {**self.graph, "steps": self.after(-1)}


class Watcher(state.Observer):
    """An observer that finds the end of each training step, its loss, and its gradient norms."""

    def __init__(self, names: dict[str, Tensor], history: StepHistory, every: int) -> None:
        self.names, self.history, self.every = names, history, every
        self.outer = state.current().observer
        self.recorder: Recorder | None = None
        self.scalars: dict[int, Any] = {}  # number of a node -> its scalar result, which may be the loss
        self.lowest = 0  # number of the last node of the current backward pass
        self.loss: Any = None
        self.norms: dict[str, float] = {}
        self.closed = False
        self.handles = [
            x.register_post_accumulate_grad_hook(self.hook(name)) for name, x in names.items() if x.requires_grad
        ]
        self.record()

    @property
    def around(self) -> state.Observer | None:
        """The observer that was active before this one."""
        return self.outer if self.recorder is None else self.recorder.outer

    def hook(self, name: str) -> Any:
        def note(x: Tensor) -> None:
            assert x.grad is not None
            grad = x.grad.array.reshape(-1)
            self.norms[name] = float(norm(grad))

        return note

    def begin(self, node: Any, inputs: tuple[Any, ...], target: Any = None) -> None:
        """End the step at the first operation after its backward pass."""
        if self.norms and self.training():
            self.end()
        self.recipient().begin(node, inputs, target)

    def forward(self, node: Any, inputs: tuple[Any, ...], out: Any) -> None:
        """Keep a scalar result, which may be the loss."""
        if hasattr(node, "number") and type(out) is Tensor and out.array.size == 1 and out.array.dtype.kind == "f":
            self.scalars[node.number] = out.array
        self.recipient().forward(node, inputs, out)

    def inside(self, node: Any) -> state.Observer | None:
        """Treat an autograd.Function as one operation."""
        return self.around

    def begin_backward(self, node: Function, grad: Array) -> None:
        """A node that is newer than the last one begins a backward pass, so its result is the loss."""
        if node.number >= self.lowest and node.number in self.scalars:
            self.loss = self.scalars[node.number]
        self.lowest = node.number
        super().begin_backward(node, grad)

    def training(self) -> bool:
        """Whether an operation belongs to a training step: it is part of neither a backward pass nor evaluation."""
        return state.current().grad_enabled and backward_pass.current_pass() is None and not self.closed

    def recipient(self) -> state.Observer:
        """Return the observer to pass an operation on to, which is not the recorder during evaluation."""
        around = self.outer if state.current().grad_enabled else self.around
        return around or IGNORE

    def record(self) -> None:
        """Record the operations of the next step."""
        from ..recording.recorder import Recorder, RecordOptions

        options = RecordOptions(stats=True, time=True, source=True)
        self.outer = self.recorder = Recorder(options, self.names, self.outer)

    def end(self) -> None:
        """End the step."""
        tape = None
        if self.recorder is not None:
            self.recorder.close()
            tape, self.outer, self.recorder = self.recorder.tape, self.around, None
        loss = None if self.loss is None else backend.to_numpy(self.loss).item()
        self.history.add(tape, loss, self.norms)
        self.norms, self.loss, self.scalars = {}, None, {}
        if self.history.count % self.every == 0 and not self.closed:
            self.record()

    def close(self) -> None:
        """Stop watching."""
        self.closed = True
        for handle in self.handles:
            handle.remove()
        if self.norms:
            self.end()
        self.outer, self.recorder = self.around, None


IGNORE = state.Observer()

"""A live view of training: the page of `Tape.page`, served here, with losses and gradient norms as they come."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import backend, state
from ...autograd.function_hooks import remove_observer
from ...dtypes.number_kinds import norm
from ...engine import leaves
from ...errors import ArgumentError
from ...function import Function
from ...tensor import Tensor
from ..recording.node_reader import names_of
from ..tape import Tape

if TYPE_CHECKING:
    from ..recording.recorder import Recorder
    from .serving import Server

LONGEST = 2000  # steps that are held
RECORDED = 20  # of them with statistics of operations


def watch(model: Any, *, port: int = 0, every: int = 50, open: bool = False) -> Watch:
    """Watch a model train, in a browser on this machine: its graph, and loss and gradient norms of each step.

    A step is a backward pass that reaches parameters of `model`, a module or a dict of names to Tensors. The first, and
    each `every`th after, has statistics and times of all operations too. Only what this thread does is seen, from the
    call on until `close()`, or to the end of a `with` block. `url` says where it is, on 127.0.0.1 at `port` (a free one
    for 0); `open` opens a browser there. `save(path)` writes what was seen as a page. Raises ValueError for `every`
    below 1 and OSError for a port that is taken.

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
    """A model that is watched: see `watch`."""

    def __init__(self, names: dict[str, Tensor], title: str, port: int, every: int, open: bool) -> None:
        from .serving import Server

        self._history = StepHistory(title)
        self._server: Server | None = Server(self._history, port)
        self.url = self._server.url
        self._watcher = Watcher(names, self._history, every)
        state.variable.set(state.changed(observer=self._watcher))
        if open:
            import webbrowser

            webbrowser.open(self.url)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """What was seen of each step: "number", "loss", "norms" by parameter."""
        return [{name: step[name] for name in ("number", "loss", "norms")} for step in self._history.seen(-1)]

    def save(self, path: str | Path) -> None:
        """Write what was seen so far as a page that needs no server."""
        from .page import document

        Path(path).write_text(document(self._history.page()), encoding="utf-8")

    def close(self) -> None:
        """See no more, and serve no more. A page that is open in a browser keeps what it has."""
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
    """What has been seen, for the thread that serves it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.count = 0
        self.open = True
        self.graph = self.page_data(Tape([], [], []))
        self._steps: deque[dict[str, Any]] = deque(maxlen=LONGEST)
        self._lock = threading.Lock()

    def page_data(self, tape: Tape) -> dict[str, Any]:
        from .page_data import page_data

        return page_data(tape, self.title)

    def add(self, tape: Tape | None, loss: Any, norms: dict[str, float]) -> None:
        """A step has ended; `tape` has what was recorded of it, if it was."""
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
            for one in recorded[1:-RECORDED]:
                del one["ops"], one["sources"]

    def seen(self, number: int) -> list[dict[str, Any]]:
        """The steps after this one."""
        with self._lock:
            return [dict(step) for step in self._steps if step["number"] > number]

    def after(self, number: int) -> list[dict[str, Any]]:
        """The same for the page: norms by its sources."""
        names = [source["name"] for source in self.graph["sources"]]
        return [step | {"norms": [step["norms"].get(name) for name in names]} for step in self.seen(number)]

    def page(self) -> dict[str, Any]:
        """All there is, as the page's data."""
        return {**self.graph, "steps": self.after(-1)}


class Watcher(state.Observer):
    """An observer that finds where a training step ends, and what its loss and its gradients were."""

    def __init__(self, names: dict[str, Tensor], history: StepHistory, every: int) -> None:
        self.names, self.history, self.every = names, history, every
        self.outer = state.current().observer
        self.recorder: Recorder | None = None
        self.scalars: dict[int, Any] = {}  # by a node's number: what may turn out to be the loss
        self.lowest = 0  # number of the last node that this backward pass came to
        self.loss: Any = None
        self.norms: dict[str, float] = {}
        self.closed = False
        self.handles = [
            x.register_post_accumulate_grad_hook(self.hook(name)) for name, x in names.items() if x.requires_grad
        ]
        self.record()

    @property
    def around(self) -> state.Observer | None:
        """The observer around this one, and around its recorder."""
        return self.outer if self.recorder is None else self.recorder.outer

    def hook(self, name: str) -> Any:
        def note(x: Tensor) -> None:
            assert x.grad is not None
            grad = x.grad.array.reshape(-1)
            self.norms[name] = float(norm(grad))

        return note

    def begin(self, node: Any, inputs: tuple[Any, ...], target: Any = None) -> None:
        """An operation begins: the first one after a backward pass is of the next step."""
        if self.norms and self.training():
            self.end()
        self.seen().begin(node, inputs, target)

    def forward(self, node: Any, inputs: tuple[Any, ...], out: Any) -> None:
        """It has computed: it may be the loss."""
        if hasattr(node, "number") and type(out) is Tensor and out.array.size == 1 and out.array.dtype.kind == "f":
            self.scalars[node.number] = out.array
        self.seen().forward(node, inputs, out)

    def inside(self, node: Any) -> state.Observer | None:
        """An autograd.Function is one operation."""
        return self.around

    def begin_backward(self, node: Function, grad: Any) -> None:
        """A node that is newer than the last one begins a backward pass: it made the loss."""
        if node.number >= self.lowest and node.number in self.scalars:
            self.loss = self.scalars[node.number]
        self.lowest = node.number
        super().begin_backward(node, grad)

    def training(self) -> bool:
        """Whether what is computed now may be of the next step: it is no part of a backward pass, nor evaluation."""
        return state.current().grad_enabled and leaves.current_pass() is None and not self.closed

    def seen(self) -> state.Observer:
        """Who sees an operation: evaluation between two steps isn't recorded."""
        around = self.outer if state.current().grad_enabled else self.around
        return around or NOBODY

    def record(self) -> None:
        from ..recording.recorder import Recorder, RecordOptions

        options = RecordOptions(stats=True, time=True, source=True)
        self.outer = self.recorder = Recorder(Tape([], [], []), options, self.names, self.outer)

    def end(self) -> None:
        """The step has ended."""
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
        """See no more."""
        self.closed = True
        for handle in self.handles:
            handle.remove()
        if self.norms:
            self.end()
        self.outer, self.recorder = self.around, None


NOBODY = state.Observer()

"""Tape: the recorded operations as plain data. All drawings, pages, tables and queries are views of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from ..tensor import Tensor
    from .drawing.graph import Graph
    from .options import DrawOptions, GradientOptions, ReplayOptions
    from .queries.diff import Diff
    from .queries.gradient_path import Cut
    from .queries.memory import Memory
    from .queries.non_finite import NonFinite
    from .queries.tables import Table
    from .replay_data import BackwardPass, Call, Home, Recipe
    from .replays.program import Program
    from .replays.replaying import Replay
    from .replays.verifying import Verification
    from .statistics import Stats

Shape = tuple[int, ...]
ANOTHER = " (another)"  # ends the name of a Source if another one has that name already, as in a copied module


@dataclass(slots=True)
class Source:
    """A value that no operation on the tape computed: a parameter, another leaf, or a constant without a gradient."""

    number: int  # the number of the leaf's node, or else -1, -2, ...
    kind: Literal["parameter", "leaf", "constant"]
    name: str  # "features.0.weight", or empty
    shape: Shape | None  # None: a constant that has been freed
    dtype: str | None
    value: Any = None  # the Python number, if it is 0-d
    array: Any = None  # for replays: its values when it was first read
    stats: Stats | None = None
    gradient: Stats | None = None
    made_by: int | None = None  # number of the Op that computed it before it was made a leaf
    computed: bool = False  # whether it is no leaf, but was computed before the tape began
    gradient_of: str = ""  # name or kind of the leaf whose `.grad` it is, if it has no name of its own
    version: int = 1  # which value of its Tensor: what no operation on the tape changed it to is another Source


@dataclass(slots=True)
class Input:
    """One argument of an operation."""

    name: str  # "weight", "inputs[1]"
    source: int | None  # number of the Op or Source that it comes from; None for numbers, None, and if unknown
    index: int  # which result of that Op
    shape: Shape | None
    dtype: str | None
    value: Any = None  # the number, if it is a Python number
    wanted: bool = False  # whether it required grad when it was read
    got: str = ""  # what backward gave it: "nothing"; with statistics also "zeros", "NaN" or "inf"
    written: int | None = None  # number of the Op that last wrote to its memory through another view

    @property
    def origin(self) -> int | None:
        """The number of the Op or Source that last computed it or wrote to it."""
        return self.source if self.written is None else self.written


@dataclass(slots=True)
class Kept:
    """The description of an array that an operation keeps for backward."""

    name: str  # "weight", "out", "mask"
    role: Literal["input", "output", "intermediate", "setting"]
    shape: Shape
    dtype: str
    bytes: int  # the size of its memory: a view holds all that it is a view of
    memory: int  # arrays that share memory have the same number
    leaf: int | None  # number of the parameter, buffer or leaf whose memory it is, if it takes none of its own


@dataclass(slots=True)
class Op:
    """One recorded operation."""

    number: int  # its node's number, which grows in the order of execution
    name: str  # "Conv2d"
    symbol: str  # "×"; may be empty
    path: str  # path of the module that called it: "features.0"
    settings: dict[str, Any]  # as plain data: numbers, strings, tuples; an array as "int64 (3,)"
    inputs: list[Input]
    shapes: list[Shape]  # one for each result
    dtypes: list[str]  # one for each result
    kept: list[Kept]
    freed: bool  # whether backward has freed what it kept
    call: int = 0  # which recorded call of that module it belongs to, counted from 0
    line: str = ""  # the line of the program that called it: "train.py, line 12"
    layouts: list[str] = field(default_factory=list)  # if recorded: "contiguous", "view", "expanded" or "strided"
    flops: int | None = None  # additions and multiplications; None if not known
    seconds: float | None = None
    backward_seconds: float | None = None
    stats: list[Stats] | None = None  # one for each result
    gradients: list[Stats | None] | None = None  # statistics of each result's gradient
    values: list[Any] | None = None  # copies of the results
    recipe: Recipe | None = None  # how to repeat it in a replay
    recorded: bool = True  # whether autograd recorded it, so that gradients can flow through it
    in_place: bool = False  # whether it wrote into its first input
    passes: int = 0  # how many recorded backward passes went through it
    passed: int = 0  # which recorded backward pass last went through it, counted from 1
    recomputed: bool = False  # whether a checkpoint computes it again in backward, and it keeps nothing itself
    own: bool = False  # whether it is a program's own Function, which may have the name of one of microgad's
    overflowed: bool = False  # whether it is elementwise and, if recorded, made an infinity of finite elements
    derives: int | None = None  # number of the operation whose derivative it is part of; its own: it adds gradients
    derived: str = ""  # its path and name, after a "∂" for each derivative that it is part of itself: "∂features.0.Mul"

    @property
    def bytes(self) -> int:
        """Bytes that it keeps for backward, without memory that parameters and leaves hold anyway."""
        return total([self])

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"<Op {self.number}: {self.name}{where}, {', '.join(map(str, self.shapes))}>"


@dataclass(slots=True)
class Result:
    """A Tensor at the end of the graph: an output."""

    source: int  # number of the Op or Source that it comes from
    index: int
    name: str
    shape: Shape
    dtype: str
    value: Any = None  # the Python number, if it is 0-d
    gradient: Stats | None = None  # that `retain_grad` has kept of a 0-d one

    @property
    def origin(self) -> int:
        """The number of the Op or Source that it comes from; an Input has this property too."""
        return self.source


class Tape:
    """The operations that led to some Tensors, as plain data. Unless it was recorded with values, it holds no arrays.

    `ops` are the operations and `sources` the values that came from outside, both oldest first. `results` are the
    outputs. `tape[number]` is the Op or Source with that number.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> tape = torch.graph.graph((x * x).exp()).tape
    >>> [op.name for op in tape], [source.kind for source in tape.sources]
    (['Mul', 'Exp'], ['leaf'])
    """

    __slots__ = ("_by_number", "calls", "links", "names", "ops", "passes", "results", "sources", "variables")

    def __init__(self, ops: list[Op], sources: list[Source], results: list[Result]) -> None:
        self.ops, self.sources, self.results = ops, sources, results
        self.passes: list[BackwardPass] = []  # only with record(replay=True), as the next two
        self.calls: list[Call] = []
        self.links: dict[int, Home] = {}  # of constants that derivatives read
        self.names: list[str] = []  # of the Tensors in `params`, also of those that no operation read
        self.variables: list[Source] = []  # in `params`, with the numbers of the operations that made them
        self._by_number = {op.number: op for op in ops} | {source.number: source for source in sources}

    def add(self, entry: Op | Source) -> None:
        """Append an Op or a Source."""
        (self.ops if isinstance(entry, Op) else self.sources).append(entry)  # type: ignore[arg-type]
        self._by_number[entry.number] = entry

    def find(self, number: int | None) -> Op | Source | None:
        """Return the Op or Source with this number, or None."""
        return self._by_number.get(number)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.ops)

    def __iter__(self) -> Iterator[Op]:
        return iter(self.ops)

    def op(self, place: int) -> Op:
        """Return the operation at a position of the tape. As for a list, -1 is the last."""
        return self.ops[place]

    def __getitem__(self, key: Any) -> Any:
        """Look up operations and sources by number, operation name, module path or source name.

        `tape[17]` is the Op or Source with that number. `tape["Conv2d"]` is a list of all operations of that name, and
        `tape["Conv2d", 2]` the third of them. `tape["features.0"]` is a list of all operations of a module, and
        `tape["features.0", 2]` the third. `tape["features.0.weight"]` is a Source. Raises KeyError, or IndexError.
        """
        if isinstance(key, tuple):
            name, place = key
            return self[name][place]
        if not isinstance(key, str):
            if key not in self._by_number:
                raise KeyError(f"nothing on the tape has the number {key!r}; for a position, use tape.op(position)")
            return self._by_number[key]
        found: Any = [op for op in self.ops if op.name == key]
        found = found or [op for op in self.ops if op.path == key or op.path.startswith(f"{key}.")]
        if found := found or next((source for source in self.sources if source.name == key), None):
            return found
        import difflib

        names = dict.fromkeys([op.name for op in self.ops] + [op.path for op in self.ops if op.path])
        near = difflib.get_close_matches(key, [*names, *(s.name for s in self.sources)], 3, 0.5)
        shown = f"; there is {', '.join(near)}" if near else ""
        raise KeyError(f"no operation, module or source is named {key!r}{shown}")

    def replay(self, **given: Unpack[ReplayOptions]) -> Replay:
        """Run the operations again: see `graph.replays.replaying.replay` for the arguments."""
        from .replays.replaying import replay

        return replay(self, **given)

    def gradient(self, of: Any, wrt: Any, **given: Unpack[GradientOptions]) -> Tensor:
        """Return the gradient of one operation's result with respect to another's, computed on a replay.

        `of` and `wrt` are keys of `tape[...]`; of several operations, the last is taken. The keyword argument `grad` is
        the gradient of `of`, by default ones; the others are those of `replay`. Raises RuntimeError if `of` doesn't
        depend on `wrt`.

        >>> tape = torch.trace(lambda x: (x * 3).exp().sum(), torch.zeros(2))
        >>> tape.gradient("Sum", "Mul"), tape.gradient("Exp", tape.sources[0].number)
        (tensor([1., 1.]), tensor([3., 3.]))
        """
        from .replays.replaying import gradient

        return gradient(self, of, wrt, **given)

    def to_networkx(self) -> Any:
        """Return a networkx.MultiDiGraph with a node for each operation and source, and an edge for each input.

        Nodes are numbers; operations have the columns of `to_pandas`. Raises ImportError without networkx.

        >>> graph = torch.trace(torch.exp, torch.ones(2)).to_networkx()
        >>> [data["name"] for _, data in graph.nodes(data=True)], [data["shape"] for *_, data in graph.edges(data=True)]
        (['x', 'Exp'], [(2,)])
        """
        from .files.exporting import to_networkx

        return to_networkx(self)

    def to_pandas(self) -> Any:
        """Return a pandas.DataFrame with one row per operation, indexed by number. Raises ImportError without pandas.

        >>> torch.trace(torch.exp, torch.ones(2)).to_pandas()["name"].tolist()
        ['Exp']
        """
        from .files.exporting import to_pandas

        return to_pandas(self)

    def verify(self) -> Verification:
        """Replay the tape, and check that all results and gradients are the same, bit for bit.

        If they are, the tape holds all that the program computed. Raises RuntimeError without `replay=True`.

        >>> with torch.record(replay=True) as tape:
        ...     torch.nn.functional.dropout(torch.ones(3, requires_grad=True)).sum().backward()
        >>> tape.verify()
        <verified: 2 operations and 2 gradients are the same, bit for bit>
        """
        from .replays.verifying import verify

        return verify(self)

    def draw(self, **options: Unpack[DrawOptions]) -> Graph:
        """Draw the tape. A notebook displays the drawing, `.save("net.svg")` writes it to a file, `.view()` opens it.

        By default as much detail is shown as fits in `limit` (60) boxes. To save boxes, what repeats is drawn once with
        its count (`roll`), chains of operations are one box (`fold`), and inner modules are closed: those from level
        `depth` on, None to open all. `collapse` and `expand` are patterns of further paths to close or open ("net.*").

        `show_saved=False` hides what is kept for backward, `rankdir` is the direction of the arrows ("TB", "LR", "BT"
        or "RL"), and `theme` is "light" or "dark". `color` fills boxes by "bytes" or "flops", or, if recorded (else
        it raises RuntimeError), "time", "gradient", "zeros" or "nan". Scalars with statistics show value and gradient.
        `leaves=True` keeps modules without submodules closed, `frames=False` draws no frames around them, `beside=True`
        draws the backward pass beside the forward. `mark` highlights operations. Raises ValueError for other values.

        >>> x = torch.ones(2, requires_grad=True)
        >>> drawn = (x * 3).sum().graph().tape.draw(rankdir="LR")
        >>> print("\\n".join(drawn.mermaid.splitlines()[:3]))
        flowchart LR
          source0("leaf")
          op0["× Mul<br/>b = 3"]
        """
        from .drawing.graph import Graph

        return Graph(self, **options)

    def page(self, path: str | Path | None = None, title: str = "", steps: Sequence[Tape] = ()) -> str:
        """Return the tape as one HTML page that works offline, and write it to `path` if that is given.

        Modules are opened by a click, and a panel shows an operation's derivative and source line. `steps` are later
        recordings of the same operations, for a slider. Raises ValueError for others, and for more than browsers hold.

        >>> x = torch.ones(2, requires_grad=True)
        >>> (x * 3).sum().graph().tape.page(title="Three times").splitlines()[6]
        '<title>Three times</title>'
        """
        from .pages.page import page

        return page(self, path, title, steps)

    def diff(self, other: Tape, rtol: float = 0.0, dtypes: bool = True, settings: bool = True) -> Diff:
        """Compare with another tape, and return the differences in order: see `graph.queries.diff.diff`.

        >>> with torch.record() as mine:
        ...     y = torch.ones(2).exp().sum()
        >>> with torch.record() as theirs:
        ...     y = torch.ones(3).exp().sum()
        >>> print(mine.diff(theirs))
        first Exp: shapes [(2,)], in the other [(3,)]
              Σ Sum: x_shape is (2,), in the other (3,)
              constant: shape (2,), in the other (3,)
        """
        from .queries.diff import diff

        return diff(self, other, rtol, dtypes, settings)

    def table(
        self, sort: str | None = None, by: str | None = None, rows: int = 60, depth: int | None = None,
        width: int | None = None,
    ) -> Table:  # fmt: skip
        """Return a table of what operations cost: bytes kept for backward, flops, and times if they were recorded.

        `sort` is "bytes" (kept), "flops", "time" or "calls": in descending order. `by` is "op" or "module" and groups
        the operations; modules are told apart down to level `depth`. The table is as wide as the terminal, or `width`.
        Raises ValueError for other names, and RuntimeError for "time" if no times were recorded.

        >>> x = torch.ones(4, 3, requires_grad=True)
        >>> print((x.exp() * x.exp()).sum().graph().tape.table(sort="bytes", by="op"))
        operation  calls  kept  flops
        Exp            2  96 B     24
        Mul            1  96 B     12
        Sum            1   0 B     12
        4 operations, 1 leaf; 96 B kept for backward, 48 flops
        """
        from .queries.tables import table

        return table(self, sort, by, rows, depth, width)

    def tree(self, depth: int | None = None, rows: int = 200, width: int | None = None) -> Table:
        """Return the tree of modules and their operations as text. Modules at level `depth` have one line each.

        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> print(net(torch.ones(1, 2)).graph(params=net).tape.tree())
        operation  result  kept  flops
        0:         (1, 2)   8 B     10
        └─ Linear  (1, 2)   8 B     10
        1:         (1, 2)   8 B      2
        └─ Relu    (1, 2)   8 B      2
        2 operations, 6 parameters in 2 arrays; 16 B kept for backward
        """
        from .queries.tables import tree

        return tree(self, depth, rows, width)

    def memory(self) -> Memory:
        """Return what is held for backward, by which operations and modules, and what checkpoints would save.

        The peak is that of one backward pass, without parameters' gradients and what checkpoints compute again.

        >>> x = torch.ones(256, requires_grad=True)
        >>> print((x.exp() * x.sin()).sum().graph().tape.memory())
        2.0 KiB held for backward; 5.0 KiB at most, with gradients, at the derivative of × Mul
          2.0 KiB: × Mul keeps a, b
          1.0 KiB: Exp keeps out
        by module: (outside) 2.0 KiB
        """
        from .queries.memory import memory

        return memory(self)

    def why_no_grad(self, of: str | int | Op | Source | Tensor, loss: int | Op | Tensor | None = None) -> Cut:
        """Return where, and how, the path of the gradient to `of` is cut. `of` is a Tensor, a source's name or an Op.

        A tape of `record` has operations without gradients too, and with stats=True shows which derivatives were 0. By
        default `loss` is the last operation that backward went through, or of all. Raises ValueError if not recorded.

        >>> w = torch.ones(2, requires_grad=True)
        >>> with torch.record(params={"w": w}) as tape:
        ...     loss = ((w * 3).detach() + 1).sum()
        >>> cut = tape.why_no_grad("w")
        >>> cut.op.name, cut.reason
        ('Detach', 'detached')
        """
        if hasattr(of, "node") or hasattr(loss, "node"):
            from .queries.explain import why_no_grad as of_tensors

            return of_tensors(of, loss, self)
        from .queries.gradient_path import why_no_grad

        return why_no_grad(self, of, loss)

    def first_bad(self) -> NonFinite | None:
        """Return the operation that first produced a NaN or an infinity, forward or backward; None if there is none.

        Raises RuntimeError unless the tape was recorded with stats=True, or values=True for the forward pass alone. An
        infinity that the program itself put in, such as a mask's -inf, counts only if it becomes a NaN.

        >>> with torch.record(stats=True) as tape, np.errstate(all="ignore"):
        ...     y = torch.tensor([1.0, -1.0]).log() * 2
        >>> print(tape.first_bad())
        Log: produced NaN from finite inputs: x (2,) from -1 to 1
        """
        from .queries.non_finite import first_bad

        return first_bad(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the whole tape as JSON, with the arrays that it holds, and write it to `path` if that is given.

        >>> tape = torch.trace(torch.nn.Linear(2, 1), torch.ones(1, 2))
        >>> bool(torch.graph.Tape.from_json(tape.to_json()).verify())
        True
        """
        from .files.encoding import to_json

        return to_json(self, path)

    @staticmethod
    def from_json(text: str | Path) -> Tape:
        """Read a tape that `to_json` wrote, from its text or a path, without running code from it.

        A string that doesn't begin with "{" is taken for a path. Raises ValueError for other text and files.
        """
        from .files.encoding import from_json

        return from_json(text)

    def program(self) -> Program:
        """Return the recorded forward and backward as a Python program that needs NumPy alone, one line per operation.

        The program contains the definitions of the operations. `.run()` runs it, and `.save("net.py")` writes it with
        its arrays. Raises RuntimeError for a tape recorded without `replay=True`, and for operations without source
        code.

        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> with torch.record(replay=True) as tape:
        ...     (x * x).backward()
        >>> program = tape.program()
        >>> print(*program.text.splitlines()[-14:-8], sep="\\n")
            leaf = np.array(3.0, 'float32')  # () float32
            mul = Mul()(leaf, leaf)  # () float32
        <BLANKLINE>
            grad_mul = np.ones_like(mul)  # () float32
            grad_leaf = fit(Mul().grad_a(grad_mul, leaf), (), 'float32')  # () float32
            grad_leaf = grad_leaf + fit(Mul().grad_b(grad_mul, leaf), (), 'float32')  # its next part
        >>> results, gradients = program.run()
        >>> results["result"], gradients["leaf"]
        (array(9., dtype=float32), np.float32(6.0))
        """
        from .replays.program import program

        return program(self)

    def to_npz(self, path: str | Path) -> None:
        """Write the whole tape to an .npz file: its JSON, and each array as a member of its own."""
        from .files.encoding import to_npz

        to_npz(self, path)

    @staticmethod
    def from_npz(path: str | Path) -> Tape:
        """Read a tape that `to_npz` wrote. Runs no code from it. Raises ValueError for other files."""
        from .files.encoding import from_npz

        return from_npz(path)

    def __repr__(self) -> str:
        from . import text

        return f"<Tape: {text.summary(self)}>"

    def __str__(self) -> str:
        from . import text

        return text.table(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.draw()._repr_mimebundle_()  # a notebook shows the drawing

    @property
    def bytes(self) -> int:
        """Bytes kept for backward: see `total`."""
        return total(self.ops)


def differentiable(dtype: str) -> bool:
    """Whether values of this dtype can have gradients."""
    return dtype.startswith(("float", "bfloat", "complex"))


def total(ops: list[Op]) -> int:
    """Return the bytes kept for backward. Shared memory counts once, that of parameters and leaves not at all."""
    return sum({kept.memory: kept.bytes for op in ops for kept in op.kept if kept.leaf is None}.values())

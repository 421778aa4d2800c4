"""Tape: what was recorded, as plain data. Everything that people look at is a view of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pathlib
    from pathlib import Path

    from ..tensor import Tensor
    from .drawing.graph import Graph
    from .queries.diff import Diff
    from .queries.gradient_path import Cut
    from .queries.memory import Memory
    from .queries.non_finite import NonFinite
    from .queries.tables import Table
    from .replay_data import BackwardPass, Recipe
    from .replays.program import Program
    from .replays.replaying import Replay
    from .replays.verifying import Verification
    from .statistics import Stats

Shape = tuple[int, ...]
ANOTHER = " (another)"  # than the one that has this name: of a copied module, say


@dataclass(slots=True)
class Source:
    """Where values come in: a parameter, another leaf whose gradient is wanted, or a constant, which wants none."""

    number: int  # of the leaf's node; constants have -1, -2, ...
    kind: Literal["parameter", "leaf", "constant"]
    name: str  # "features.0.weight"; empty where nothing is known
    shape: Shape | None  # None: a constant of which nothing is left
    dtype: str | None
    value: Any = None  # the number itself, of a 0-d one
    array: Any = None  # its values when it was first read, to be replayed from
    stats: Stats | None = None
    gradient: Stats | None = None
    made_by: int | None = None  # the Op that computed it, before it was made a leaf
    computed: bool = False  # before the tape began: it stands for a leaf, and isn't one


@dataclass(slots=True)
class Input:
    """One argument of an operation."""

    name: str  # "weight", "inputs[1]"
    source: int | None  # number of the Op or Source that it comes from; None: a number, None, or not known
    index: int  # which of that Op's results
    shape: Shape | None
    dtype: str | None
    value: Any = None  # of a Python number
    wanted: bool = False  # whether it required grad when it was read
    got: str = ""  # what a backward pass gave it: "nothing"; with statistics also "zeros", "NaN" or "inf"
    written: int | None = None  # number of the Op that has last written to its memory since, through another view

    @property
    def origin(self) -> int | None:
        """The number of the Op or Source that it was last made or changed by."""
        return self.source if self.written is None else self.written


@dataclass(slots=True)
class Kept:
    """An array that an operation keeps for backward: its facts, never the array."""

    name: str  # "weight", "out", "mask"
    role: Literal["input", "output", "intermediate", "setting"]
    shape: Shape
    dtype: str
    bytes: int  # its own, or its memory's where that is smaller (an expanded view)
    memory: int  # arrays that share memory have the same number
    leaf: int | None  # the parameter or leaf whose memory it is: that is there anyway


@dataclass(slots=True)
class Op:
    """One recorded operation."""

    number: int  # its place on the whole program's tape
    name: str  # "Conv2d"
    symbol: str  # "×"; may be empty
    path: str  # of the module that called it: "features.0"
    settings: dict[str, Any]  # plain: numbers, strings, tuples; arrays as "int64 (3,)"
    inputs: list[Input]
    shapes: list[Shape]  # of each result
    dtypes: list[str]
    kept: list[Kept]
    freed: bool  # backward has let go of what it kept
    call: int = 0  # which call of that module it was in, of those seen
    line: str = ""  # of the program, that called it: "train.py:12"
    layouts: list[str] = field(default_factory=list)  # of each result in memory: "contiguous", "view", "expanded"
    flops: int | None = None  # additions and multiplications; None: not known
    seconds: float | None = None
    backward_seconds: float | None = None
    stats: list[Stats] | None = None  # of each result
    gradients: list[Stats | None] | None = None  # of the gradient of each result
    values: list[Any] | None = None  # the results themselves, copied
    recipe: Recipe | None = None  # all that it takes to do it again
    recorded: bool = True  # by autograd: a gradient can flow through it
    in_place: bool = False  # whether it wrote into its first input
    passes: int = 0  # how many backward passes were seen to go through it
    passed: int = 0  # which of all the last of them was, counted from 1

    @property
    def bytes(self) -> int:
        """Bytes kept for backward that would not be there anyway."""
        return total([self])

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"<Op {self.number}: {self.name}{where}, {', '.join(map(str, self.shapes))}>"


@dataclass(slots=True)
class Result:
    """A Tensor whose graph this is."""

    source: int  # number of the Op or Source that it is
    index: int
    name: str
    shape: Shape
    dtype: str
    value: Any = None  # the number itself, of a 0-d one

    @property
    def origin(self) -> int:
        """As an Input's."""
        return self.source


class Tape:
    """The operations that led to some Tensors, and where their values came in. It holds no array and no node.

    `ops` and `sources` are oldest first, `results` as they were given; `tape[number]` is an Op or a Source.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> tape = torch.graph.graph((x * x).exp()).tape
    >>> [op.name for op in tape], [source.kind for source in tape.sources]
    (['Mul', 'Exp'], ['leaf'])
    """

    __slots__ = ("_by_number", "ops", "passes", "results", "sources")

    def __init__(self, ops: list[Op], sources: list[Source], results: list[Result]) -> None:
        self.ops = ops
        self.sources = sources
        self.results = results
        self.passes: list[BackwardPass] = []  # of a tape that can be replayed
        self._by_number: dict[int, Op | Source] = {op.number: op for op in ops}
        self._by_number.update((source.number, source) for source in sources)

    def add(self, entry: Op | Source) -> None:
        """Put an operation, or where values come in, at the end."""
        (self.ops if isinstance(entry, Op) else self.sources).append(entry)  # type: ignore[arg-type]
        self._by_number[entry.number] = entry

    def find(self, number: int | None) -> Op | Source | None:
        """What has this number; None where nothing has."""
        return self._by_number.get(number)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.ops)

    def __iter__(self) -> Iterator[Op]:
        return iter(self.ops)

    def op(self, place: int) -> Op:
        """The operation at a place, counted from 0: `tape.op(17)`; from the end where negative."""
        return self.ops[place]

    def __getitem__(self, key: Any) -> Any:
        """What is asked for.

        `tape[17]` is the Op or Source of that number, `tape["Conv2d"]` all operations of that name, `tape["Conv2d", 2]`
        the third of them, `tape["features.0"]` all that a module did, `tape["features.0", 2]` the third of these, and
        `tape["features.0.weight"]` the Source of that name. Raises KeyError that says what is there.
        """
        if isinstance(key, tuple):
            name, place = key
            return self[name][place]
        if not isinstance(key, str):
            if key not in self._by_number:
                raise KeyError(f"nothing on the tape has the number {key!r}; what is at a place is tape.op(place)")
            return self._by_number[key]
        found = [op for op in self.ops if op.name == key]
        found = found or [op for op in self.ops if op.path == key or op.path.startswith(f"{key}.")]
        if found:
            return found
        for source in self.sources:
            if source.name == key:
                return source
        import difflib

        names = dict.fromkeys([op.name for op in self.ops] + [op.path for op in self.ops if op.path])
        near = difflib.get_close_matches(key, [*names, *(s.name for s in self.sources)], 3, 0.5)
        raise KeyError(
            f"no operation, module or source is named {key!r}" + (f"; there is {', '.join(near)}" if near else "")
        )

    def replay(self, **given: Any) -> Replay:
        """Run it again, with other `inputs`, `params`, `dtype`, `device` or `edits`: see `graph.replays.replaying`."""
        from .replays.replaying import replay

        return replay(self, **given)

    def gradient(self, of: Any, wrt: Any, **given: Any) -> Tensor:
        """The gradient of one operation's result with respect to another's, on a replay.

        Both are named as in `tape[...]`, where the last of several is meant. `grad` is the gradient of `of`, by default
        ones; the rest is as in `replay`. Raises RuntimeError where `of` doesn't depend on `wrt`.

        >>> tape = torch.trace(lambda x: (x * 3).exp().sum(), torch.zeros(2))
        >>> tape.gradient("Sum", "Mul"), tape.gradient("Exp", tape.sources[0].number)
        (tensor([1., 1.]), tensor([3., 3.]))
        """
        from .replays.replaying import gradient

        return gradient(self, of, wrt, **given)

    def to_networkx(self) -> Any:
        """A networkx.MultiDiGraph: a node for each operation and source, by number, an edge for each input.

        Their attributes are `to_pandas`' columns. Raises ImportError without networkx.

        >>> graph = torch.trace(torch.exp, torch.ones(2)).to_networkx()
        >>> [data["name"] for _, data in graph.nodes(data=True)], [data["shape"] for *_, data in graph.edges(data=True)]
        (['x', 'Exp'], [(2,)])
        """
        from .files.exporting import to_networkx

        return to_networkx(self)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each operation, by number. Raises ImportError without pandas.

        >>> torch.trace(torch.exp, torch.ones(2)).to_pandas()["name"].tolist()
        ['Exp']
        """
        from .files.exporting import to_pandas

        return to_pandas(self)

    def verify(self) -> Verification:
        """Whether a replay gives the same results and gradients, bit for bit: the proof that nothing is missing.

        Of a tape recorded with `replay=True`; RuntimeError for others.

        >>> with torch.record(replay=True) as tape:
        ...     torch.nn.functional.dropout(torch.ones(3, requires_grad=True)).sum().backward()
        >>> tape.verify()
        <verified: 2 operations and 2 gradients are the same, bit for bit>
        """
        from .replays.verifying import verify

        return verify(self)

    def draw(self, **options: Any) -> Graph:
        """It as a drawing, which shows itself in a notebook; `.save("net.svg")` makes a file of it, `.view()` opens it.

        By default it is opened as far as `limit` (60) boxes go: rows that repeat are drawn once with their count
        (`roll`), operations in a row are one box (`fold`), and inner modules one box each. `depth` is the level at
        which modules aren't opened, None for all of it; `collapse` and `expand` are module paths to close and to open
        besides ("layer1.*"). `show_saved=False` leaves out what is kept for backward, `rankdir` is where arrows go
        ("TB", "LR", "BT", "RL"), `theme` is "light" or "dark". `color` fills boxes by "time", "bytes", "flops",
        "gradient", "zeros" or "nan", as far as they were recorded. `leaves=True` never opens modules that call none,
        `frames=False` leaves out what stands around modules, `beside=True` draws the backward pass beside it.
        `mark` are numbers of operations that stand out. Raises ValueError for what is none of these.

        >>> x = torch.ones(2, requires_grad=True)
        >>> drawn = (x * 3).sum().graph().tape.draw(rankdir="LR")
        >>> print("\\n".join(drawn.mermaid.splitlines()[:3]))
        flowchart LR
          source0("leaf")
          op0["× Mul"]
        """
        from .drawing.graph import Graph

        return Graph(self, **options)

    def page(self, path: str | Path | None = None, title: str = "", steps: Sequence[Tape] = ()) -> str:
        """It as one HTML file to explore in a browser, without a network: written to `path`, and given as text.

        Modules open and close, a side panel tells all that is known of an operation, its derivative and its line
        among it, boxes can be coloured by time, bytes or gradients, and everything can be searched. `steps` are later
        recordings of the same operations, to be moved through. Raises ValueError for steps that have others, and for
        more operations than a browser holds.

        >>> x = torch.ones(2, requires_grad=True)
        >>> (x * 3).sum().graph().tape.page(title="Three times").splitlines()[6]
        '<title>Three times</title>'
        """
        from .pages.page import page

        return page(self, path, title, steps)

    def diff(self, other: Tape, rtol: float = 0.0, dtypes: bool = True, settings: bool = True) -> Diff:
        """What differs in another tape, and where first: see `graph.queries.diff.diff`.

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
        """What operations cost, as text: bytes kept for backward, additions and multiplications, and the times, if any.

        `sort` is "bytes", "flops", "time" or "calls", the largest first; `by` is "op" or "module", down to `depth`. It
        is as wide as the terminal, or `width`. Raises ValueError for other names, RuntimeError for "time" where none
        was recorded.

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
        """Modules with what is in them, as text; those at level `depth` are one line each.

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
        """What is held for backward: how much, at most, by which operations and modules, and what checkpoints save.

        The peak is that of one backward pass through all of the tape, with the gradients that are under way; those of
        parameters come on top.

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
        """Where the path of a gradient to `of`, a Tensor, a source's name or an operation, is cut: by what, and how.

        Of a tape recorded in a block, which has operations without a gradient too. `loss` is where the last backward
        pass started, or the last operation, unless it is given. With statistics it finds derivatives that were 0 as
        well. Raises ValueError for a loss that isn't on the tape.

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
        """The operation that first made a NaN or an infinity, forward or backward; None where there is neither.

        Of a tape recorded with stats=True (or values=True, forward alone); RuntimeError for others. An infinity that
        the program has put in itself, as a mask's -inf, is no fault unless it becomes NaN.

        >>> with torch.record(stats=True) as tape, np.errstate(all="ignore"):
        ...     y = torch.tensor([1.0, -1.0]).log() * 2
        >>> print(tape.first_bad())
        Log: produced NaN from finite inputs: x (2,) from -1 to 1
        """
        from .queries.non_finite import first_bad

        return first_bad(self)

    def to_json(self, path: str | pathlib.Path | None = None) -> str:
        """The whole tape as JSON, with the arrays that it holds; written to `path` too, if there is one.

        >>> tape = torch.trace(torch.nn.Linear(2, 1), torch.ones(1, 2))
        >>> bool(torch.graph.Tape.from_json(tape.to_json()).verify())
        True
        """
        from .files.encoding import to_json

        return to_json(self, path)

    @staticmethod
    def from_json(text: str | pathlib.Path) -> Tape:
        """The tape that `to_json` wrote, from its text or a file's path. Nothing in it is run. Raises ValueError."""
        from .files.encoding import from_json

        return from_json(text)

    def program(self) -> Program:
        """It as Python source that runs with NumPy alone, forward and backward, a line an operation.

        The operations' own definitions are in it. `.run()` runs it, `.save("net.py")` writes it and its arrays. Raises
        RuntimeError for a tape recorded without `replay=True`, and for operations that have no source to be written.

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

    def to_npz(self, path: str | pathlib.Path) -> None:
        """The whole tape as a bundle: JSON, and each array that it holds as NumPy's own, to be read one by one."""
        from .files.encoding import to_npz

        to_npz(self, path)

    @staticmethod
    def from_npz(path: str | pathlib.Path) -> Tape:
        """The tape that `to_npz` wrote. Nothing in it is run. Raises ValueError."""
        from .files.encoding import from_npz

        return from_npz(path)

    def __repr__(self) -> str:
        from .text import summary

        return f"<Tape: {summary(self)}>"

    def __str__(self) -> str:
        from .text import table

        return table(self)

    @property
    def bytes(self) -> int:
        """Bytes kept for backward, each memory once, without what parameters and leaves hold anyway."""
        return total(self.ops)


def differentiable(dtype: str) -> bool:
    """Whether values of a dtype have gradients."""
    return dtype.startswith(("float", "bfloat", "complex"))


def total(ops: list[Op]) -> int:
    """Bytes that operations keep for backward, each memory once, without what parameters and leaves hold anyway."""
    sizes: dict[int, int] = {}
    for op in ops:
        for kept in op.kept:
            if kept.leaf is None:
                sizes[kept.memory] = max(kept.bytes, sizes.get(kept.memory, 0))
    return sum(sizes.values())

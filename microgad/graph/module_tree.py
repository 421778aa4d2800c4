"""The calls of modules that a tape's operations came from, as a tree."""

from __future__ import annotations

from .tape import Op, Source, Tape


class ModuleCall:
    """One call of a module: what happened in it, in the order of the tape. The outermost has no path and no parent."""

    __slots__ = ("members", "parent", "parts", "sources")

    def __init__(self, parts: tuple[str, ...] = (), parent: ModuleCall | None = None) -> None:
        self.parts = parts
        self.parent = parent
        self.members: list[Op | ModuleCall] = []
        self.sources: list[Source] = []

    @property
    def path(self) -> str:
        """The module's path: "features.0"."""
        return ".".join(self.parts)


class ModuleTree:
    """A tape's operations by module call, and its sources with the call that they belong to.

    Modules at level `depth` are not opened: theirs is one ModuleCall with all operations below. A module that is called
    twice, with something else between, is two Calls.
    """

    __slots__ = ("call_of", "calls", "home_of", "root")

    def __init__(self, tape: Tape, depth: int | None = None) -> None:
        self.root = ModuleCall()
        self.calls: list[ModuleCall] = []  # all but the root, outer ones before inner ones
        self.call_of: dict[int, ModuleCall] = {}  # number of an Op -> its ModuleCall
        self.home_of: dict[int, ModuleCall] = {}  # number of a Source -> the ModuleCall that it is drawn in
        call, path = self.root, ""
        for op in tape:
            if op.path != path:
                path = op.path
                call = self._enter(call, tuple(path.split("."))[:depth] if path else ())
            call.members.append(op)
            self.call_of[op.number] = call
        self._house(tape)

    def _enter(self, call: ModuleCall, parts: tuple[str, ...]) -> ModuleCall:
        while call.parts != parts[: len(call.parts)]:
            assert call.parent is not None
            call = call.parent
        while len(call.parts) < len(parts):
            inner = ModuleCall(parts[: len(call.parts) + 1], call)
            call.members.append(inner)
            self.calls.append(inner)
            call = inner
        return call

    def _house(self, tape: Tape) -> None:
        """A source belongs to the innermost call around its uses in the module that its name says it is of.

        A parameter or a constant without a name belongs around all its uses; what its name says nothing of: the root.
        """
        sources = {source.number: source for source in tape.sources}
        level: dict[int, int] = {}  # of the uses that count: those in the innermost module with the name
        for op in tape:
            for x in op.inputs:
                source = sources.get(x.source) if x.source is not None else None
                if source is None:
                    continue
                call, n = self.call_of[op.number], source.number
                if source.name or source.kind == "leaf":
                    call = _holder(call, source.name)
                    if len(call.parts) < level.get(n, 1):
                        continue
                    if len(call.parts) > level.get(n, 0):
                        level[n] = len(call.parts)
                        self.home_of.pop(n, None)
                self.home_of[n] = _common(call, self.home_of.get(n, call))
        for source in tape.sources:
            self.home_of.setdefault(source.number, self.root).sources.append(source)


def _holder(call: ModuleCall, name: str) -> ModuleCall:
    """The innermost call around `call` of the module whose parameter has this name; the root where there is none."""
    while call.parent is not None and not name.startswith(f"{call.path}."):
        call = call.parent
    return call


def _common(a: ModuleCall, b: ModuleCall) -> ModuleCall:
    """The innermost call around both."""
    while a is not b:
        if len(a.parts) >= len(b.parts):
            assert a.parent is not None
            a = a.parent
        else:
            assert b.parent is not None
            b = b.parent
    return a

"""The tree of module calls in which the operations of a tape ran."""

from __future__ import annotations

from .tape import Op, Source, Tape


class ModuleCall:
    """A call of a module, or several in a row, with the operations and calls inside in the order of the tape.

    The root, around all calls, has no path and no parent.
    """

    __slots__ = ("members", "parent", "parts", "sources")

    def __init__(self, parts: tuple[str, ...] = (), parent: ModuleCall | None = None) -> None:
        self.parts = parts
        self.parent = parent
        self.members: list[Op | ModuleCall] = []
        self.sources: list[Source] = []

    @property
    def path(self) -> str:
        """The module's path, such as "features.0"."""
        return ".".join(self.parts)

    @property
    def derivative(self) -> bool:
        """Whether it is in the derivative of an operation, or all of it."""
        return bool(self.parts) and self.parts[0].startswith("∂")


Member = Op | ModuleCall  # of a ModuleCall


class ModuleTree:
    """A tape's operations grouped by module call, and the call that each source belongs to.

    The derivative of an operation is a call by itself: that of the Tanh in `net.1` has the parts ("∂ net", "1",
    "Tanh"), and derivatives of derivatives have "∂²". Sums of gradients belong to no call.
    A module at level `depth` has one ModuleCall with all operations below it. A module that is called twice has
    two ModuleCalls only if something else ran in between.
    """

    __slots__ = ("call_of", "calls", "home_of", "orders", "root")

    def __init__(self, tape: Tape, depth: int | None = None) -> None:
        self.root = ModuleCall()
        self.calls: list[ModuleCall] = []  # all but the root, outer calls before inner ones
        self.call_of: dict[int, ModuleCall] = {}  # number of an Op -> its call
        self.home_of: dict[int, ModuleCall] = {}  # number of a Source -> the call that it belongs to
        self.orders: dict[int, int] = {}  # number of an Op in a derivative -> the order of that
        call = self.root
        here: tuple[str, int | None] = "", None
        for op in tape:
            if op.derives is not None:
                self.orders[op.number] = op.derived.count("∂") + 1
            before, here = here, (op.path, op.derives)
            if here != before:
                parts = tuple(op.path.split(".")) if op.path and op.derives != op.number else ()
                if op.derives not in (None, op.number):
                    parts, around = _derivative(op.derived, parts, self.orders[op.number])
                    if op.derives != before[1]:  # two in a row may have the same name
                        call = self._enter(call, parts[:around][:depth])
                call = self._enter(call, parts[:depth])
            call.members.append(op)
            self.call_of[op.number] = call
        self._place_sources(tape)

    def _enter(self, call: ModuleCall, parts: tuple[str, ...]) -> ModuleCall:
        """Go from one call to that of the module path `parts`, and add the calls that are new."""
        while call.parts != parts[: len(call.parts)]:
            assert call.parent is not None
            call = call.parent
        while len(call.parts) < len(parts):
            inner = ModuleCall(parts[: len(call.parts) + 1], call)
            call.members.append(inner)
            self.calls.append(inner)
            call = inner
        return call

    def _place_sources(self, tape: Tape) -> None:
        """Find the call that each source belongs to.

        A source whose name starts with the path of a module belongs to the innermost call around its uses in that
        module, or of a function that the module calls. A parameter or constant without a name belongs to the innermost
        call around all its uses. All others belong to the root.
        """
        sources: dict[int | None, Source] = {source.number: source for source in tape.sources}
        level: dict[int, int] = {}  # number of a Source -> level of the innermost module that its name starts with
        for op in tape:
            for x in op.inputs:
                source = sources.get(x.source)
                if source is None:
                    continue
                call, n = self.call_of[op.number], source.number
                if source.name or source.kind == "leaf":
                    owner, call = _owner(call, source.name)
                    if len(owner.parts) < level.get(n, 1):
                        continue
                    if len(owner.parts) > level.get(n, 0):
                        level[n] = len(owner.parts)
                        self.home_of.pop(n, None)
                self.home_of[n] = _common_ancestor(call, self.home_of.get(n, call))
        for source in tape.sources:
            self.home_of.setdefault(source.number, self.root).sources.append(source)


def _derivative(of: str, parts: tuple[str, ...], order: int) -> tuple[tuple[str, ...], int]:
    """Return the parts of an operation in the derivative of `of`, and how many of them are the module's."""
    mark = "∂" if order == 1 else "∂" + str(order).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    *module, name = of.lstrip("∂").split(".")
    inside = parts[len(module) :] if parts[: len(module)] == tuple(module) else ()  # functions that it calls
    parts = (*module, name, *inside)
    return (f"{mark} {parts[0]}", *parts[1:]), len(module)


def _owner(call: ModuleCall, name: str) -> tuple[ModuleCall, ModuleCall]:
    """Return the innermost call around `call` of a module whose path starts `name`, or the root.

    Also return the innermost call around `call` that the module reaches by calls of functions only: its own, if it
    calls another module in between.
    """
    home = call
    while call.parent is not None and not name.startswith(f"{call.path}."):
        if not call.parts[-1].endswith("()"):
            home = call.parent
        call = call.parent
    return call, home if call.parent is not None else call


def _common_ancestor(a: ModuleCall, b: ModuleCall) -> ModuleCall:
    while a is not b:
        if len(a.parts) >= len(b.parts):
            assert a.parent is not None
            a = a.parent
        else:
            assert b.parent is not None
            b = b.parent
    return a

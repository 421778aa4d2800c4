"""What `record(replay=True)` keeps so that a tape can be run again: how to repeat operations and backward passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..pytree import tree_leaves


@dataclass(frozen=True, slots=True)
class Home:
    """Where a replay finds an array that an operation reads in other ways than as an input, computed anew.

    It is result `place` of an operation or source, the setting at the path `place`, what an operation keeps for its
    derivatives under the name `place`, it was "derived" from these in a derivative, or it is a "gradient" of the
    operation, from a backward pass that isn't on the tape.
    """

    number: int  # of the Op or Source
    role: Literal["result", "setting", "kept", "derived", "gradient"]
    place: Any = None


@dataclass(slots=True)
class Call:
    """A call of a public function that computes arrays off the tape, such as the indices of `sort`, from Tensors.

    A replay in which these have other values makes the call again. `leaves` are what the arguments contain, with a Read
    in the place of each Tensor.
    """

    function: Any  # None if it can't be called again
    name: str
    place: int  # number of operations on the tape when it began
    path: str
    grad_enabled: bool
    ops: list[int]  # numbers of the operations inside
    owned: list[int]  # those of them that belong to no call inside
    args: Any
    kwargs: Any
    fresh: list[int]  # numbers of the sources that the operations inside read, and that come from the call
    results: dict[int, int] = field(default_factory=dict)  # which Tensor of the result -> number of its Source
    random: Any = None  # the default generator's state before the call, if it drew from it
    derived: int | None = None  # number of the Op, where this is the call of its derivatives with the gradients `args`
    wanted: list[bool] = field(default_factory=list)  # for which of its inputs these were computed

    @property
    def reads(self) -> list[Read]:
        """The Tensors among the arguments that come from the tape."""
        return [x for x in tree_leaves((self.args, self.kwargs)) if isinstance(x, Read)]


@dataclass(frozen=True, slots=True)
class Read:
    """A Tensor among the arguments of a Call."""

    number: int  # of the Op or Source that it comes from
    index: int
    dtype: Any
    wanted: bool


@dataclass(slots=True)
class Recipe:
    """How to repeat one operation: its Function and its settings, with drawn masks and indices among them.

    `digests` has a hash of each result. `gradients` has, for each backward pass, a hash of each input's gradient.
    """

    function: type[Any]
    settings: dict[str, Any]
    in_place: bool
    grad_enabled: bool  # whether gradients were enabled when the operation was recorded
    digests: list[str]
    gradients: list[list[str | None]]
    hooked: bool = False  # whether its node had hooks, which may change the gradients of its inputs
    random: Any = None  # the default generator's state before the call, where an autograd.Function drew from it
    links: list[Any] = field(default_factory=list)  # (path, Home) of each array in the settings that has a Home


@dataclass(slots=True)
class BoundaryPoint:
    """A result of an Op, or a Source, at which a backward pass met something that isn't on the tape.

    A pass starts and ends there, or hooks change the gradient. A leaf's `.grad` is fresh, and no sum with that of an
    earlier pass, if it was cleared in between. Its hooks may change `.grad` itself, after accumulation.
    """

    source: int  # number of the Op or Source
    index: int  # which result of the Op
    written: bool  # whether an in-place write had changed the result before the pass
    role: Literal["start", "hook", "end", "fresh", "after"]
    gradient: Any = None  # of a start, the gradient it was given; of a hook, the gradient it returned


@dataclass(slots=True)
class BackwardPass:
    """One backward pass: where it started, what hooks changed, and where it ended."""

    place: int  # number of operations on the tape when it started
    bounded: bool  # whether it ended at given points, as `autograd.grad` does, or at all leaves
    points: list[BoundaryPoint]

"""The operations as methods and operators of Tensor: a visible table for each family, and the few that need more."""

from __future__ import annotations

from . import node_hooks as node_hooks
from . import saved_names as saved_names
from .absent import Absences
from .activation import Activation
from .conversion import Conversion
from .copies import Copies
from .creation import Creation
from .elementwise import Elementwise
from .facts import Facts
from .fourier import Fourier
from .hooks import Hooks
from .indexing import Indexing
from .linalg import Linalg
from .movement import Movement
from .numbers import Numbers
from .operators import Operators
from .random import Random
from .reduction import Reduction
from .special import Special


class Methods(
    Operators,
    Elementwise,
    Activation,
    Reduction,
    Special,
    Linalg,
    Fourier,
    Movement,
    Indexing,
    Facts,
    Hooks,
    Conversion,
    Copies,
    Numbers,
    Creation,
    Random,
    Absences,
):
    """What a Tensor can do, beside being one: the base of Tensor, and of nothing else."""

    __slots__ = ()

"""The operations as methods and operators of Tensor: a visible table for each family, and the few that need more."""

from __future__ import annotations

from . import nodes as nodes
from . import saved_names as saved_names
from .activation import Activation
from .attributes import Attributes
from .conversion import Conversion
from .copies import Copies
from .creation import Creation
from .elementwise import Elementwise
from .fourier import Fourier
from .hooks import Hooks
from .indexing import Indexing
from .linalg import Linalg
from .movement import Movement
from .operators import Operators
from .random import Random
from .reduction import Reduction
from .scalars import ScalarConversion
from .special import Special
from .unsupported import Unsupported


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
    Attributes,
    Hooks,
    Conversion,
    Copies,
    ScalarConversion,
    Creation,
    Random,
    Unsupported,
):
    """What a Tensor can do, beside being one: the base of Tensor, and of nothing else."""

    __slots__ = ()

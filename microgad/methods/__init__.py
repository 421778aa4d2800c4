"""Tensor's methods and operators, a mixin class for each family; most are a table of names bound to operations."""

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
    """All mixins together: the base class of Tensor, and of nothing else."""

    __slots__ = ()

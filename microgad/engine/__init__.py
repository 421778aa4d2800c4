"""The engine: walks back over the tape, computes each node's derivatives, and adds up gradients."""

from .derivatives import fit_to_input as fit_to_input
from .derivatives import stretches as stretches
from .identity import Identity as Identity
from .walk import derive as derive
from .walk import run as run

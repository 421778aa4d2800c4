"""The default random generator under the names of torch.random."""

from .generator import Generator as Generator
from .generator import default_generator as default_generator
from .lazy import define_getattr as _define_getattr
from .ops.random import fork_rng as fork_rng
from .ops.random import get_rng_state as get_rng_state
from .ops.random import initial_seed as initial_seed
from .ops.random import manual_seed as manual_seed
from .ops.random import seed as seed
from .ops.random import set_rng_state as set_rng_state


def thread_safe_generator() -> Generator | None:
    """Return None, for the default generator: workers of a DataLoader are processes, and have one each.

    Source: torch.random.thread_safe_generator.

    >>> torch.random.thread_safe_generator() is None
    True
    """
    return None


_define_getattr(globals())

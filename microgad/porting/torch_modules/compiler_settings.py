"""torch._dynamo.config and torch._inductor.config: settings of PyTorch's compiler, which have no effect."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

suppress_errors, cache_size_limit, recompile_limit, triton = False, 8, 8, SimpleNamespace()


@contextmanager
def patch(*args: object, **changes: object) -> Iterator[None]:
    """Do nothing, as a context manager or a decorator. Source: torch._dynamo.config.patch."""
    yield

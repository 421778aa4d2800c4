"""The batching rules: how NumPy's functions are computed on arrays with the batch axis in front.

A rule is called as rule(level, *args, **kwargs), with arguments of which at least one is batched at the level.
"""

from . import creation as creation
from . import elementwise as elementwise
from . import indexing as indexing
from . import joining as joining
from . import linalg as linalg
from . import reduction as reduction
from . import shape as shape

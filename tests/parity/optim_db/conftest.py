"""Without PyTorch there is no optimizer database to walk; with it, on one thread."""

from tests.parity.op_db.conftest import _one_thread as _one_thread
from tests.parity.op_db.conftest import collect_ignore_glob as collect_ignore_glob

"""Leave out these tests where PyTorch or expecttest is missing, and run them on one thread."""

from tests.parity.op_db.conftest import _one_thread as _one_thread
from tests.parity.op_db.conftest import collect_ignore_glob as collect_ignore_glob

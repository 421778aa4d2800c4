"""Leave out these tests where PyTorch or expecttest is missing."""

from tests.parity.op_db.conftest import collect_ignore_glob as collect_ignore_glob

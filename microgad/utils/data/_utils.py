"""torch.utils.data._utils, a private module of PyTorch that programs use: `torch.utils.data._utils.collate`."""

import os
import sys
from typing import Any

from . import collate as collate
from . import workers

fetch = worker = workers
HAS_NUMPY, IS_WINDOWS, MP_STATUS_CHECK_INTERVAL, python_exit_status = True, os.name == "nt", 5.0, False


def _do_nothing(*args: Any) -> None:
    """Leave signals alone: the iterators notice workers that die by their pipes."""


_set_worker_signal_handlers = _set_worker_pids = _remove_worker_pids = _set_SIGCHLD_handler = _do_nothing
signal_handling = sys.modules[__name__]

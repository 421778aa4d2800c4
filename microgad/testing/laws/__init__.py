"""Laws that hold for every operation and every module, whatever it computes: `check_op`, `check_module`."""

from .module import check_module
from .op import check_op
from .report import Report

__all__ = ["Report", "check_module", "check_op"]

"""`check_op` and `check_module`: property-based tests by laws that hold whatever an operation or a module computes."""

from .module import check_module
from .op import check_op
from .report import Report

__all__ = ["Report", "check_module", "check_op"]

"""Property-based tests of derivatives: numerical checks, laws that every operation obeys, and hypothesis strategies.

The functions under test may be microgad's, NumPy's with a handwritten vjp, or PyTorch's.
"""

from typing import TYPE_CHECKING

from ..lazy import define_getattr as _define_getattr
from .adapters import torch_function
from .calls import GradcheckError
from .check_grads import check_grads
from .gradcheck import gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import strategies
    from .comparison import assert_allclose, assert_close
    from .creation import make_tensor
    from .laws import check_module, check_op
    from .programs.machine import GradMachine, check_engine

__all__ = [
    "GradMachine", "GradcheckError", "assert_allclose", "assert_close", "check_engine", "check_grads", "check_module",
    "check_op", "gradcheck", "gradgradcheck", "make_tensor", "strategies", "torch_function",
]  # fmt: skip

_LATER = {  # loaded when first asked for: what needs hypothesis, and what few programs use
    "GradMachine": ".programs.machine",
    "assert_allclose": ".comparison",
    "assert_close": ".comparison",
    "check_engine": ".programs.machine",
    "check_module": ".laws",
    "check_op": ".laws",
    "make_tensor": ".creation",
    "strategies": ".strategies",
}

_define_getattr(globals(), _LATER, extras={"hypothesis": "test"})

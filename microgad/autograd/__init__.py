"""What PyTorch offers under this name: derivatives, grad modes, Functions with a context."""

from ..engine import backward as backward
from ..engine import grad as grad
from .custom import Function as Function
from .grad_mode import enable_grad as enable_grad
from .grad_mode import inference_mode as inference_mode
from .grad_mode import is_grad_enabled as is_grad_enabled
from .grad_mode import no_grad as no_grad
from .grad_mode import set_grad_enabled as set_grad_enabled

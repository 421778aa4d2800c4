"""torch._jit_internal: decorators for TorchScript, which return functions unchanged."""

from .futures import Future as Future
from .jit import Final as Final
from .jit import _overload as _overload
from .jit import _overload_method as _overload_method
from .jit import _unchanged
from .jit import export as export
from .jit import ignore as ignore
from .jit import is_scripting as is_scripting
from .jit import unused as unused

_copy_to_script_wrapper = _unchanged

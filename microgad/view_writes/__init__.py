"""Views and in-place writes: which Tensors share memory, and how a write gives a base and its views new nodes.

Here is what Tensor's methods call.
"""

from .checks import check_history as check_history
from .checks import check_writable as check_writable
from .detaching import notify_detached as notify_detached
from .histories import derive_again as derive_again
from .histories import guard_views as guard_views
from .histories import rebind as rebind
from .mirrors import follow as follow
from .registry import disconnect as disconnect
from .registry import live_views as live_views
from .registry import view_of as view_of

"""torch.jit.annotations: types that programs import from this module."""

from typing import Any as Any
from typing import Dict as Dict  # noqa: UP035 - by these names
from typing import List as List  # noqa: UP035
from typing import Optional as Optional
from typing import Tuple as Tuple  # noqa: UP035
from typing import Union as Union

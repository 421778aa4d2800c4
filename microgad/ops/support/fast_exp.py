"""The exponential function in the base that NumPy computes faster on this processor: power(RATE · x) = eˣ.

np.exp2 is vectorized for AVX-512 only: there it takes half the time of np.exp, elsewhere one and a half times as long.
The product is rounded, so the result has a relative error of up to |x| units in the last place: it is for functions
that are near 0, or constant, where x is large.
"""

from __future__ import annotations

import math

import numpy as np

_loops = np.lib.introspect.opt_func_info("^exp2$", "float32").get("exp2", {})
_vectorized = any(not loop["current"].startswith("baseline") for loop in _loops.values())
power = np.exp2 if _vectorized else np.exp
RATE = 1 / math.log(2) if power is np.exp2 else 1.0

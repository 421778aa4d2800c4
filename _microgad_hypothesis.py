"""The hypothesis plugin: `st.from_type` knows Tensors and layers, and there is a settings profile `microgad`.

hypothesis loads it in every process that imports hypothesis where microgad is installed. It stands beside the package,
so that this imports neither microgad nor NumPy: if microgad is imported later, it makes its types known itself.
"""

from __future__ import annotations

import sys

from hypothesis import settings


def setup() -> None:
    """Register the profile, and the types of what has been imported of microgad.

    The profile sets no deadline, since large examples take long to check, and prints how to repeat a failure:
    `settings.load_profile("microgad")`, or `pytest --hypothesis-profile=microgad`.
    """
    settings.register_profile("microgad", deadline=None, print_blob=True)
    known = sys.modules.get("microgad.hypothesis_types")
    if known is not None:
        known.register_now(*known.TYPES)

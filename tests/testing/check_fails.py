"""What tests of wrong derivatives assert."""

from __future__ import annotations

from typing import Any

import pytest

from microgad.testing import GradcheckError, check_grads


def check_fails(f: Any, args: Any, order: int = 1, match: str = "derivative", **options: Any) -> GradcheckError:
    """Assert that check_grads fails at `order` and passes at the order below; return the error."""
    if order > 1:
        check_grads(f, args, order=order - 1, **options)
    with pytest.raises(GradcheckError, match=match) as error:
        check_grads(f, args, order=order, **options)
    return error.value

"""What check_grads says where another law is broken: it knows the numbers, and what the mistake may be."""

from __future__ import annotations

import numpy as np

from ..calls import GradcheckError
from ..check_grads import check_grads
from ..numerical.perturbation import perturbed
from .case import Case

FURTHER_ON = 0.4  # of its own size each value is moved, where zeros or equal values may hide a mistake


def find_wrong_derivatives(case: Case) -> GradcheckError | None:
    """Of an example that breaks another law, or of values a little further on; None where nothing is wrong."""
    for share in (0.0, FURTHER_ON):
        with perturbed(case.wanted, np.random.default_rng(0), share):
            try:
                case.start_draws()
                check_grads(case.function, case.inputs, order=case.order, full=False)
            except GradcheckError as error:
                if error.finding is not None:
                    return error
            except Exception:  # whatever it is, it isn't about numbers
                return None
    return None

"""Find out whether a broken law is caused by a wrong derivative, which check_grads can explain better."""

from __future__ import annotations

import numpy as np

from ..calls import GradcheckError
from ..check_grads import check_grads
from ..numerical.perturbation import perturbed
from .case import Case

PERTURBATION = 0.4  # relative: moves inputs away from zeros and equal values, which may hide a mistake


def find_wrong_derivatives(case: Case) -> GradcheckError | None:
    """Return the error of check_grads for an example that broke another law, or for values nearby, else None."""
    for share in (0.0, PERTURBATION):
        with perturbed(case.wanted, np.random.default_rng(0), share):
            try:
                case.start_draws()
                check_grads(case.function, case.inputs, order=case.order, full=False)
            except GradcheckError as error:
                if error.finding is not None:
                    return error
            except Exception:  # the failure isn't about a wrong number
                return None
    return None

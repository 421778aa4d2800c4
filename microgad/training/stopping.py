"""When to stop: once the error on validation data falls no more."""

from __future__ import annotations

from collections.abc import Sequence


class EarlyStopping:
    """Stop after `patience` epochs in a row whose error isn't lower than the lowest before by more than `threshold`.

    The errors are those of validation data: data that is neither trained on nor used to report how good the model is
    in the end, since a stop chosen by the test set makes its error look better than it is. Patience under 1 and a
    negative threshold raise ValueError.

    >>> stop = EarlyStopping(patience=2, threshold=0.01)
    >>> stop.reason([0.5, 0.3, 0.295]), stop.reason([0.5, 0.3, 0.295, 0.294])
    (None, 'for 2 epochs the validation error has not fallen by more than 0.01 below 0.3000')
    """

    def __init__(self, patience: int = 5, threshold: float = 1e-8) -> None:
        if patience < 1 or threshold < 0:
            raise ValueError(f"EarlyStopping: patience must be >= 1 and threshold >= 0, got {patience} and {threshold}")
        self.patience = patience
        self.threshold = threshold

    def reason(self, errors: Sequence[float]) -> str | None:
        """Why to stop after these errors, one for each epoch so far; None to go on."""
        best, waited = float("inf"), 0
        for error in errors:
            if error < best - self.threshold:
                best, waited = error, 0
            else:
                waited += 1
        if waited < self.patience:
            return None
        epochs = "epoch" if waited == 1 else f"{waited} epochs"
        return f"for {epochs} the validation error has not fallen by more than {self.threshold:g} below {best:.4f}"

    def __repr__(self) -> str:
        return f"EarlyStopping(patience={self.patience}, threshold={self.threshold})"

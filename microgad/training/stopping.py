"""Stop training when the loss on validation data no longer falls."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors.own_arguments import checked


class EarlyStopping:
    """Stops after `patience` epochs in a row that don't lower the lowest loss by more than `threshold`.

    The losses should be those of validation data, which is used neither for training nor to report the final loss: a
    stop that is chosen on the test set makes the test loss look better than it is. Raises ValueError for a patience
    below 1 or a negative threshold.

    >>> stop = torch.training.EarlyStopping(patience=2, threshold=0.01)
    >>> stop.reason([0.5, 0.3, 0.295]), stop.reason([0.5, 0.3, 0.295, 0.294])
    (None, 'for 2 epochs the validation loss has not fallen by more than 0.01 below 0.3000')
    """

    @checked
    def __init__(self, patience: int = 5, threshold: float = 1e-8) -> None:
        if patience < 1 or not threshold >= 0:
            raise ValueError(f"EarlyStopping: patience must be >= 1 and threshold >= 0, got {patience} and {threshold}")
        self.patience = patience
        self.threshold = threshold

    def reason(self, losses: Sequence[float]) -> str | None:
        """Return why to stop after these losses, one for each epoch so far, or None to continue."""
        best, waited = float("inf"), 0
        for loss in losses:
            if loss < best - self.threshold:
                best, waited = loss, 0
            else:
                waited += 1
        if waited < self.patience:
            return None
        epochs = "epoch" if waited == 1 else f"{waited} epochs"
        return f"for {epochs} the validation loss has not fallen by more than {self.threshold:g} below {best:.4f}"

    def __repr__(self) -> str:
        return f"EarlyStopping(patience={self.patience}, threshold={self.threshold})"

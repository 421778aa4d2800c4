"""Train models, compare variants of them, and evaluate them.

`fit` trains a model and returns a History. `compare` trains several variants from several seeds, and its result can be
shown as a table, a CSV file or a picture. `evaluate` and `predict` apply a trained model.
"""

from .checkpoint import Checkpoint, CheckpointError
from .compare import compare
from .comparison import Comparison, Run
from .environment import environment
from .evaluate import Score, evaluate, predict
from .history import History
from .loop import fit
from .progress import Progress
from .step import Step, TrainingDiverged
from .stopping import EarlyStopping

__all__ = [
    "Checkpoint", "CheckpointError", "Comparison", "EarlyStopping", "History", "Progress", "Run", "Score", "Step",
    "TrainingDiverged", "compare", "environment", "evaluate", "fit", "predict",
]  # fmt: skip

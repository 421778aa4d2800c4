"""Loss functions, by kind: classification, binary, CTC, margin, regression."""

# isort: skip_file
from ..activation import LogSigmoid, logsigmoid
from .binary import (
    BinaryCrossEntropy, BinaryCrossEntropyWithLogits, binary_cross_entropy, binary_cross_entropy_with_logits,
)  # fmt: skip
from .classification import CrossEntropy, NllLoss, cross_entropy, linear_cross_entropy, nll_loss
from .ctc import Ctc, ctc_loss
from .margin import (
    MultilabelMarginLoss, MultiMarginLoss, cosine_embedding_loss, hinge_embedding_loss, margin_ranking_loss,
    multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss, soft_margin_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss,
)  # fmt: skip
from .regression import (
    Huber, SquaredError, gaussian_nll_loss, huber_loss, kl_div, l1_loss, mse_loss, poisson_nll_loss, smooth_l1_loss,
)  # fmt: skip

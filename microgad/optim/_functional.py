"""torch.optim._functional: the functional forms of optimizers."""

from .adam import adam as adam
from .adamw import adamw as adamw
from .sgd import sgd as sgd

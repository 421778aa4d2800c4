"""torch.optim: PyTorch's optimizers and others from the literature, which update raw arrays in place."""

from ..lazy import define_getattr_in_package as _define_getattr_in_package
from . import _functional as _functional
from . import lr_scheduler as lr_scheduler
from . import swa_utils as swa_utils
from .adabelief import AdaBelief
from .adabound import AdaBound, AMSBound
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam, AMSGrad
from .adamax import Adamax
from .adamw import AdamW
from .asgd import ASGD
from .eve import Eve
from .lbfgs import LBFGS
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rmsprop_graves import RMSpropGraves
from .rprop import Rprop
from .sam import SAM
from .santa import SantaE, SantaSSS
from .sgd import SGD
from .smorms3 import SMORMS3
from .sparse_adam import SparseAdam

__all__ = [
    "ASGD", "LBFGS", "SAM", "SGD", "SMORMS3", "AMSBound", "AMSGrad", "AdaBelief", "AdaBound", "Adadelta", "Adafactor",
    "Adagrad", "Adam", "AdamW", "Adamax", "Eve", "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop", "RMSpropGraves",
    "Rprop", "SantaE", "SantaSSS", "SparseAdam", "lr_scheduler", "swa_utils",
]  # fmt: skip

_define_getattr_in_package(__name__)

"""Modules, layers, losses, initial values: torch.nn's names."""

from ..from_type import know as _know
from . import functional as functional
from . import init as init
from . import utils as utils
from .activation import LogSoftmax as LogSoftmax
from .activation import ReLU as ReLU
from .activation import Sigmoid as Sigmoid
from .activation import Softmax as Softmax
from .activation import Tanh as Tanh
from .container import ModuleDict as ModuleDict
from .container import ModuleList as ModuleList
from .container import Sequential as Sequential
from .conv import Conv2d as Conv2d
from .distance import CosineSimilarity as CosineSimilarity
from .distance import PairwiseDistance as PairwiseDistance
from .dropout import Dropout as Dropout
from .linear import Flatten as Flatten
from .linear import Identity as Identity
from .linear import Linear as Linear
from .linear import Unflatten as Unflatten
from .loss import BCEWithLogitsLoss as BCEWithLogitsLoss
from .loss import CrossEntropyLoss as CrossEntropyLoss
from .loss import MSELoss as MSELoss
from .loss import NLLLoss as NLLLoss
from .module import Module as Module
from .normalization import BatchNorm1d as BatchNorm1d
from .normalization import BatchNorm2d as BatchNorm2d
from .parameter import Parameter as Parameter
from .pooling import AvgPool2d as AvgPool2d
from .pooling import MaxPool2d as MaxPool2d

_know(*[cls for cls in vars().values() if isinstance(cls, type) and issubclass(cls, Module)])

"""Image data sets with torchvision's arguments and checked files. The package contains a real subset of MNIST."""

from ..lazy import define_getattr as _define_getattr
from . import utils as utils
from .cifar import CIFAR10 as CIFAR10
from .cifar import CIFAR100 as CIFAR100
from .fake import FakeData as FakeData
from .folder import DatasetFolder as DatasetFolder
from .folder import ImageFolder as ImageFolder
from .idx import DataError as DataError
from .idx import decode_idx as decode_idx
from .idx import encode_idx as encode_idx
from .idx import read_idx as read_idx
from .mnist import MNIST as MNIST
from .mnist_variants import EMNIST as EMNIST
from .mnist_variants import KMNIST as KMNIST
from .mnist_variants import QMNIST as QMNIST
from .mnist_variants import FashionMNIST as FashionMNIST
from .vision import VisionDataset as VisionDataset

_define_getattr(globals())

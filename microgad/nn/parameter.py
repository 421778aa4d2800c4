"""Parameter, under PyTorch's name for its place."""

from ..tensor import Parameter as Parameter

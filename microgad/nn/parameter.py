"""Parameter, under PyTorch's name for its place."""

from ..parameter import Parameter as Parameter

"""torch._subclasses: the fake Tensors of PyTorch's compiler. microgad has none, but libraries test for them."""

from typing import Any

from ...errors import UnsupportedError
from . import _subclasses as fake_tensor  # noqa: F401 - this module, which has the names of both


class FakeTensor:
    """A Tensor without values in PyTorch's compiler. No Tensor is one, not even those of the device "meta"."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError('programs run as they are; Tensors without values are made by device="meta"')


FakeTensorMode = FakeTensor


def is_fake(x: object) -> bool:
    """Return False: nothing is traced."""
    return False

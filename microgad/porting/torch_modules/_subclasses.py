"""torch._subclasses: the Tensors that PyTorch's compiler traces with. There are none, but libraries ask."""

from typing import Any

from ...errors import UnsupportedError
from ...lazy import define_getattr as _define_getattr


class FakeTensor:
    """A Tensor of the compiler's, without values: there is none; those of the device "meta" are Tensors."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError('programs run as they are; Tensors without values are made by device="meta"')


FakeTensorMode = FakeTensor


def is_fake(x: object) -> bool:
    """False: nothing is traced."""
    return False


_define_getattr(globals())

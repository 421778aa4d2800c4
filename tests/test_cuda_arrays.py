"""Arrays on a GPU: which are views and of which memory, shapes without axes or elements, the order of axes in memory.

The GPU is CuPy's stand-in in tests/strictarray, which is as peculiar in these as CuPy.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import microgad as torch

from .strictarray import installed


@pytest.fixture(autouse=True)
def cuda() -> Iterator[None]:
    """Put the stand-in in CuPy's place; new Tensors are on the CPU."""
    with installed(), torch.device("cpu"):
        yield


STRIDED: list[Callable[[Any], Any]] = [
    lambda x: x.as_strided((2,), (2,), 1),
    lambda x: x[1:].as_strided((1,), (3,), 0),
    lambda x: x.unfold(0, 2, 2),
    lambda x: x.as_strided_((2, 2), (1, 2)),
]


@pytest.mark.parametrize("view", STRIDED)
def test_a_strided_view_is_known_as_a_view(view: Callable[[Any], Any]) -> None:
    def facts(device: str) -> Any:
        x = torch.ones(4, device=device, requires_grad=True)
        y = x * 1
        shown = view(y)
        shown.mul_(5)
        y.sum().backward()
        return shown._is_view(), y._version, shown.storage_offset(), shown.stride(), x.grad.tolist()  # type: ignore[union-attr]

    assert facts("cuda") == facts("cpu")


def test_the_memory_of_a_strided_view_is_its_base_s() -> None:
    x = torch.arange(4.0, device="cuda")
    for y in (x.expand(3, 4), x.unfold(0, 3, 1), x.resize_(2, 2), *copy.deepcopy((x, x[1:]))[1:]):
        storage, file = y.untyped_storage(), io.BytesIO()
        torch.save(y, file)
        file.seek(0)
        saved = torch.load(file)
        assert storage.nbytes() == saved.untyped_storage().nbytes() == 16
        assert (saved.stride(), saved.storage_offset()) == (y.stride(), y.storage_offset())
        assert y.data_ptr() - storage.data_ptr() == 4 * y.storage_offset()

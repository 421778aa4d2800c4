"""TorchVersion compares versions as PyTorch's does."""

from __future__ import annotations

import operator

import pytest

torch = pytest.importorskip("torch")
from microgad.porting.torch_modules.torch_version import TorchVersion  # noqa: E402

# Versions of each form in PEP 440, and one invalid version.
TEXT = """
    2.13.0 2.13 2.9 v2.13 2.13.0+cpu 2.13.0+cu121 2.13.0+12 2.13.0+12.a 2.13.0+cpu.5 2.13.0a0 2.13.0_alpha 2.13.0b3
    2.13.0rc1 2.13.0rc2 2.13.0c4 2.13.0pre1 2.13.0.dev20260101 2.13.dev 2.13a1.dev3 2.13.0a0+git123 2.13.0.post1
    2.13.0-1 2.13.0rev2 2.13.0.post1.dev2 1!1.0 parrot 2.13.0+microgad.0.1.0
"""
VERSIONS = TEXT.split()
OTHERS = [*VERSIONS, "", " 2.13 ", (2, 13), (2, 9, 1), [2, 13, 0], (1,), ("2", "13"), 3, 2.5, None]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


def comparison(version, other, compare):
    try:
        return compare(version, other)
    except TypeError as error:
        return type(error)


@pytest.mark.parametrize("text", VERSIONS)
def test_comparisons_hash_and_repr_are_torchs(text):
    theirs, ours = torch.torch_version.TorchVersion(text), TorchVersion(text)
    for other in OTHERS:
        for compare in COMPARISONS:
            assert comparison(ours, other, compare) == comparison(theirs, other, compare), (other, compare)
    assert (hash(ours), str(ours), repr(ours)) == (hash(theirs), str(theirs), repr(theirs))

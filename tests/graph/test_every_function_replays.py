"""Every Function's examples of tests/properties are recorded, and replay bit for bit, also after JSON."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad.graph import Tape

from ..properties.all_entries import ENTRIES, for_examples

# Writes through views of a Tensor that transpose_() has transposed: what happens to those views isn't an operation.
TRANSPOSED = {"test_a_base_that_becomes_a_view", "test_a_write_through_a_view"}


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.name not in TRANSPOSED], ids=lambda entry: entry.name)
def test_examples_replay_bit_for_bit(entry, pytestconfig):
    def check(case):
        with torch.record(replay=True) as tape:
            found = case.function(*case.inputs)
            results = [y for y in (found if isinstance(found, (tuple, list)) else [found]) if torch.is_tensor(y)]
            results = [y for y in results if y.requires_grad]
            torch.autograd.backward(results, [torch.ones_like(y) for y in results])
        assert tape.verify()
        assert Tape.from_json(tape.to_json()).verify()

    for_examples(entry, pytestconfig, check)

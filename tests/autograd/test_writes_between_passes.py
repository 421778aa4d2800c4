"""A value that is written between a pass with create_graph and the next pass: an error, or the right gradients."""

from __future__ import annotations

import numpy as np

import microgad as torch

from ..properties.all_entries import ENTRIES, for_examples


def second_gradients(case, written=None):
    """Gradients of an example's first gradients; before that pass, input number `written` is written to."""
    inputs = [x.detach().clone().requires_grad_(x.requires_grad) if torch.is_tensor(x) else x for x in case.inputs]
    leaves = [x for x in inputs if torch.is_tensor(x) and x.requires_grad]
    torch.manual_seed(0)  # an example may have dropout
    found = case.function(*inputs)
    results = [y for y in (found if isinstance(found, (tuple, list)) else [found]) if torch.is_tensor(y)]
    results = [y for y in results if y.requires_grad]
    seeds = [torch.ones_like(y) for y in results]
    first = torch.autograd.grad(results, leaves, seeds, create_graph=True, allow_unused=True)
    first = [g for g in first if g is not None and g.requires_grad]
    if not first:
        return []
    if written is not None:
        with torch.no_grad():
            inputs[written].mul_(0.5).add_(0.25)
    return torch.autograd.grad(first, leaves, [torch.ones_like(g) for g in first], allow_unused=True)


def pytest_generate_tests(metafunc):
    """Every third entry, or all with --thorough: most operations keep their values by the same few lines."""
    step = 1 if metafunc.config.getoption("--thorough") else 3
    metafunc.parametrize("entry", ENTRIES[::step], ids=lambda entry: entry.name)


def test_a_write_is_noticed_or_does_not_matter(entry, pytestconfig):
    def check(case):
        try:
            expected = second_gradients(case)
        except RuntimeError:
            return  # it has no second derivative
        for i, x in enumerate(case.inputs):
            if not torch.is_tensor(x) or not x.is_floating_point():
                continue
            try:
                found = second_gradients(case, i)
            except RuntimeError as error:
                assert "modified by an inplace operation" in str(error)  # noqa: PT017
                continue
            for a, b in zip(expected, found, strict=True):
                assert (a is None) == (b is None)
                assert a is None or np.array_equal(a.numpy(), b.numpy(), equal_nan=True)

    for_examples(entry, pytestconfig, check)

"""Graphs of modules are freed by reference counting, without the garbage collector."""

import collections
import contextlib
import gc
import weakref

import pytest

import microgad as torch
from microgad import nn


class StoresOutput(nn.Module):
    """A module that stores its input and output, which must not form a reference cycle."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        self.inputs = x
        self.out = self.fc(x).relu()
        return self.out


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("hooked", [False, True])
def test_a_training_step_leaves_nothing_for_the_collector(hooked):
    net = nn.Sequential(StoresOutput(), nn.Linear(4, 2))
    seen = []
    if hooked:
        net[0].register_forward_hook(lambda module, args, out: None)
        net[0].register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(len(grad_output)))
        net[0].register_full_backward_pre_hook(lambda module, grad_output: None)
    x = torch.ones(3, 4, requires_grad=True)
    for _ in range(3):
        gc.collect()  # the first step imports what it needs
        net(x).sum().backward()
        with torch.no_grad():
            for p in net.parameters():
                p.sub_(p.grad)
        net.zero_grad()
    net(x)  # a graph without backward
    assert gc.collect() == 0
    del net
    assert gc.collect() == 0
    assert seen == [1, 1, 1] * hooked


class Unread(collections.abc.Mapping[str, object]):
    """A mapping that reads its values from elsewhere."""

    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        return iter(["a"])

    def __len__(self):
        return 1


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("stored", [list, tuple, lambda xs: dict(enumerate(xs))])
def test_a_hooked_module_that_is_let_go_detaches_what_it_stored(stored):
    class Stores(nn.Module):
        def forward(self, x):
            x = x * 2
            self.out, self.held = x, stored([x, 3])
            self.unread = Unread()
            return x

    module, x, seen = Stores(), torch.ones(2, requires_grad=True), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((m.held, m.out.tolist())))
    y = module(x)
    node = weakref.ref(y.grad_fn)
    del module
    y.sum().backward()
    del y
    assert node() is None
    held, out = seen[0]
    assert (type(held), out) == (type(stored([])), [2, 2])


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_failed_call_leaves_nothing_for_the_collector():
    net = nn.Sequential(nn.Linear(4, 2))
    for args in ((torch.ones(2, 7),), ()):
        with contextlib.suppress(RuntimeError, TypeError):
            net(*args)
    assert gc.collect() == 0


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_checkpoint_that_stops_in_batch_norm_leaves_nothing_for_the_collector():
    """The norm updates its statistics after the operation that raises."""
    norm, x = nn.BatchNorm1d(3), torch.rand(4, 3, requires_grad=True)
    gc.collect()
    torch.utils.checkpoint.checkpoint(norm, x, use_reentrant=False).sum().backward()
    assert gc.collect() == 0
    assert norm.num_batches_tracked == 2

"""functorch, the package that became torch.func: its names, and modules as functions of their parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

import microgad as torch
from microgad import nn
from microgad.porting import functorch
from microgad.porting.alias import TORCH_VERSION
from microgad.porting.functorch import experimental

from ..processes import run

pytestmark = pytest.mark.filterwarnings("ignore:`functorch")


def test_version() -> None:
    assert functorch.__version__ == TORCH_VERSION


def test_functorch_import_and_warnings(tmp_path: Path) -> None:
    """Importing `dim` raises ImportError, which tensordict handles."""
    program = """
import microgad; microgad.as_torch()
import torch, warnings
from functorch import grad, jacrev, make_functional, vmap
from functorch.experimental import chunk_vmap
try:
    from functorch import dim
except ImportError:
    print("no dim")
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    print(vmap(torch.sum)(torch.ones(2, 3)), grad(torch.sin)(torch.tensor(0.0)))
print([(w.category.__name__, w.filename[-4:], "torch.vmap" in str(w.message)) for w in warned])
"""
    (tmp_path / "p.py").write_text(program)
    result = run("p.py", folder=tmp_path)
    warned = "[('FutureWarning', 'p.py', True), ('FutureWarning', 'p.py', False)]"
    assert (result.stdout, result.stderr) == (f"no dim\ntensor([3., 3.]) tensor(1.)\n{warned}\n", "")


def test_make_functional() -> None:
    net, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), torch.randn(5, 3)
    func, params = functorch.make_functional(net)
    net(x).sum().backward()
    grads = functorch.grad(lambda params: func(params, x).sum())(params)
    rows = functorch.vmap(functorch.grad(lambda params, x: func(params, x).sum()), (None, 0))(params, x)
    for p, mine, grad, row in zip(net.parameters(), params, grads, rows, strict=True):
        assert torch.equal(p, mine)
        assert p is not mine
        assert mine.requires_grad
        torch.testing.assert_close(grad, p.grad)
        torch.testing.assert_close(row.sum(0), p.grad)


def test_make_functional_of_tied_weights() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    func, (weight,) = functorch.make_functional(net)
    assert func([2 * torch.eye(2)], torch.ones(2)).tolist() == [4, 4]
    assert torch.equal(weight, net[0].weight)


def test_make_functional_with_buffers() -> None:
    net = nn.BatchNorm1d(2)
    with pytest.raises(RuntimeError, match=r"has buffers\. Please use make_functional_with_buffers"):
        functorch.make_functional(net)
    func, params, buffers = functorch.make_functional_with_buffers(net, disable_autograd_tracking=True)
    func(params, buffers, torch.tensor([[0.0, 2.0], [2.0, 4.0]]))
    assert [p.requires_grad for p in params] == [False, False]
    torch.testing.assert_close(buffers[0], torch.tensor([0.1, 0.3]))
    assert (net.running_mean.tolist(), int(buffers[2])) == ([0, 0], 1)


def test_combine_state_for_ensemble() -> None:
    nets, x = [nn.Linear(3, 2) for _ in range(4)], torch.randn(5, 3)
    func, params, buffers = functorch.combine_state_for_ensemble(nets)
    results = functorch.vmap(func, (0, 0, None))(params, buffers, x)
    torch.testing.assert_close(results, torch.stack([net(x) for net in nets]).detach())
    assert [p.requires_grad for p in params] == [False, False]


@pytest.mark.parametrize(
    ("nets", "message"),
    [
        ([], "at least one model, got 0"),
        ([nn.Tanh(), nn.Tanh().eval()], "the same training/eval mode"),
        ([nn.Tanh(), nn.ReLU()], "of the same class"),
    ],
)
def test_combine_state_for_ensemble_errors(nets: list[nn.Module], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        functorch.combine_state_for_ensemble(nets)


@pytest.mark.parametrize("chunks", [1, 2, 3, 7])
def test_chunk_vmap_maps_in_a_number_of_chunks(chunks: int) -> None:
    sizes = []

    def func(x: torch.Tensor, k: int) -> torch.Tensor:
        sizes.append(k)
        return x.cos() * k

    x = torch.randn(2, 7)
    mapped = experimental.chunk_vmap(func, (1, None), out_dims=1, chunks=chunks)
    torch.testing.assert_close(mapped(x, 3), x.cos() * 3)
    assert len(sizes) == chunks
    same = experimental.chunk_vmap(lambda x: x + torch.rand(()), randomness="same", chunks=chunks)
    assert len(set(same(torch.zeros(7)).tolist())) == 1

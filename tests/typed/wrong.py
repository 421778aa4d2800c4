"""Mistakes that a type checker finds. mypy reports each `ignore` that isn't needed."""

from __future__ import annotations

import microgad as torch
import microgad.nn.functional as F
from microgad import nn

x = torch.ones(2, 2)

_ = x + "1"  # type: ignore[arg-type]
(x + 1).backwards()  # type: ignore[attr-defined]
x.mul_("2")  # type: ignore[arg-type]
x.mul_()  # type: ignore[call-arg]
x.neg_(1)  # type: ignore[call-arg]
x.add_(1, beta=2)  # type: ignore[call-arg]
x.view("2")  # type: ignore[arg-type]
x.reshape(1.5)  # type: ignore[call-overload]
x.float(torch.float64)  # type: ignore[arg-type, call-arg]
x.masked_fill_(x > 0)  # type: ignore[call-arg]
x.shape[0].item()  # type: ignore[attr-defined]
_ = x.max(dim=0).value  # type: ignore[attr-defined]
x.size("0")  # type: ignore[call-overload]
torch.tensor([1.0], require_grad=True)  # type: ignore[call-arg]
torch.where(x > 0, x)  # type: ignore[call-overload]
torch.swapdims(x, 0)  # type: ignore[call-arg]
torch.Tensor(2).siz()  # type: ignore[attr-defined]
x.type("torch.DoubleTensor").siz()  # type: ignore[attr-defined]
_, _ = torch.svd_lowrank(x)  # type: ignore[misc]
torch.func.vmap(torch.dot)(x)  # type: ignore[call-arg]
F.dropout(x, "0.5")  # type: ignore[arg-type]
F.cross_entropy(x)  # type: ignore[call-arg]
nn.Linear(2)  # type: ignore[call-arg]
nn.Linear("2", 3)  # type: ignore[arg-type]
torch.optim.SGD([x], lr="0.1")  # type: ignore[arg-type]
torch.zeros(2, dtype="float32")  # type: ignore[arg-type]
torch.ones(2, device=1.5)  # type: ignore[arg-type]
nn.Linear(2, 2, dtype="half")  # type: ignore[arg-type]
F.max_pool2d(x)  # type: ignore[call-overload]
nn.MSELoss()(x, x).bakward()  # type: ignore[attr-defined]
nn.Linear(2, 3)(x).siz()  # type: ignore[attr-defined]
nn.LazyLinear(3)(x).siz()  # type: ignore[attr-defined]
nn.LSTM(2)  # type: ignore[call-arg]
nn.GRU(2, 3, layers=2)  # type: ignore[call-arg]
nn.RNN(2, 3, proj_size=2)  # type: ignore[call-arg]
nn.modules.activation.Relu  # type: ignore[attr-defined]  # noqa: B018
nn.LSTM(2, 3)(x)[1].size()  # type: ignore[attr-defined]
_, _, _ = nn.GRU(2, 3)(x)  # type: ignore[misc]
nn.MultiheadAttention(2, 1)(x, x, x).sum()  # type: ignore[attr-defined]
nn.MultiheadAttention(2, 1)(x, x, x)[1].men()  # type: ignore[union-attr]
F.relu(nn.LSTMCell(2, 3)(x))  # type: ignore[arg-type]
F.max_pool2d(x, 2, return_indices=True).sum()  # type: ignore[attr-defined]
F.relu(F.adaptive_max_pool2d(x, 2, True))  # type: ignore[arg-type]
F.fractional_max_pool2d(x, 2, 2).siz()  # type: ignore[attr-defined]
_, _, _ = x.unique(return_counts=True)  # type: ignore[misc]
torch.lu(x).LU  # type: ignore[attr-defined]  # noqa: B018
torch.autograd.grad(x.sum(), x).backward()  # type: ignore[attr-defined]
torch.autograd.grad(x.sum(), {"x": x})["x"].siz()  # type: ignore[attr-defined]
torch.autograd.grad(x.sum(), x, retain=True)  # type: ignore[call-overload]

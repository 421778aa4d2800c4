"""A program written for torch prints the same under both libraries after its imports are replaced."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

pytest.importorskip("torch")

PROGRAM = """
import LIBRARY as torch
import LIBRARY.nn as nn
import LIBRARY.nn.functional as F
from LIBRARY.utils.data import DataLoader, TensorDataset, random_split

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding="same")
        self.bn = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 8, kernel_size=(3, 3), stride=2, bias=False)
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(8 * 3 * 3, 10)
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x):
        x = F.relu(self.bn(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.conv2(x)), 1)
        x = x.view(x.size(0), -1)
        x = self.drop(x) * self.scale
        return F.log_softmax(self.fc(x), dim=1)

torch.manual_seed(42)
x, y = torch.randn(64, 1, 8, 8), torch.randint(0, 10, (64,))
train, held_out = random_split(TensorDataset(x, y), [48, 16])
net = Net()
print(net, sum(p.numel() for p in net.parameters()))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
for epoch in range(3):
    net.train()
    total = 0.0
    for xb, yb in DataLoader(train, batch_size=16, shuffle=True):
        optimizer.zero_grad()
        loss = F.nll_loss(net(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * xb.size(0)
    net.eval()
    correct = 0
    with torch.no_grad():
        for xb, yb in DataLoader(held_out, batch_size=8):
            out = net(xb)
            pred = out.argmax(dim=1, keepdim=True)
            correct += pred.eq(yb.view_as(pred)).sum().item()
            values, indices = torch.max(out, 1)
    scheduler.step()
    print(f"epoch {epoch} loss {total / 48:.4f} correct {correct}/16", [g["lr"] for g in optimizer.param_groups])
print(net.fc.weight[:2, :4], {k: tuple(v.shape) for k, v in net.state_dict().items()})

a = torch.arange(12.0).reshape(3, 4)
a[1:, ::2] += 100
print(a, a.T.contiguous().view(-1), a.mean(1, keepdim=True), a.std(), a.var(dim=0))
print(torch.cat([a, a * 2]).shape, torch.stack((a, a), 1).shape, a[a > 50], torch.where(a > 50, a, torch.zeros_like(a)))
w = torch.tensor([1.0, 2.0], requires_grad=True)
print((w**3).sum().item(), torch.autograd.grad((w**3).sum(), w), w.grad)
print(torch.linspace(0, 1, 5), torch.eye(2), torch.full((2, 2), 7), torch.tensor([True, False]), torch.zeros(0, 3))
print(a.max(), a.min(dim=1), a.max(dim=0), a.sum(), a.int(), a.to(torch.float64).dtype, a[0].tolist(), len(a), a.device)
"""


def output_of(library: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(PROGRAM.replace("LIBRARY", library), library, "exec"), {"__name__": library})
    return re.sub(r"grad_fn=<\w+>", "grad_fn=<...>", out.getvalue())  # some nodes have other names


def test_training_program_prints_the_same() -> None:
    assert output_of("microgad") == output_of("torch")

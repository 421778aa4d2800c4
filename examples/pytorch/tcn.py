"""A temporal convolutional network adds two marked numbers of a sequence: dilation, weight normalization, residuals."""

import torch
import torch.nn as nn
from torch.nn.utils import weight_norm


class Chomp1d(nn.Module):
    def __init__(self, chomp_size):
        super().__init__()
        self.chomp_size = chomp_size

    def forward(self, x):
        return x[:, :, : -self.chomp_size].contiguous()


class TemporalBlock(nn.Module):
    def __init__(self, n_inputs, n_outputs, kernel_size, dilation, dropout=0.1):
        super().__init__()
        padding = (kernel_size - 1) * dilation
        self.conv1 = weight_norm(nn.Conv1d(n_inputs, n_outputs, kernel_size, padding=padding, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(n_outputs, n_outputs, kernel_size, padding=padding, dilation=dilation))
        self.net = nn.Sequential(
            self.conv1, Chomp1d(padding), nn.ReLU(), nn.Dropout(dropout),
            self.conv2, Chomp1d(padding), nn.ReLU(), nn.Dropout(dropout),
        )  # fmt: skip
        self.downsample = nn.Conv1d(n_inputs, n_outputs, 1) if n_inputs != n_outputs else None
        self.relu = nn.ReLU()
        self.conv1.weight.data.normal_(0, 0.01)

    def forward(self, x):
        res = x if self.downsample is None else self.downsample(x)
        return self.relu(self.net(x) + res)


class TCN(nn.Module):
    def __init__(self, channels=(8, 8, 8)):
        super().__init__()
        widths = [2, *channels]
        self.network = nn.Sequential(
            *[TemporalBlock(i, o, 3, 2**k) for k, (i, o) in enumerate(zip(widths, widths[1:]))]
        )
        self.linear = nn.Linear(channels[-1], 1)

    def forward(self, x):
        return self.linear(self.network(x)[:, :, -1])


torch.manual_seed(0)
numbers, marks = torch.rand(32, 24), torch.zeros(32, 24)
first, second = torch.randint(0, 12, (32,)), torch.randint(12, 24, (32,))
marks[torch.arange(32), first] = marks[torch.arange(32), second] = 1
x, y = torch.stack([numbers, marks], 1), (numbers * marks).sum(1, keepdim=True)

model = TCN()
optimizer = torch.optim.Adamax(model.parameters(), lr=0.01)
for step in range(6):
    optimizer.zero_grad()
    loss = nn.functional.huber_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")

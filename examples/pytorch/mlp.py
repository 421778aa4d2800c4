"""A multilayer perceptron learns which of two interleaved spirals a point is on."""

import math

import torch
from torch import nn

torch.manual_seed(0)
n = 100
turn = torch.linspace(0.5, 3 * math.pi, n)
arm = torch.stack([turn.cos() * turn, turn.sin() * turn], 1) / 10
points = torch.cat([arm, -arm]) + 0.02 * torch.randn(2 * n, 2)
labels = torch.cat([torch.zeros(n), torch.ones(n)]).long()

model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(20):
    optimizer.zero_grad()
    loss = criterion(model(points), labels)
    loss.backward()
    optimizer.step()
    if epoch % 4 == 3:
        accuracy = (model(points).argmax(dim=1) == labels).float().mean()
        print(f"epoch {epoch + 1}: loss {loss.item():.6f}, accuracy {accuracy.item():.3f}")

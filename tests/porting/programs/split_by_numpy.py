"""Data kept in Tensors and split, sorted and summed by NumPy's functions, which return arrays."""

import numpy as np
import torch

torch.manual_seed(0)
rng = np.random.default_rng(0)
x = torch.randn(24, 3)
labels = torch.arange(24) % 4

parts = []
for label in np.unique(labels).astype(int):
    places = np.where(labels == label)[0]
    rng.shuffle(places)  # an array: shuffling a Tensor in place would duplicate rows
    parts.append(places[:3])
    print(label, places, type(places).__name__)
chosen = np.concatenate(parts)
print(chosen[::-1], x[chosen].sum(0))

rows = np.stack([x[0], x[1]]).transpose(1, 0)
print(rows.shape, torch.from_numpy(np.vstack([x[0], x[1]])).dtype)
print(np.isin(labels, [1, 2]).astype(np.float32).mean(), np.histogram(x, bins=3)[0], np.percentile(x, 50).round(4))
print(np.sort(x[:, 0])[::-1][:2].round(4), np.linalg.norm(x).round(3), np.allclose(x, x), np.sqrt(x[0].abs()))

w = torch.ones(3, requires_grad=True)
loss = torch.zeros(())
for part in np.array_split(rng.permutation(len(x)), 3):
    target = torch.from_numpy(np.hstack([x[i].mean() for i in part]))
    loss = loss + ((x[part] @ w - target) ** 2).mean()
loss.backward()
print(f"{loss.item():.5f}", w.grad)

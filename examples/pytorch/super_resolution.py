"""Sub-pixel convolution makes small images large: PixelShuffle, orthogonal weights, PSNR."""

import math

import torch
import torch.nn as nn
from torch.nn import init


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(16, 16, (3, 3), (1, 1), (1, 1), padding_mode="reflect")
        self.conv3 = nn.Conv2d(16, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        return self.pixel_shuffle(self.conv3(x))


torch.manual_seed(123)
rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
large = torch.stack([torch.sin(rows * a + columns * b) for a, b in torch.rand(6, 2)]).unsqueeze(1) * 0.5 + 0.5
small = nn.functional.interpolate(large, scale_factor=0.5, mode="area")

model = Net(2)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(6):
    optimizer.zero_grad()
    loss = criterion(model(small), large)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.6f}, psnr {10 * math.log10(1 / loss.item()):.3f} dB")

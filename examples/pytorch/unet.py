"""A U-Net marks the discs in noisy images: transposed convolutions, skip connections, a dice loss."""

import torch
from torch import nn


def double_conv(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(2, o), nn.LeakyReLU(0.1), nn.Conv2d(o, o, 3, padding=1), nn.SiLU()
    )


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down1, self.down2 = double_conv(1, width), double_conv(width, 2 * width)
        self.bottom = double_conv(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.join2 = double_conv(4 * width, 2 * width)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.join1 = double_conv(3 * width, width)
        self.out = nn.Conv2d(width, 1, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.bottom(self.pool(b))
        c = self.join2(torch.cat([self.up2(c), b], dim=1))
        c = self.join1(torch.cat([self.up1(c), a], dim=1))
        return self.out(c)


def dice(logits, target):
    p = torch.sigmoid(logits)
    return 1 - 2 * (p * target).sum() / (p.sum() + target.sum() + 1e-6)


torch.manual_seed(0)
rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
centres = 4 + 8 * torch.rand(6, 2)
masks = torch.stack([((rows - r) ** 2 + (columns - c) ** 2 < 9).float() for r, c in centres]).unsqueeze(1)
images = masks + 0.3 * torch.randn_like(masks)

net = UNet()
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
bce = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))
for step in range(6):
    optimizer.zero_grad(set_to_none=True)
    logits = net(images)
    loss = bce(logits, masks) + dice(logits, masks)
    loss.backward()
    optimizer.step()
    iou = ((logits > 0) & (masks > 0)).sum() / ((logits > 0) | (masks > 0)).sum().clamp(min=1)
    print(f"step {step}: loss {loss.item():.6f}, iou {iou.item():.3f}")

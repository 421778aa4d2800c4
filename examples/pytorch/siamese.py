"""A siamese network tells whether two images are of one kind: shared weights, triplets, a frozen part."""

import torch
import torch.nn as nn


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.InstanceNorm2d(4),
            nn.ReflectionPad2d(1), nn.Conv2d(4, 8, 3), nn.PReLU(8), nn.AdaptiveMaxPool2d(3), nn.Flatten(),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Linear(8 * 9, 16), nn.Hardswish(), nn.Linear(16, 4))

    def once(self, x):
        return nn.functional.normalize(self.fc(self.cnn(x)), dim=1)

    def forward(self, *inputs):
        return tuple(self.once(x) for x in inputs)


torch.manual_seed(0)
kinds = torch.rand(3, 1, 10, 10)


def images(which):
    return kinds[which] + 0.2 * torch.randn(len(which), 1, 10, 10)


net = SiameseNetwork()
for p in net.cnn[1].parameters():
    p.requires_grad = False
print(sum(p.numel() for p in net.parameters() if p.requires_grad), "parameters learn")
criterion = nn.TripletMarginLoss(margin=0.5)
optimizer = torch.optim.SGD(
    [{"params": net.fc.parameters(), "lr": 0.1}, {"params": (p for p in net.cnn.parameters() if p.requires_grad)}],
    lr=0.02, momentum=0.9, nesterov=True,
)  # fmt: skip
for step in range(6):
    anchor = torch.randint(0, 3, (12,))
    other = (anchor + torch.randint(1, 3, (12,))) % 3
    a, p, n = net(images(anchor), images(anchor), images(other))
    loss = criterion(a, p, n)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")
with torch.no_grad():
    x, y = net(images(torch.tensor([0, 1])), images(torch.tensor([0, 2])))
    print(nn.PairwiseDistance()(x, y).tolist()[0] > 0)

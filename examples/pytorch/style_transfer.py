"""An image is changed until a network sees the content of one and the style of another: Gram matrices, L-BFGS."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ContentLoss(nn.Module):
    def __init__(self, target):
        super().__init__()
        self.target = target.detach()

    def forward(self, input):
        self.loss = F.mse_loss(input, self.target)
        return input


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    return torch.mm(features, features.t()).div(a * b * c * d)


class StyleLoss(nn.Module):
    def __init__(self, target_feature):
        super().__init__()
        self.target = gram_matrix(target_feature).detach()

    def forward(self, input):
        self.loss = F.mse_loss(gram_matrix(input), self.target)
        return input


torch.manual_seed(0)
content, style = torch.rand(1, 3, 12, 12), torch.rand(1, 3, 12, 12) ** 3
vision = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=False), nn.AvgPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
).eval()
for p in vision.parameters():
    p.requires_grad_(False)

model, losses = nn.Sequential(), {"content": [], "style": []}
for i, layer in enumerate(vision.children()):
    model.add_module(f"{type(layer).__name__.lower()}_{i}", layer)
    if isinstance(layer, nn.Conv2d):
        losses["content"].append(ContentLoss(model(content)))
        model.add_module(f"content_loss_{i}", losses["content"][-1])
        losses["style"].append(StyleLoss(model(style)))
        model.add_module(f"style_loss_{i}", losses["style"][-1])

image = content.clone().requires_grad_(True)
optimizer = torch.optim.LBFGS([image], max_iter=3)
run = [0]
while run[0] <= 6:

    def closure():
        with torch.no_grad():
            image.clamp_(0, 1)
        optimizer.zero_grad()
        model(image)
        style_score = sum(sl.loss for sl in losses["style"]) * 1e4
        content_score = sum(cl.loss for cl in losses["content"])
        loss = style_score + content_score
        loss.backward()
        run[0] += 1
        print(f"run {run[0]}: style {style_score.item():.5f}, content {content_score.item():.6f}")
        return loss

    optimizer.step(closure)
with torch.no_grad():
    image.clamp_(0, 1)
print(f"{(image - content).abs().mean().item():.5f}")

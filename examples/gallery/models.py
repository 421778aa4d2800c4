"""Small models of well-known architectures, each with a batch of inputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import microgad as torch
from microgad import Tensor, nn
from microgad.nn import functional as F


class UNet(nn.Module):
    """A U-Net: two steps down, two steps up, with skip connections."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down1, self.down2 = self.twice(3, width), self.twice(width, 2 * width)
        self.middle = self.twice(2 * width, 4 * width)
        self.up2, self.up1 = (nn.ConvTranspose2d(2 * w, w, 2, 2) for w in (2 * width, width))
        self.join2, self.join1 = self.twice(4 * width, 2 * width), self.twice(2 * width, width)
        self.head = nn.Conv2d(width, 2, 1)

    def twice(self, inputs: int, outputs: int) -> nn.Sequential:
        first, second = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.middle(F.max_pool2d(b, 2))
        b = self.join2(torch.cat([self.up2(c), b], 1))
        a = self.join1(torch.cat([self.up1(b), a], 1))
        return self.head(a)


class VAE(nn.Module):
    """A variational autoencoder that returns its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        likelihood = F.binary_cross_entropy(self.decoder(z), x, reduction="sum")
        return likelihood - 0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum()


class LSTM(nn.Module):
    """An LSTM written out, step by step."""

    def __init__(self, inputs: int = 8, width: int = 16) -> None:
        super().__init__()
        self.gates, self.head = nn.Linear(inputs + width, 4 * width), nn.Linear(width, 2)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        h = c = torch.zeros(x.shape[1], self.width)
        for step in x:
            i, f, g, o = self.gates(torch.cat([step, h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return self.head(h)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.qkv, self.out, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x: Tensor) -> Tensor:
        n, t, width = x.shape
        q, k, v = (y.view(n, t, self.heads, -1).transpose(1, 2) for y in self.qkv(x).split(width, 2))
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(width // self.heads)
        scores = scores.masked_fill(torch.ones(t, t).tril() == 0, -math.inf)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """A transformer that predicts the next token, with its head tied to the embedding."""

    def __init__(self, layers: int = 12, width: int = 48, heads: int = 4, vocabulary: int = 100) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(16, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


class Siamese(nn.Module):
    """Two images through the same weights; returns their distance."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return F.pairwise_distance(self.features(a), self.features(b))


class Classifier(nn.Module):
    """Two layers and a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(4, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:
        return F.cross_entropy(self.out(self.hidden(x).tanh()), classes)


class GradientPenalty(nn.Module):
    """A critic with a gradient penalty, whose graph contains the backward pass too."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(self.critic(x).sum(), x, create_graph=True)
        return ((slope.norm(dim=1) - 1) ** 2).mean()


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 10),
    )  # fmt: skip


def transformer() -> nn.Module:
    return nn.Transformer(16, 2, 2, 2, 32, batch_first=True)


def picture(channels: int, size: int, count: int = 1) -> Tensor:
    return torch.randn(count, channels, size, size)


# For each name, a function that makes the model and one that makes a batch.
MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Tensor, ...]]]] = {
    "mlp": (Classifier, lambda: (torch.randn(8, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]))),
    "lenet": (lenet, lambda: (picture(1, 28, 2),)),
    "resnet18": (torch.models.resnet18, lambda: (picture(3, 64),)),
    "resnet50": (torch.models.resnet50, lambda: (picture(3, 64),)),
    "unet": (UNet, lambda: (picture(3, 16),)),
    "vae": (VAE, lambda: (torch.rand(4, 784),)),
    "lstm": (LSTM, lambda: (torch.randn(50, 4, 8),)),
    "gpt": (GPT, lambda: (torch.randint(100, (1, 16)),)),
    "transformer": (transformer, lambda: (torch.randn(1, 5, 16), torch.randn(1, 4, 16))),
    "siamese": (Siamese, lambda: (picture(1, 8, 2), picture(1, 8, 2))),
    "gradient_penalty": (GradientPenalty, lambda: (torch.randn(4, 2, requires_grad=True),)),
}

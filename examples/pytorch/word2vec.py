"""Skip-gram word vectors with negative sampling, and the nearest words by cosine."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

sentences = [
    "the king rules the land and the queen rules the land",
    "the dog chases the cat and the cat chases the mouse",
]
text = " ".join(sentences).split()
vocabulary = sorted(set(text))
index = {word: i for i, word in enumerate(vocabulary)}
pairs = [
    (index[text[i]], index[text[j]])
    for i in range(len(text)) for j in range(max(0, i - 2), min(len(text), i + 3)) if i != j
]  # fmt: skip


class SkipGram(nn.Module):
    def __init__(self, size, dim):
        super().__init__()
        self.center = nn.Embedding(size, dim)
        self.context = nn.Embedding(size, dim)
        self.center.weight.data.uniform_(-0.5 / dim, 0.5 / dim)
        self.context.weight.data.zero_()

    def forward(self, center, positive, negative):
        v = self.center(center)
        good = torch.sum(v * self.context(positive), dim=1)
        bad = torch.bmm(self.context(negative), v.unsqueeze(2)).squeeze(2)
        return -(F.logsigmoid(good) + F.logsigmoid(-bad).sum(1)).mean()


torch.manual_seed(0)
model = SkipGram(len(vocabulary), 10)
optimizer = optim.Adagrad(model.parameters(), lr=0.5)
counts = torch.bincount(torch.tensor([index[w] for w in text]), minlength=len(vocabulary)).float() ** 0.75
center, positive = torch.tensor(pairs).t()
for epoch in range(6):
    negative = torch.multinomial(counts, len(pairs) * 3, replacement=True).view(-1, 3)
    loss = model(center, positive, negative)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.6f}")
similar = F.cosine_similarity(model.center.weight[index["king"]], model.center.weight, dim=1)
print([vocabulary[i] for i in similar.argsort(descending=True)[:3]])

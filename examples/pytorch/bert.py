"""A BERT-style encoder guesses masked words: nn.TransformerEncoder, padding masks, a tied output."""

import torch
from torch import nn

VOCABULARY, WIDTH, LENGTH, MASK, PAD = 24, 16, 10, 1, 0


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH, padding_idx=PAD)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            WIDTH, nhead=4, dim_feedforward=32, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.bias = nn.Parameter(torch.zeros(VOCABULARY))

    def forward(self, x):
        h = self.norm(self.words(x) + self.places(torch.arange(x.size(1))))
        h = self.encoder(h, src_key_padding_mask=x == PAD)
        return nn.functional.linear(h, self.words.weight, self.bias)


torch.manual_seed(0)
start = torch.randint(2, VOCABULARY, (12, 1))
sentences = (start + torch.arange(LENGTH) * 3) % (VOCABULARY - 2) + 2
sentences[torch.arange(LENGTH) >= torch.randint(6, LENGTH + 1, (12, 1))] = PAD

model = Bert()
optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
for step in range(6):
    chosen = (torch.rand(sentences.shape) < 0.15) & (sentences != PAD)
    labels = torch.where(chosen, sentences, -100)
    inputs = sentences.masked_fill(chosen, MASK)
    logits = model(inputs)
    loss = nn.functional.cross_entropy(logits.transpose(1, 2), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: {int(chosen.sum())} masked, loss {loss.item():.6f}")

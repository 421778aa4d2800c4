"""An encoder and a decoder with additive attention learn to reverse sequences; teacher forcing at random."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

SOS, VOCABULARY, HIDDEN, LENGTH = 0, 12, 24, 6


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(0.1)

    def forward(self, input):
        return self.gru(self.dropout(self.embedding(input)))


class BahdanauAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.Wa, self.Ua, self.Va = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys))).squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights, keys), weights


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.attention = BahdanauAttention()
        self.gru = nn.GRU(2 * HIDDEN, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, encoded, hidden, target):
        step = torch.full((encoded.size(0), 1), SOS, dtype=torch.long)
        outputs = []
        forced = random.random() < 0.5
        for i in range(LENGTH):
            context, _ = self.attention(hidden.permute(1, 0, 2), encoded)
            output, hidden = self.gru(torch.cat((self.embedding(step), context), dim=2), hidden)
            output = self.out(output)
            outputs.append(output)
            step = target[:, i].unsqueeze(1) if forced else output.topk(1)[1].squeeze(-1).detach()
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1)


random.seed(0)
torch.manual_seed(0)
source = torch.randint(1, VOCABULARY, (16, LENGTH))
target = source.flip(1)
encoder, decoder = Encoder(), Decoder()
optimizers = [torch.optim.Adam(net.parameters(), lr=0.005) for net in (encoder, decoder)]
criterion = nn.NLLLoss()
for epoch in range(6):
    for optimizer in optimizers:
        optimizer.zero_grad()
    encoded, hidden = encoder(source)
    output = decoder(encoded, hidden, target)
    loss = criterion(output.view(-1, output.size(-1)), target.reshape(-1))
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.6f}")

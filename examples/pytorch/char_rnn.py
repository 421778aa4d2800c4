"""A recurrent network learns to write a sentence letter by letter, then writes."""

import torch
from torch import nn

text = "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs. "
letters = sorted(set(text))
index = {c: i for i, c in enumerate(letters)}
codes = torch.tensor([index[c] for c in text])


class CharRNN(nn.Module):
    def __init__(self, vocabulary, hidden=32, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 16)
        self.rnn = nn.GRU(16, hidden, layers, batch_first=True, dropout=0.1)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, x, state=None):
        out, state = self.rnn(self.embedding(x), state)
        return self.head(out), state


torch.manual_seed(0)
model = CharRNN(len(letters))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
starts = torch.randint(0, len(codes) - 21, (8,))
x = torch.stack([codes[s : s + 20] for s in starts])
y = torch.stack([codes[s + 1 : s + 21] for s in starts])
for step in range(8):
    logits, _ = model(x)
    loss = nn.functional.cross_entropy(logits.reshape(-1, len(letters)), y.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    print(f"step {step}: loss {loss.item():.6f}")

model.eval()
state, letter, written = None, codes[:1].view(1, 1), text[0]
with torch.no_grad():
    for _ in range(20):
        logits, state = model(letter, state)
        letter = torch.multinomial(torch.softmax(logits[0, -1], 0), 1).view(1, 1)
        written += letters[letter.item()]
print(repr(written))

"""nn.Transformer translates a toy language: masks, positional encoding, greedy decoding."""

import math

import torch
import torch.nn as nn
from torch import Tensor

PAD, BOS, EOS, VOCABULARY, WIDTH = 0, 1, 2, 14, 16


class PositionalEncoding(nn.Module):
    def __init__(self, emb_size: int, dropout: float, maxlen: int = 50):
        super().__init__()
        den = torch.exp(-torch.arange(0, emb_size, 2) * math.log(10000) / emb_size)
        pos = torch.arange(0, maxlen).reshape(maxlen, 1)
        pos_embedding = torch.zeros((maxlen, emb_size))
        pos_embedding[:, 0::2] = torch.sin(pos * den)
        pos_embedding[:, 1::2] = torch.cos(pos * den)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pos_embedding", pos_embedding.unsqueeze(-2))

    def forward(self, token_embedding: Tensor):
        return self.dropout(token_embedding + self.pos_embedding[: token_embedding.size(0), :])


class Seq2SeqTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.Transformer(
            d_model=WIDTH, nhead=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=32, dropout=0.1
        )
        self.generator = nn.Linear(WIDTH, VOCABULARY)
        self.src, self.tgt = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(VOCABULARY, WIDTH)
        self.positional_encoding = PositionalEncoding(WIDTH, 0.1)

    def forward(self, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(0)).isinf()
        src_padding, tgt_padding = (src == PAD).transpose(0, 1), (tgt == PAD).transpose(0, 1)
        outs = self.transformer(
            self.positional_encoding(self.src(src) * math.sqrt(WIDTH)),
            self.positional_encoding(self.tgt(tgt) * math.sqrt(WIDTH)),
            None, mask, None, src_padding, tgt_padding, src_padding,
        )  # fmt: skip
        return self.generator(outs)


torch.manual_seed(0)
lengths = torch.randint(3, 7, (12,))
sources = [torch.randint(3, VOCABULARY, (int(n),)) for n in lengths]
pairs = [
    (s, torch.cat([torch.tensor([BOS]), (s - 3 + 5) % (VOCABULARY - 3) + 3, torch.tensor([EOS])])) for s in sources
]
src = nn.utils.rnn.pad_sequence([a for a, _ in pairs], padding_value=PAD)
tgt = nn.utils.rnn.pad_sequence([b for _, b in pairs], padding_value=PAD)

model = Seq2SeqTransformer()
for p in model.parameters():
    if p.dim() > 1:
        nn.init.xavier_uniform_(p)
loss_fn = nn.CrossEntropyLoss(ignore_index=PAD)
optimizer = torch.optim.Adam(model.parameters(), lr=0.003, betas=(0.9, 0.98), eps=1e-9)
for epoch in range(5):
    model.train()
    logits = model(src, tgt[:-1])
    optimizer.zero_grad()
    loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt[1:].reshape(-1))
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.6f}")

model.eval()
ys = torch.ones(1, 1).fill_(BOS).type(torch.long)
with torch.no_grad():
    for _ in range(5):
        ys = torch.cat([ys, model(src[:, :1], ys)[-1].argmax(dim=1).view(1, 1)], dim=0)
print(ys.flatten().tolist())

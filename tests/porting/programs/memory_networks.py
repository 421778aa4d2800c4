"""A neural Turing machine, a pointer network, and search algorithms on their outputs."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(13)


class NTM(nn.Module):
    def __init__(s, N=6, M=4, c=8):
        super().__init__()
        s.ctrl = nn.LSTMCell(3 + M, c)
        s.h = nn.Linear(c, M + 1 + 1 + 3 + 1 + 2 * M)
        s.out = nn.Linear(c + M, 3)
        s.register_buffer("bias", torch.Tensor(N, M))
        nn.init.uniform_(s.bias, -0.1, 0.1)
        s.N, s.M = N, M
        s.h0 = nn.Parameter(torch.randn(1, c) * 0.05)

    def init(s, B):
        return (
            s.bias.clone().repeat(B, 1, 1),
            torch.zeros(B, s.M),
            torch.zeros(B, s.N).index_fill(1, torch.tensor([0]), 1.0),
            (s.h0.expand(B, -1).contiguous(), s.h0.repeat(B, 1) * 0),
        )

    def forward(s, x, st):
        mem, r, w, hc = st
        h, c = s.ctrl(torch.cat([x, r], 1), hc)
        k, be, g, sh, ga, e, a = torch.split(s.h(h), [s.M, 1, 1, 3, 1, s.M, s.M], dim=1)
        wc = F.softmax(
            F.softplus(be) * F.cosine_similarity(mem + 1e-16, torch.tanh(k).unsqueeze(1) + 1e-16, dim=-1), dim=1
        )
        wg = torch.sigmoid(g) * wc + (1 - torch.sigmoid(g)) * w
        sh = F.softmax(sh, 1)
        t = torch.cat([wg[:, -1:], wg, wg[:, :1]], 1)
        ws = torch.stack([F.conv1d(t[b].view(1, 1, -1), sh[b].view(1, 1, -1)).view(-1) for b in range(len(t))])
        w = ws ** (1 + F.softplus(ga))
        w = torch.div(w, torch.sum(w, dim=1, keepdim=True) + 1e-16)
        mem = mem * (1 - torch.einsum("bn,bm->bnm", w, e.sigmoid())) + torch.baddbmm(
            torch.zeros_like(mem), w.unsqueeze(2), a.unsqueeze(1)
        )
        r = torch.matmul(w.unsqueeze(1), mem).squeeze(1)
        return torch.sigmoid(s.out(torch.cat([h, r], 1))), (mem, r, w, (h, c))


m = NTM()
opt = torch.optim.RMSprop(m.parameters(), lr=1e-2, momentum=0.9)
print(m)
for _i in range(4):
    x = torch.bernoulli(torch.full((4, 2, 3), 0.5))
    x[..., 2] = 0
    st = m.init(2)
    L = 0
    for t in range(4):
        _, st = m(x[t], st)
    for t in range(4):
        o, st = m(torch.zeros(2, 3), st)
        L = L + F.binary_cross_entropy(o, x[t])
    opt.zero_grad()
    L.backward()
    nn.utils.clip_grad_value_(m.parameters(), 0.05)
    opt.step()
    print(f"{L.item():.6f}", f"{m.h0.grad.norm():.6f}", [f"{n:.4f}" for n in st[2].sum(1).tolist()])


class PtrNet(nn.Module):
    def __init__(s):
        super().__init__()
        s.e = nn.LSTM(1, 6, batch_first=True)
        s.d = nn.LSTMCell(1, 6)
        s.a, s.b, s.v = nn.Linear(6, 6), nn.Linear(6, 6, False), nn.Linear(6, 1)

    def forward(s, x):
        o, (h, c) = s.e(x)
        h, c, i = h[0], c[0], torch.zeros(len(x), 1)
        mask = torch.zeros(x.shape[:2], dtype=torch.bool)
        P = []
        for _ in range(x.size(1)):
            h, c = s.d(i, (h, c))
            lg = s.v(torch.tanh(s.a(o) + s.b(h)[:, None])).squeeze(-1).masked_fill(mask, -torch.inf)
            P.append(lg.log_softmax(1))
            j = lg.argmax(1)
            mask = mask.scatter(1, j[:, None], True)
            i = x[torch.arange(len(x)), j]
        return torch.stack(P, 1), mask


p = PtrNet()
o = torch.optim.Adam(p.parameters(), 1e-2)
for _i in range(3):
    x = torch.rand(3, 4, 1)
    P, mk = p(x)
    y = x.squeeze(-1).argsort(1)
    l = F.nll_loss(P.clamp_min(-20).flatten(0, 1), y.flatten())
    o.zero_grad()
    l.backward()
    o.step()
    print(f"{l.item():.6f}", mk.all().item())


def beam(lp, k=2):
    seqs = [([], torch.tensor(0.0))]
    for row in lp:
        seqs = sorted(
            [([*s, j], sc + row[j]) for s, sc in seqs for j in range(len(row))], key=lambda t: t[1], reverse=True
        )[:k]
    return seqs


print(beam(torch.randn(3, 4).log_softmax(-1)))
lg = torch.randn(5) * 3
so, si = torch.sort(lg, descending=True)
cp = so.softmax(-1).cumsum(-1)
rm = cp > 0.8
rm[1:] = rm[:-1].clone()
rm[0] = False
lg[si[rm]] = -float("Inf")
print(lg, rm)

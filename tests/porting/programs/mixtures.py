"""Mixture of experts, hypernetworks, rotary positions, state spaces, vector quantization."""

from functools import reduce

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(6)


class Expert(nn.Module):
    def __init__(s, d):
        super().__init__()
        s.w1, s.w2, s.w3 = (
            nn.Linear(d, 2 * d, bias=False),
            nn.Linear(2 * d, d, bias=False),
            nn.Linear(d, 2 * d, bias=False),
        )

    def forward(s, x):
        return s.w2(F.silu(s.w1(x)) * s.w3(x))


class MoE(nn.Module):
    def __init__(s, d, n, k):
        super().__init__()
        s.gate, s.ex, s.k = nn.Linear(d, n, bias=False), nn.ModuleList([Expert(d) for _ in range(n)]), k

    def forward(s, x):
        sh = x.shape
        x = x.view(-1, sh[-1])
        lg = s.gate(x)
        rw = F.softmax(lg, dim=1, dtype=torch.float)
        rw, sel = torch.topk(rw, s.k, dim=-1)
        rw /= rw.sum(dim=-1, keepdim=True)
        out = torch.zeros_like(x)
        mask = F.one_hot(sel, num_classes=len(s.ex)).permute(2, 1, 0)
        for e in range(len(s.ex)):
            idx, top = torch.where(mask[e])
            if top.shape[0] == 0:
                continue
            out.index_add_(0, top, s.ex[e](x[None, top].reshape(-1, sh[-1])) * rw[top, idx, None])
        f = mask.float().sum(1).mean(1)
        P = lg.softmax(-1).mean(0)
        return out.reshape(sh), len(s.ex) * (f * P).sum()


m = MoE(6, 4, 2)
opt = torch.optim.Adam(m.parameters(), 1e-2)
print(m)
for _i in range(4):
    x = torch.randn(2, 5, 6)
    o, aux = m(x)
    l = F.mse_loss(o, x.flip(-1)) + 0.01 * aux
    opt.zero_grad(set_to_none=True)
    l.backward()
    opt.step()
    print(f"{l.item():.6f} {aux.item():.5f}", [e.w1.weight.grad is not None for e in m.ex])


class Hyper(nn.Module):
    def __init__(s):
        super().__init__()
        s.z = nn.Parameter(torch.fmod(torch.randn(4), 2))
        s.h = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2 * 3 * 9))

    def forward(s, x):
        return F.conv2d(x, s.h(s.z).view(2, 3, 3, 3), padding="same")


h = Hyper()
o = torch.optim.SGD(h.parameters(), 0.1)
for _i in range(3):
    l = (h(torch.randn(2, 3, 4, 4)) - 1).pow(2).mean()
    o.zero_grad()
    l.backward()
    o.step()
    print(f"{l:.6f}", h.z.grad)


class FiLM(nn.Module):
    def forward(s, x, g, b):
        return (1 + g)[..., None, None] * x + b.unsqueeze(2).unsqueeze(3)


print(FiLM()(torch.ones(1, 2, 2, 2), torch.ones(1, 2), torch.zeros(1, 2)))


def rope(x, base=10000):
    d = x.shape[-1]
    th = 1.0 / (base ** (torch.arange(0, d, 2)[: d // 2].float() / d))
    fr = torch.outer(torch.arange(x.shape[1]), th).float()
    cis = torch.polar(torch.ones_like(fr), fr)
    xc = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(xc * cis[None, :, None, :]).flatten(3).type_as(x)


q = torch.randn(1, 3, 2, 4, requires_grad=True)
r = rope(q)
r.square().sum().backward()
print(r[0, 1], torch.allclose(q.grad, 2 * q, atol=1e-5))


def alibi(n, t):
    sl = torch.tensor([2 ** (-8 * (i + 1) / n) for i in range(n)])
    return sl[:, None, None] * (torch.arange(t)[None, :] - torch.arange(t)[:, None]).tril()[None]


print(alibi(2, 3))
B = torch.rand(2, 5)
A = -torch.rand(3)
xs = torch.randn(2, 5)


def ssm(x, A, dt=0.1):
    hst, ys = x.new_zeros(x.shape[0], 3), []
    Ad = torch.exp(A * dt)
    for t in range(x.shape[1]):
        hst = Ad * hst + (Ad - 1) / A * x[:, t, None]
        ys.append(hst.sum(-1))
    return torch.stack(ys, dim=1)


K = torch.stack([(torch.exp(A * 0.1) ** i * (torch.exp(A * 0.1) - 1) / A).sum() for i in range(5)])
print(
    ssm(xs, A), torch.allclose(ssm(xs, A), F.conv1d(F.pad(xs[:, None], (4, 0)), K.flip(0)[None, None])[:, 0], atol=1e-5)
)


def linattn(q, k, v):
    q, k = F.elu(q) + 1, F.elu(k) + 1
    kv = torch.einsum("nld,nlm->nldm", k, v).cumsum(1)
    z = 1 / (torch.einsum("nld,nld->nl", q, k.cumsum(1)) + 1e-6)
    return torch.einsum("nld,nldm,nl->nlm", q, kv, z)


print(
    linattn(*torch.randn(3, 1, 4, 2)),
    torch.einsum("...ij,...jk->...ik", B[None], B.T[None]).shape,
    torch.einsum("ii->i", torch.eye(2)),
    torch.einsum(B, [0, 1], [1]),
    torch.tensordot(B, B, dims=([1], [1])),
    torch.kron(torch.eye(2), torch.ones(1, 2)),
    reduce(torch.matmul, [B, B.T, B]).shape,
    torch.linalg.multi_dot([B, B.T, B]).sum(),
)


class VQ(nn.Module):
    def __init__(s):
        super().__init__()
        s.e = nn.Embedding(5, 2)
        s.e.weight.data.uniform_(-1 / 5, 1 / 5)

    def forward(s, z):
        d = z.pow(2).sum(1, keepdim=True) + s.e.weight.pow(2).sum(1) - 2 * torch.matmul(z, s.e.weight.t())
        i = torch.argmin(d, dim=1).unsqueeze(1)
        oh = torch.zeros(i.shape[0], 5).scatter_(1, i, 1)
        qz = oh @ s.e.weight
        l = F.mse_loss(qz.detach(), z) * 0.25 + F.mse_loss(qz, z.detach())
        qz = z + (qz - z).detach()
        p = oh.mean(0)
        return qz, l, torch.exp(-torch.sum(p * torch.log(p + 1e-10)))


z = torch.randn(6, 2, requires_grad=True)
vq = VQ()
a, l, p = vq(z)
(a.sum() + l).backward()
print(l, p, z.grad[0], vq.e.weight.grad.abs().sum(1))

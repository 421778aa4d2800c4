"""Kernel machines: random features, a Laplace approximation, inducing points."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
x = torch.randn(30, 2)
y = (x[:, 0] * x[:, 1] > 0).to(x.dtype) * 2 - 1


class RFF(nn.Module):
    def __init__(s, d, D):
        super().__init__()
        s.register_buffer("W", torch.randn(d, D))
        s.register_buffer("b", torch.empty(D).uniform_(0, 2 * torch.pi))
        s.lin = nn.Linear(D, 1)

    def forward(s, x):
        return s.lin((2.0 / s.W.size(1)) ** 0.5 * torch.cos(x @ s.W + s.b)).squeeze(-1)


m = RFF(2, 50)
o = torch.optim.SGD(m.parameters(), lr=0.5)
for _i in range(5):
    l = F.relu(1 - y * m(x)).mean() + 1e-3 * m.lin.weight.square().sum()
    o.zero_grad()
    l.backward()
    o.step()
    print(f"{l.item():.8f}")
f = torch.zeros(30)
K = torch.exp(-(torch.cdist(x, x, p=2.0, compute_mode="donot_use_mm_for_euclid_dist") ** 2) / 2) + 1e-6 * torch.eye(30)
for _ in range(5):
    p = torch.sigmoid(f)
    W = p * (1 - p)
    B = torch.eye(30) + W.sqrt()[:, None] * K * W.sqrt()[None]
    L = torch.linalg.cholesky(B)
    b = W * f + ((y + 1) / 2 - p)
    a = b - W.sqrt() * torch.cholesky_solve((W.sqrt() * (K @ b))[:, None], L).squeeze(1)
    f = K @ a
    print(f"{(-0.5 * a @ f + F.logsigmoid(y * f).sum() - L.diagonal().log().sum()).item():.8f}")
print(
    f[:3],
    torch.cholesky_inverse(L)[0, 0],
    torch.triangular_solve(f[:, None], L, upper=False).solution[0]
    if hasattr(torch, "triangular_solve") and False
    else torch.linalg.solve_triangular(L, f[:, None], upper=False)[0],
    torch.linalg.lu(B[:2, :2]),
    torch.linalg.svdvals(K)[:2],
    torch.linalg.norm(K, "nuc"),
    torch.linalg.norm(K, 2),
    torch.linalg.matrix_norm(K, "fro"),
    torch.linalg.vector_norm(f, 3),
    torch.lu_solve(f[:2, None], *torch.linalg.lu_factor(B[:2, :2])).T,
)
Z = x[:4].clone().requires_grad_()


def Kz(a, b):
    return torch.exp(-(a[:, None] - b[None]).pow(2).sum(-1))


op = torch.optim.Adam([Z], 0.05)
for _i in range(3):
    Lz = torch.linalg.cholesky(Kz(Z, Z) + 1e-4 * torch.eye(4))
    A = torch.linalg.solve_triangular(Lz, Kz(Z, x), upper=False)
    Q = A.T @ A
    e = -torch.distributions.LowRankMultivariateNormal(torch.zeros(30), A.T, torch.full((30,), 0.1)).log_prob(
        y
    ) + 0.5 / 0.1 * (30 - Q.trace())
    op.zero_grad()
    e.backward()
    op.step()
    print(f"{e.item():.6f} {Z.grad.norm():.6f}")
torch.set_default_dtype(torch.float32)

"""A physics-informed network for Burgers' equation: second derivatives, then L-BFGS."""

import itertools

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


class PINN(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.act = nn.Tanh()
        self.lin = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(layers)])
        for l in self.lin:
            nn.init.xavier_normal_(l.weight.data, gain=1.0)
            nn.init.zeros_(l.bias.data)
        self.lam = nn.Parameter(torch.tensor([0.5]))
        self.iter = 0

    def forward(self, x, t):
        a = torch.cat([x, t], dim=-1)
        for l in self.lin[:-1]:
            a = self.act(l(a))
        return self.lin[-1](a)


net = PINN([2, 12, 12, 1])
print(net, next(net.parameters()).dtype)
X = torch.from_numpy(np.random.RandomState(0).rand(30, 2)).requires_grad_()
x, t = X[:, 0:1], X[:, 1:2]


def residual(x, t):
    u = net(x, t)
    ux = torch.autograd.grad(u, x, grad_outputs=torch.ones_like(u), retain_graph=True, create_graph=True)[0]
    uxx = torch.autograd.grad(ux, x, torch.ones_like(ux), create_graph=True)[0]
    ut = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
    return ut + u * ux - net.lam * uxx


x0 = torch.linspace(-1, 1, 11).unsqueeze(1)
u0 = -torch.sin(torch.pi * x0)


def loss_fn():
    return (residual(x, t) ** 2).mean() + nn.MSELoss()(net(x0, torch.zeros_like(x0)), u0)


adam = torch.optim.Adam(net.parameters(), lr=1e-2, amsgrad=True)
for _i in range(5):
    adam.zero_grad()
    loss = loss_fn()
    loss.backward()
    adam.step()
    print(f"{loss.item():.6e}")
lb = torch.optim.LBFGS(
    net.parameters(),
    lr=1.0,
    max_iter=10,
    max_eval=12,
    history_size=5,
    tolerance_grad=1e-9,
    tolerance_change=1.0 * np.finfo(float).eps,
    line_search_fn="strong_wolfe",
)


def closure():
    lb.zero_grad()
    l = loss_fn()
    l.backward()
    net.iter += 1
    return l


r = lb.step(closure)
print(r, net.iter, f"{loss_fn().item():.6e}", net.lam)
print(lb.state_dict()["state"][0].keys(), lb.state[lb._params[0]]["func_evals"], lb)
H = torch.autograd.functional.hessian(lambda v: net(v[:1], v[1:]).squeeze(), torch.tensor([0.3, 0.2]))
print(H, torch.allclose(H, H.T))
print(torch.finfo(torch.get_default_dtype()), torch.linspace(0, 1, 3).dtype, torch.tensor(1.5))
torch.set_default_dtype(torch.float32)
print(torch.tensor(1.5).dtype, net.lam.float())

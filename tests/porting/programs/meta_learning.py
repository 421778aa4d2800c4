"""MAML, Reptile, per-sample gradients, ensembles and tangent kernels, with torch.func."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, grad_and_value, jacrev, jvp, stack_module_state, vjp, vmap

torch.manual_seed(2)
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
params = dict(net.named_parameters())


def task(n=10):
    A, p = (torch.rand(1) * 4.9 + 0.1, torch.rand(1) * 3.14)
    x = torch.rand(2 * n, 1) * 10 - 5
    y = A * torch.sin(x + p)
    return (x[:n], y[:n], x[n:], y[n:])


opt = torch.optim.Adam(net.parameters(), lr=0.01)


def inner(params, x, y, steps=2, lr=0.05, create_graph=True):
    for _ in range(steps):
        loss = F.mse_loss(functional_call(net, params, (x,)), y)
        g = torch.autograd.grad(loss, tuple(params.values()), create_graph=create_graph)
        params = {k: v - lr * gg for (k, v), gg in zip(params.items(), g, strict=False)}
    return params


for it in range(4):
    opt.zero_grad()
    tot = 0.0
    for _ in range(3):
        xs, ys, xq, yq = task()
        fast = inner(params, xs, ys)
        l = F.mse_loss(functional_call(net, fast, xq), yq)
        (l / 3).backward()
        tot += l.item() / 3
    opt.step()
    print("maml", it, tot, sum(p.grad.norm() for p in params.values()).item())


def loss_fn(p, x, y):
    return F.mse_loss(functional_call(net, p, (x,)), y)


def maml_loss(p, xs, ys, xq, yq):
    g = grad(loss_fn)(p, xs, ys)
    return loss_fn({k: v - 0.05 * g[k] for k, v in p.items()}, xq, yq)


batch = [torch.stack(t) for t in zip(*[task() for _ in range(4)], strict=False)]
dp = {k: v.detach() for k, v in params.items()}
print(vmap(maml_loss, (None, 0, 0, 0, 0))(dp, *batch))
g, v = grad_and_value(lambda p: vmap(maml_loss, (None, 0, 0, 0, 0))(p, *batch).mean())(dp)
print(v, {k: round(t.norm().item(), 5) for k, t in g.items()})
w0 = copy.deepcopy(net.state_dict())
so = torch.optim.SGD(net.parameters(), 0.02)
for _ in range(2):
    before = {k: t.clone() for k, t in net.state_dict().items()}
    xs, ys, *_ = task()
    for _ in range(3):
        so.zero_grad()
        F.mse_loss(net(xs), ys).backward()
        so.step()
    after = net.state_dict()
    net.load_state_dict({k: before[k] + (after[k] - before[k]) * 0.1 for k in before})
print(sum((net.state_dict()[k] - w0[k]).abs().sum() for k in w0))
x, y, *_ = task()
ps = vmap(grad(lambda p, a, b: loss_fn(p, a[None], b[None])), (None, 0, 0))(dp, x, y)
n = torch.sqrt(sum(g.flatten(1).pow(2).sum(1) for g in ps.values()))
print(n)
clip = (1.0 / n).clamp(max=1.0)
print({k: (torch.einsum("n,n...->...", clip, g) / len(x)).norm().item() for k, g in ps.items()})
models = [nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)) for _ in range(3)]
P, B = stack_module_state(models)
base = copy.deepcopy(models[0])
X = torch.randn(5, 2)
print(
    vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), (0, 0, None))(P, B, X).squeeze(-1),
    B,
    {k: v.shape for k, v in P.items()},
)
print(
    vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), in_dims=(0, 0, 0), out_dims=1)(
        P, B, torch.randn(3, 5, 2)
    ).shape,
    torch.allclose(models[2](X), vmap(lambda p, b, x: functional_call(base, (p, b), (x,)), (0, 0, None))(P, B, X)[2]),
)


def f(p, x):
    return functional_call(net, p, (x[None],)).squeeze(0)


x1, x2 = (torch.randn(3, 1), torch.randn(2, 1))
j1 = vmap(jacrev(f), (None, 0))(dp, x1)
j2 = vmap(jacrev(f), (None, 0))(dp, x2)
print(
    sum(
        (
            torch.einsum("Naf,Mbf->NMab", a.flatten(2), b.flatten(2))
            for a, b in zip(j1.values(), j2.values(), strict=False)
        )
    ).squeeze()
)


def ntk_vp(x1, x2):

    def g(v):
        _, vj = vjp(lambda p: f(p, x2), dp)
        return jvp(lambda p: f(p, x1), (dp,), vj(v))[1]

    return vmap(g)(torch.eye(1))


print(ntk_vp(x1[0], x2[0]))
out, hv = jvp(
    grad(lambda w: (w**3).sum() + w.prod()), (torch.tensor([1.0, 2.0, 3.0]),), (torch.tensor([1.0, 0.0, 1.0]),)
)
print(out, hv)
lrs = {k: nn.Parameter(torch.full_like(v, 0.05)) for k, v in params.items()}
mo = torch.optim.SGD(lrs.values(), 0.001)
xs, ys, xq, yq = task()
l = F.mse_loss(
    functional_call(
        net,
        {
            k: v - lrs[k] * gg
            for (k, v), gg in zip(
                params.items(),
                torch.autograd.grad(loss_fn(params, xs, ys), params.values(), create_graph=True),
                strict=False,
            )
        },
        (xq,),
    ),
    yq,
)
l.backward()
mo.step()
print(l.item(), lrs["0.weight"].flatten()[:4])

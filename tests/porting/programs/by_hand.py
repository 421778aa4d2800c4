"""Losses, layers, recurrence and optimizers written by hand and compared with PyTorch's, as in course work."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

# deep networks
torch.manual_seed(0)

D_i, D_k, D_o = 10, 40, 5
model = nn.Sequential(nn.Linear(D_i, D_k), nn.ReLU(), nn.Linear(D_k, D_k), nn.ReLU(), nn.Linear(D_k, D_o))


def weights_init(l):
    if isinstance(l, nn.Linear):
        nn.init.kaiming_normal_(l.weight)
        l.bias.data.fill_(0.0)


model.apply(weights_init)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = StepLR(optimizer, step_size=10, gamma=0.5)
x = torch.randn(100, D_i)
y = torch.randn(100, D_o)
dl = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True)
for epoch in range(4):
    el = 0.0
    for data in dl:
        xb, yb = data
        optimizer.zero_grad()
        pred = model(xb)
        loss = criterion(pred, yb)
        loss.backward()
        optimizer.step()
        el += loss.item()
    print(f"Epoch {epoch:5d}, loss {el:.3f}")
    scheduler.step()
# no-bias init study
for sd in (0.02, 1.0):
    h = torch.randn(64, 20)
    for _ in range(6):
        h = torch.clamp(torch.randn(20, 20) * sd @ h.T, min=0).T
    print(f"{sd}: {h.std().item():.3e}", h.abs().max())
# 1D / MNIST1D style conv
m1 = nn.Sequential(
    nn.Conv1d(1, 15, kernel_size=3, stride=2, padding="valid"),
    nn.ReLU(),
    nn.Conv1d(15, 15, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(135, 10),
)
print(m1(torch.randn(3, 1, 40)).shape, sum(p.numel() for p in m1.parameters()), m1)


# derivatives by hand
def affine_relu_softmax():
    W1, b1 = torch.randn(6, 5, dtype=torch.double) * 0.1, torch.zeros(5, dtype=torch.double)
    W2, b2 = torch.randn(5, 3, dtype=torch.double) * 0.1, torch.zeros(3, dtype=torch.double)
    X = torch.randn(4, 6, dtype=torch.double)
    y = torch.tensor([0, 2, 1, 1])
    h = X @ W1 + b1
    a = h.clamp(min=0)
    s = a @ W2 + b2
    s = s - s.max(1, keepdim=True).values
    p = s.exp() / s.exp().sum(1, keepdim=True)
    loss = -p[range(4), y].log().mean() + 0.5 * ((W1**2).sum() + (W2**2).sum())
    ds = p.clone()
    ds[range(4), y] -= 1
    ds /= 4
    dW2 = a.T @ ds + W2
    da = ds @ W2.T
    dh = da * (h > 0)
    dW1 = X.T @ dh + W1

    def f(W):
        return -F.log_softmax(F.relu(X @ W + b1) @ W2 + b2, 1)[range(4), y].mean() + 0.5 * (
            (W**2).sum() + (W2**2).sum()
        )

    W = W1.clone().requires_grad_()
    l = f(W)
    l.backward()
    num = torch.zeros_like(W1)
    for i in np.ndindex(*W1.shape):
        e = torch.zeros_like(W1)
        e[i] = 1e-5
        num[i] = (f(W1 + e) - f(W1 - e)) / 2e-5
    print(loss, l, (dW1 - W.grad).abs().max() < 1e-12, (num - dW1).norm() / (num.norm() + dW1.norm()) < 1e-7, dW2[0])


affine_relu_softmax()


def svm_loss(x, y):
    n = x.shape[0]
    c = x[torch.arange(n), y]
    m = (x - c[:, None] + 1.0).clamp(min=0)
    m[torch.arange(n), y] = 0
    return m.sum() / n


xs = torch.randn(4, 3, requires_grad=True)
l = svm_loss(xs, torch.tensor([0, 1, 2, 0]))
l.backward()
print(l, xs.grad)


def conv_naive(x, w, b, s, p):
    N, _C, H, W = x.shape
    Fn, _, HH, WW = w.shape
    xp = F.pad(x, (p, p, p, p))
    Ho, Wo = 1 + (H + 2 * p - HH) // s, 1 + (W + 2 * p - WW) // s
    out = torch.zeros(N, Fn, Ho, Wo, dtype=x.dtype)
    for n in range(N):
        for f in range(Fn):
            for i in range(Ho):
                for j in range(Wo):
                    out[n, f, i, j] = (xp[n, :, i * s : i * s + HH, j * s : j * s + WW] * w[f]).sum() + b[f]
    return out


x, w, b = (
    torch.linspace(-0.1, 0.5, 96).view(2, 3, 4, 4),
    torch.linspace(-0.2, 0.3, 144).view(3, 3, 4, 4),
    torch.linspace(-0.1, 0.2, 3),
)
print(conv_naive(x, w, b, 2, 1), F.conv2d(x, w, b, 2, 1))
x = torch.randn(2, 4, 3, 3)
g = nn.GroupNorm(2, 4)
bn = nn.BatchNorm2d(4)
ln = nn.LayerNorm([4, 3, 3])
inn = nn.InstanceNorm2d(4)
print(
    g(x)[0, 0], bn(x)[0, 0, 0], ln(x)[0, 0, 0], inn(x)[0, 0, 0], bn.running_mean, bn.running_var, bn.num_batches_tracked
)
bn.eval()
print(bn(x)[0, 0, 0])
bn2 = nn.BatchNorm1d(3, momentum=None)
[bn2(torch.full((4, 3), float(i)) + torch.arange(4.0)[:, None]) for i in range(3)]
print(bn2.running_mean, bn2.running_var)
# captioning lstm by hand against nn.LSTM
lstm = nn.LSTM(3, 4)
xt = torch.randn(5, 2, 3)
h, c = torch.zeros(2, 4), torch.zeros(2, 4)
outs = []
for t in range(5):
    gts = xt[t] @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + h @ lstm.weight_hh_l0.T + lstm.bias_hh_l0
    i, f, gg, o = gts.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * gg.tanh()
    h = o.sigmoid() * c.tanh()
    outs.append(h)
o, (hn, cn) = lstm(xt)
print(torch.allclose(torch.stack(outs), o, atol=1e-6), hn, cn.shape)


# optimizers by hand against torch.optim
def check(make, step):
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    o = make([w])
    v = torch.tensor([1.0, -2.0])
    st = {}
    for t in range(1, 4):
        o.zero_grad()
        (w**4).sum().backward()
        o.step()
        v = step(v, 4 * v**3, st, t)
    print(type(o).__name__, w.data, torch.allclose(w, v, atol=1e-6))


def adam(v, g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    return v - 0.1 * (s["m"] / (1 - 0.9**t)) / ((s["v"] / (1 - 0.999**t)).sqrt() + 1e-8)


def mom(v, g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + g
    return v - 0.01 * s["m"]


def rms(v, g, s, t):
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g * g
    return v - 0.01 * g / (s["v"].sqrt() + 1e-8)


check(lambda p: torch.optim.Adam(p, 0.1), adam)
check(lambda p: torch.optim.SGD(p, 0.01, momentum=0.9), mom)
check(lambda p: torch.optim.RMSprop(p, 0.01), rms)
for O in (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.Adagrad,
    torch.optim.Adadelta,
    torch.optim.RMSprop,
    torch.optim.Adamax,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.ASGD,
    torch.optim.Rprop,
):
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    o = O([w], lr=0.05)
    for _ in range(3):
        o.zero_grad()
        (w**4).sum().backward()
        o.step()
    print(o, w, dict(o.state[w].items()))
# words
cv, ov, U = torch.randn(3), 1, torch.randn(5, 3)
cv.requires_grad_()
U.requires_grad_()
yh = F.softmax(U @ cv, 0)
l = -yh[ov].log()
l.backward()
d = yh.detach().clone()
d[ov] -= 1
print(torch.allclose(cv.grad, U.detach().T @ d), torch.allclose(U.grad, torch.outer(d, cv.detach())), l)


class Highway(nn.Module):
    def __init__(s, e):
        super().__init__()
        s.p, s.g = nn.Linear(e, e), nn.Linear(e, e)

    def forward(s, x):
        p, g = F.relu(s.p(x)), torch.sigmoid(s.g(x))
        return g * p + (1 - g) * x


print(Highway(3)(torch.randn(2, 3)), torch.max(F.relu(nn.Conv1d(4, 3, 5, padding=1)(torch.randn(2, 4, 9))), 2)[0].shape)

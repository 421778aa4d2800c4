"""Averaged weights, gradient accumulation, parameter groups, and models taken apart into their layers."""

import copy

import torch
from torch import nn

torch.manual_seed(0)


class EMA:
    def __init__(s, m, d):
        s.m, s.d, s.shadow, s.bk = m, d, {n: p.data.clone() for n, p in m.named_parameters() if p.requires_grad}, {}

    def update(s):
        for n, p in s.m.named_parameters():
            if p.requires_grad:
                s.shadow[n] = ((1.0 - s.d) * p.data + s.d * s.shadow[n]).clone()

    def apply(s):
        s.bk = {n: p.data for n, p in s.m.named_parameters()}
        [setattr(p, "data", s.shadow[n]) for n, p in s.m.named_parameters()]

    def restore(s):
        [setattr(p, "data", s.bk[n]) for n, p in s.m.named_parameters()]


net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
ema = EMA(net, 0.9)
tgt = copy.deepcopy(net)
dec, nod = [p for n, p in net.named_parameters() if p.ndim > 1], [p for n, p in net.named_parameters() if p.ndim <= 1]
opt = torch.optim.SGD([{"params": dec, "weight_decay": 1e-2}, {"params": nod, "lr": 0.2}], lr=0.05, momentum=0.9)
acc = 4
sw = torch.optim.swa_utils.AveragedModel(net, use_buffers=True)
cyc = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 2)
for i in range(16):
    x = torch.randn(8, 4)
    l = ((net(x).squeeze() - x.prod(1)) ** 2).mean() / acc
    l.backward()
    if (i + 1) % acc == 0:
        n = nn.utils.clip_grad_norm_(net.parameters(), max_norm=0.5, norm_type=2)
        opt.step()
        opt.zero_grad()
        ema.update()
        sw.update_parameters(net)
        cyc.step(i / 4)
        print(i, f"{l.item() * acc:.6f} {n:.6f}", [f"{g['lr']:.5f}" for g in opt.param_groups])
        [pt.data.mul_(0.99).add_(0.01 * p.data) for p, pt in zip(net.parameters(), tgt.parameters(), strict=False)]
net.eval()
x = torch.ones(1, 4)
a = net(x).item()
ema.apply()
b = net(x).item()
ema.restore()
print(
    a == net(x).item(),
    f"{a:.6f} {b:.6f} {tgt.eval()(x).item():.6f} {sw.eval()(x).item():.6f}",
    sw.module[1].num_batches_tracked,
    net[1].num_batches_tracked,
    opt,
)
net[0].requires_grad_(False)
print([p.requires_grad for p in net.parameters()], sum(p.numel() for p in net.parameters() if p.requires_grad))
net.train()


def f(m):
    return m.eval() if isinstance(m, nn.BatchNorm1d) else None


net.apply(f)
print([m.training for m in net])
o2 = torch.optim.Adam(filter(lambda p: p.requires_grad, net.parameters()))
print(len(o2.param_groups[0]["params"]))
net[3] = nn.Linear(8, 2)
print(net, net(torch.ones(2, 4)).shape)
del net[1]
print(net, len(net))
net.pop(0)
print(net)
s2 = net + nn.Sequential(nn.ReLU())
print(s2, nn.Sequential(*list(net.children())[:-1]))

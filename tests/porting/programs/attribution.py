"""Hooks of every kind: Grad-CAM, features, guided backward, integrated gradients, occlusion, DeepDream."""

from collections import OrderedDict, defaultdict

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class Basic(nn.Module):
    def __init__(self, i, o, s=1):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, s, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.down = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o)) if s != 1 or i != o else None

    def forward(self, x):
        idt = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        idt = self.down(x) if self.down is not None else idt
        out = out + idt
        return self.relu(out)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layer1 = Basic(4, 4)
        self.layer2 = Basic(4, 8, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.layer2(self.layer1(self.stem(x)))), 1))


net = Net().eval()


class GradCAM:
    def __init__(self, m, layer):
        self.m = m
        self.h = [layer.register_forward_hook(self.f), layer.register_full_backward_hook(self.b)]

    def f(self, m, i, o):
        self.a = o.detach()

    def b(self, m, gi, go):
        self.g = go[0].detach()
        assert isinstance(gi, tuple)

    def __call__(self, x, c=None):
        y = self.m(x)
        c = y.argmax(1) if c is None else c
        self.m.zero_grad()
        y.gather(1, c.view(-1, 1)).sum().backward()
        w = self.g.mean((2, 3), keepdim=True)
        cam = F.relu((w * self.a).sum(1, keepdim=True))
        cam = F.interpolate(cam, x.shape[2:], mode="bilinear", align_corners=False)
        cam -= cam.amin((2, 3), keepdim=True)
        return (cam / (cam.amax((2, 3), keepdim=True) + 1e-08), c)

    def remove(self):
        [h.remove() for h in self.h]


x = torch.randn(2, 3, 8, 8)
gc = GradCAM(net, net.layer1)
cam, c = gc(x)
print(cam[0, 0, ::3, ::3], c)
gc.remove()
print(len(net.layer1._forward_hooks), len(net.layer1._backward_hooks))


class IntermediateLayerGetter(nn.ModuleDict):
    def __init__(self, model, rl):
        layers = OrderedDict()
        rl = dict(rl)
        for n, m in model.named_children():
            layers[n] = m
            if n == list(rl)[-1]:
                break
        super().__init__(layers)
        self.rl = rl

    def forward(self, x):
        out = OrderedDict()
        for n, m in self.items():
            x = m(x)
            if n in self.rl:
                out[self.rl[n]] = x
        return out


print(
    [(k, v.shape, v.mean().item()) for k, v in IntermediateLayerGetter(net, {"layer1": "a", "layer2": "b"})(x).items()]
)
log = []
handles = []
for n, m in net.named_modules():
    if not list(m.children()):
        handles.append(m.register_forward_pre_hook(lambda m, i, n=n: log.append(("pre", n))))
        handles.append(m.register_forward_hook(lambda m, i, o, n=n: log.append(("fwd", n, tuple(o.shape)))))
        handles.append(m.register_full_backward_pre_hook(lambda m, g, n=n: log.append(("bpre", n)))) if not isinstance(
            m, nn.ReLU
        ) else None
net(x).sum().backward()
print(len(log), log[:4], [l for l in log if l[0] == "bpre"][:6])
[h.remove() for h in handles]
acts = {}
h = net.fc.register_forward_hook(lambda m, a, kw, o: acts.setdefault("kw", (len(a), kw)), with_kwargs=True)
net(x)
print(acts)
h.remove()
h = net.stem.register_forward_hook(lambda m, i, o: o * 0)
print(net(x)[0])
h.remove()
h = net.fc.register_forward_pre_hook(lambda m, i: (i[0] + 1,))
print(net(x)[0])
h.remove()
lin = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
h = lin[1].register_full_backward_hook(lambda m, gi, go: (gi[0].clamp(min=0),))
z = torch.randn(2, 3, requires_grad=True)
lin(z).sum().backward()
print(z.grad)
h.remove()
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = a * 3
b.retain_grad()
b.register_hook(lambda g: g * 10)
hh = a.register_hook(lambda g: print("grad", g))
c = (b**2).sum()
c.backward()
print(a.grad, b.grad, b.is_leaf, b.retains_grad)
hh.remove()
a.register_post_accumulate_grad_hook(lambda p: print("post", p.grad))
(a * 2).sum().backward()


def ig(x, t, n=8):
    base = torch.zeros_like(x)
    tot = torch.zeros_like(x)
    for k in range(1, n + 1):
        xi = (base + k / n * (x - base)).requires_grad_()
        tot += torch.autograd.grad(net(xi)[:, t].sum(), xi)[0]
    return (x - base) * tot / n


att = ig(x[:1], 2)
print(att.sum().item(), (net(x[:1])[:, 2] - net(torch.zeros_like(x[:1]))[:, 2]).item(), att.abs().sum((0, 1))[:2, :4])
with torch.no_grad():
    occ = torch.stack(
        [
            net(
                x[:1].index_put(
                    (torch.tensor([0]), torch.tensor([0]), torch.tensor([i]), torch.tensor([i])), torch.tensor(0.0)
                )
            )[0]
            for i in range(3)
        ]
    )
    print(occ)
dd = x[:1].clone().requires_grad_()
feats = {}
hd = net.layer2.register_forward_hook(lambda m, i, o: feats.__setitem__("f", o))
for _ in range(3):
    net(dd)
    l = feats["f"].norm()
    l.backward()
    dd.data += 0.1 * dd.grad / dd.grad.abs().mean()
    dd.grad.zero_()
    print(l.item())
print(
    [n for n, _ in net.named_modules()][:6],
    net.get_submodule("layer2.down.0"),
    net.get_parameter("fc.bias").shape,
    sum(1 for _ in net.buffers()),
)
tree = defaultdict(list)
for n, p in net.named_parameters():
    tree[n.split(".")[0]].append(p.numel())
print({k: sum(v) for k, v in tree.items()}, net.layer1.down, next(net.children()))


def fmt(m, ind=0):
    for n, c in m.named_children():
        print(" " * ind + n, type(c).__name__, sum(p.numel() for p in c.parameters()))
        fmt(c, ind + 2)


fmt(net)

"""Every learning rate scheduler, step by step."""

import warnings

import torch
from torch.optim import lr_scheduler as S
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, _LRScheduler

torch.manual_seed(0)


def mk(lr=0.1, two=True):
    w = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
    return torch.optim.SGD([{"params": [w[0]]}, {"params": w[1], "lr": lr / 10}] if two else w, lr=lr, momentum=0.9)


class WarmupPoly(_LRScheduler):
    def __init__(self, opt, warm, total, power=2.0, last_epoch=-1):
        self.warm, self.total, self.power = warm, total, power
        super().__init__(opt, last_epoch)

    def get_lr(self):
        if self.last_epoch < self.warm:
            return [b * (self.last_epoch + 1) / self.warm for b in self.base_lrs]
        return [b * (1 - (self.last_epoch - self.warm) / (self.total - self.warm)) ** self.power for b in self.base_lrs]


F = {
    "lambda": lambda o: LambdaLR(o, lr_lambda=[lambda e: 0.9**e, lambda e: 1 / (1 + e)]),
    "mult": lambda o: S.MultiplicativeLR(o, lambda e: 0.95),
    "step": lambda o: S.StepLR(o, 3, 0.1),
    "multi": lambda o: S.MultiStepLR(o, [2, 5], gamma=0.5),
    "const": lambda o: S.ConstantLR(o, factor=0.5, total_iters=4),
    "linear": lambda o: S.LinearLR(o, start_factor=0.25, total_iters=4),
    "exp": lambda o: S.ExponentialLR(o, gamma=0.9),
    "poly": lambda o: S.PolynomialLR(o, total_iters=6, power=2.0),
    "cos": lambda o: S.CosineAnnealingLR(o, T_max=4, eta_min=1e-3),
    "cosw": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=1e-4),
    "cyc": lambda o: S.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=3, mode="triangular2"),
    "cyce": lambda o: S.CyclicLR(o, 0.01, 0.1, 2, 3, mode="exp_range", gamma=0.9),
    "one": lambda o: S.OneCycleLR(o, max_lr=[0.2, 0.02], total_steps=10, pct_start=0.3),
    "one3": lambda o: S.OneCycleLR(o, 0.2, epochs=5, steps_per_epoch=2, three_phase=True, anneal_strategy="linear"),
    "chain": lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9)], optimizer=o),
    "seq": lambda o: S.SequentialLR(
        o, schedulers=[S.ConstantLR(o, factor=0.1, total_iters=2), S.ExponentialLR(o, gamma=0.9)], milestones=[3]
    ),
    "warm": lambda o: WarmupPoly(o, 3, 9),
}
for n, f in F.items():
    o = mk()
    s = f(o)
    row = []
    for _ in range(9):
        o.step()
        row.append([f"{g['lr']:.6g}" for g in o.param_groups])
        s.step()
    print(
        n,
        " ".join("/".join(r) for r in row),
        s.get_last_lr(),
        getattr(s, "last_epoch", None),
        isinstance(s, LRScheduler),
    )
    print(
        "   ",
        {
            k: (v if not isinstance(v, list) or not v or not hasattr(v[0], "__dict__") else len(v))
            for k, v in s.state_dict().items()
            if k[0] != "_" and "func" not in k and k != "anneal_func"
        },
    )
    if n.startswith("cyc") or n == "one":
        print("   ", [round(g.get("momentum"), 5) for g in o.param_groups], sorted(o.param_groups[0]))
o = mk()
r = S.ReduceLROnPlateau(o, "min", factor=0.5, patience=1, threshold=1e-2, cooldown=1, min_lr=[1e-2, 1e-3])
for v in [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.95, float("nan"), 0.1, torch.tensor(0.1)]:
    r.step(v)
    print([g["lr"] for g in o.param_groups], r.num_bad_epochs, r.best, r.cooldown_counter)
print(dict(r.state_dict().items()))
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    o = mk()
    s = S.StepLR(o, 1)
    s.step()
    print([str(x.message)[:60] for x in w], w[0].category.__name__)
for bad in (
    lambda: S.OneCycleLR(mk(), 0.1),
    lambda: S.CyclicLR(torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]), 0.1, 1, cycle_momentum=True, mode="x"),
    lambda: S.ReduceLROnPlateau(mk(), factor=1.0),
    lambda: S.StepLR("no", 1),
    lambda: LambdaLR(mk(), [lambda e: 1]),
    lambda: S.ConstantLR(mk(), 2.0),
    lambda: S.CosineAnnealingWarmRestarts(mk(), 0),
):
    try:
        bad()
        print("no error")
    except Exception as e:
        print(type(e).__mro__[-4:-2] if False else isinstance(e, (ValueError, TypeError)))
o = mk()
s = S.CosineAnnealingLR(o, 5)
[s.step() for _ in range(2)]
o2 = mk()
s2 = S.CosineAnnealingLR(o2, 5)
s2.load_state_dict(s.state_dict())
o2.load_state_dict(o.state_dict())
s.step()
s2.step()
print(s.get_last_lr() == s2.get_last_lr(), o2)

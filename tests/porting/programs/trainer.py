"""A trainer in Lightning's style: accumulation, clipping, EMA, warmup, early stopping, checkpoints, resuming."""

import copy
import io
import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def seed_everything(s):
    random.seed(s)
    torch.manual_seed(s)


class LightningModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.logged = {}
        self._device = torch.device("cpu")

    @property
    def device(self):
        return next(self.parameters()).device

    def log(self, n, v, **kw):
        self.logged.setdefault(n, []).append(v.detach() if torch.is_tensor(v) else torch.tensor(float(v)))

    def freeze(self):
        for p in self.parameters():
            p.requires_grad = False


class Classifier(LightningModule):
    def __init__(self, d, h, c, lr=0.01):
        super().__init__()
        self.hparams = {"lr": lr}
        self.net = nn.Sequential(
            nn.Linear(d, h, bias=False), nn.BatchNorm1d(h), nn.SiLU(), nn.Dropout(0.1), nn.Linear(h, c)
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, b, i):
        x, y = b
        l = F.cross_entropy(self(x), y, label_smoothing=0.05)
        self.log("train_loss", l)
        return {"loss": l}

    def validation_step(self, b, i):
        x, y = b
        o = self(x)
        self.log("val_loss", F.cross_entropy(o, y))
        self.log("acc", (o.argmax(-1) == y).float().mean())

    def configure_optimizers(self):
        o = torch.optim.AdamW(self.parameters(), self.hparams["lr"], weight_decay=0.01)
        s = torch.optim.lr_scheduler.LambdaLR(
            o, lambda e: min(1.0, (e + 1) / 4) * 0.5 * (1 + math.cos(math.pi * min(1, e / 20)))
        )
        return ([o], [{"scheduler": s, "interval": "step"}])


class Callback:
    def on_epoch_end(self, t, m): ...


class EarlyStopping(Callback):
    def __init__(self, patience=2):
        self.best, self.bad, self.p = (math.inf, 0, patience)

    def on_epoch_end(self, t, m):
        v = torch.stack(m.logged["val_loss"][-t.nval :]).mean().item()
        if v < self.best - 0.001:
            self.best, self.bad = (v, 0)
        else:
            self.bad += 1
            t.stop = self.bad >= self.p


class EMA(Callback):
    def __init__(self, m, d=0.9):
        self.shadow = {k: v.clone().detach() for k, v in m.state_dict().items()}
        self.d = d

    def update(self, m):
        for k, v in m.state_dict().items():
            if v.dtype.is_floating_point:
                self.shadow[k].mul_(self.d).add_(v, alpha=1 - self.d)
            else:
                self.shadow[k].copy_(v)


class Trainer:
    def __init__(self, epochs, cbs, accumulate=2, clip=1.0):
        self.epochs, self.cbs, self.acc, self.clip, self.stop, self.epoch = (epochs, cbs, accumulate, clip, False, 0)

    def fit(self, m, tr, va, ck=None):
        (opt,), (sc,) = m.configure_optimizers()
        sch = sc["scheduler"]
        self.nval = len(va)
        if ck:
            m.load_state_dict(ck["state_dict"])
            opt.load_state_dict(ck["opt"])
            sch.load_state_dict(ck["sch"])
            self.epoch = ck["epoch"]
            torch.set_rng_state(ck["rng"])
        while self.epoch < self.epochs and (not self.stop):
            m.train()
            for i, b in enumerate(tr):
                l = m.training_step(b, i)["loss"] / self.acc
                l.backward()
                if (i + 1) % self.acc == 0:
                    g = nn.utils.clip_grad_norm_(m.parameters(), self.clip)
                    opt.step()
                    opt.zero_grad(set_to_none=True)
                    sch.step()
                    [c.update(m) for c in self.cbs if isinstance(c, EMA)]
            m.eval()
            with torch.inference_mode():
                for i, b in enumerate(va):
                    m.validation_step(b, i)
            self.epoch += 1
            [c.on_epoch_end(self, m) for c in self.cbs]
            print(
                self.epoch,
                " ".join(f"{m.logged[name][-1]:.4f}" for name in ("train_loss", "val_loss", "acc")),
                f"{g:.4f} {sch.get_last_lr()[0]:.6f}",
            )
        return {
            "state_dict": copy.deepcopy(m.state_dict()),
            "opt": copy.deepcopy(opt.state_dict()),
            "sch": sch.state_dict(),
            "epoch": self.epoch,
            "rng": torch.get_rng_state(),
        }


seed_everything(42)
X = torch.randn(120, 5)
Y = (X[:, 0] * X[:, 1] > 0).long() + (X[:, 2] > 1).long()
tr = DataLoader(TensorDataset(X[:96], Y[:96]), 16, shuffle=True)
va = DataLoader(TensorDataset(X[96:], Y[96:]), 12)
m = Classifier(5, 16, 3)
ema = EMA(m)
ck = Trainer(3, [ema, EarlyStopping()]).fit(m, tr, va)
file = io.BytesIO()
torch.save(ck, file)
file.seek(0)
ck = torch.load(file)
seed_everything(0)
m2 = Classifier(5, 16, 3)
Trainer(5, [EarlyStopping(1)]).fit(m2, tr, va, ck)
m.load_state_dict(ema.shadow)
m.eval()
print(F.cross_entropy(m(X[96:]), Y[96:]))
m.freeze()
print(any(p.requires_grad for p in m.parameters()), m.device)

"""float16 results equal PyTorch's bit for bit: both compute in float32 and round once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

CALLS = """
    h * 1.1
    h / 3.3
    h + 0.3
    h // 0.3
    h % 0.3
    h.fmod(0.3)
    h.div(0.3, rounding_mode="trunc")
    (h[:, None] * 9).div(p[:200], rounding_mode="trunc")
    (h[:, None] * p[:200]).div_(p[200:400], rounding_mode="trunc")
    (h[:, None] * 9) // p[:200]
    (h[:, None] * p[:200]).floor_divide_(p[200:400])
    (h[:, None] * 9).div(0.3, rounding_mode="floor")
    1.1 / h
    p ** 1.7
    h.clone().mul_(1.1)
    h.sigmoid()
    F.silu(h)
    F.leaky_relu(h, 0.1)
    F.softplus(h)
    F.hardswish(h)
    h.lerp(p, 0.3)
    h.softmax(0)
    h.view(10, 100).softmax(1)
    h.view(10, 100).sum(0)
    h.view(10, 100).mean(0)
    h.view(10, 100).nanmean(0)
    gradient(lambda x: (x * 3).view(10, 100).where(t.arange(100) % 7 > 0, t.nan).nanmean(1) ** 2, h)
    h.view(10, 100).var(1)
    h.view(10, 100).norm(p=1, dim=0)
    h.sinc()
    h.rad2deg()
    F.layer_norm(h.view(10, 100), (100,))
    F.normalize(h.view(10, 100))
    F.avg_pool1d(h.view(10, 100), 3)
    F.interpolate(h.view(1, 10, 100), scale_factor=2, mode="linear")
    F.mse_loss(h, p)
    F.cross_entropy(h.view(10, 100), t.arange(10))
    h * s
    (h * 1e-3).mul(t.tensor(77616))
    h.clone().mul_(s / 2**25)
    h / s.double()
    (h * 1e4).div_(t.tensor(1e5))
    h // s
    h.clone().floor_divide_(s)
    h.div(s, rounding_mode="trunc")
    h.ldexp(s)
    s * h
    h + s
    t._foreach_div([h], s)[0]
    t._foreach_add([h[0]], s)[0]
    t._foreach_pow([h[0].abs()], s.double())[0]
    t._foreach_maximum([h[0]], s)[0]
    gradient(lambda x: x * 1e-3 * t.tensor(1e5) * 1e-3, h)
    gradient(lambda x: x / t.tensor(77616.0) * 1000, h)
"""
PROGRAMS = {line.strip(): compile(line.strip(), "<half>", "eval") for line in CALLS.strip().splitlines()}


def gradient(f: Any, x: Any) -> Any:
    x.requires_grad_()
    f(x).float().sum().backward()
    return x.grad


@pytest.mark.parametrize("call", PROGRAMS)
def test_float16_result_is_torchs_bit_for_bit(call: str) -> None:
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float16)
    found = []
    for lib in (torch, microgad):
        h: Any = lib.tensor(values)
        names = {"t": lib, "F": lib.nn.functional, "h": h, "p": h.abs(), "s": lib.tensor(0.1), "gradient": gradient}
        found.append(eval(PROGRAMS[call], names).numpy())
    assert found[1].dtype == np.float16
    np.testing.assert_array_equal(found[1], found[0])

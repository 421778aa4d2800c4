"""Eve compared with the formulas of its paper, in float64."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
from microgad.optim import Adam, Eve


def reference(
    x: Any, losses: Any, grads: Any, lr: float, betas: Any, eps: float, c: float, f_star: float
) -> tuple[Any, list[float]]:
    """Algorithm 1 of Koushik and Hayashi: the final parameters, and d after each step."""
    beta1, beta2, beta3 = betas
    m, v, d, ds = np.zeros_like(x), np.zeros_like(x), 1.0, []
    for t, (f, g) in enumerate(zip(losses, grads, strict=True), 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        if t > 1:
            ratio = abs(f - losses[t - 2]) / (min(f, losses[t - 2]) - f_star)
            d = beta3 * d + (1 - beta3) * np.clip(ratio, 1 / c, c)
        ds.append(d)
        x = x - lr / d * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return x, ds


@given(
    st.lists(st.floats(0.1, 100), min_size=1, max_size=8),
    st.sampled_from([(0.9, 0.999, 0.999), (0.5, 0.9, 0.3), (0.0, 0.5, 0.0)]),
    st.sampled_from([1.0, 2.0, 10.0]),
    st.sampled_from([0.0, -3.0, 0.05]),
)
def test_eve_equals_the_algorithm_of_its_paper(losses: Any, betas: Any, c: float, f_star: float) -> None:
    random = np.random.default_rng(0)
    start, grads = random.standard_normal((2, 3)), random.standard_normal((len(losses), 2, 3))
    expected, ds = reference(start, losses, grads, 0.1, betas, 1e-8, c, f_star)
    p = microgad.tensor(start, requires_grad=True)
    optimizer = Eve([p], lr=0.1, betas=betas, c=c, f_star=f_star)
    for loss, grad, d in zip(losses, grads, ds, strict=True):
        p.grad = microgad.tensor(grad)
        assert optimizer.step(lambda loss=loss: microgad.tensor(loss, dtype=microgad.float64)).item() == loss
        assert optimizer.param_groups[0]["d"] == pytest.approx(d, rel=1e-12)
    np.testing.assert_allclose(p.array, expected, rtol=1e-9, atol=1e-12)


def step(optimizer: Any, p: Any, loss: Any) -> None:
    p.grad = microgad.ones(1)
    optimizer.step(lambda: loss)


def test_the_first_step_is_that_of_adam() -> None:
    p, q = (microgad.ones(1, requires_grad=True) for _ in range(2))
    step(Eve([p]), p, 5.0)
    step(Adam([q]), q, 5.0)
    assert p.item() == q.item() != 1


@pytest.mark.parametrize(
    ("losses", "ratio"), [((5.0, 5.0), 0.1), ((0.0, 1e-9), 10.0), ((0.0, 0.0), 0.1), ((1.0, 99.0), 10.0)]
)
def test_the_ratio_of_losses_is_clipped(losses: Any, ratio: float) -> None:
    """Without any change, and with a loss that equals f_star, for which the ratio divides by 0."""
    p = microgad.ones(1, requires_grad=True)
    optimizer = Eve([p], betas=(0.9, 0.999, 0.5))
    for loss in losses:
        step(optimizer, p, loss)
    assert optimizer.param_groups[0]["d"] == pytest.approx(0.5 + 0.5 * ratio)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (None, TypeError, "closure that computes the gradients and returns the loss"),
        (float("nan"), ValueError, "loss is nan, but must be finite"),
        (-1.0, ValueError, "loss is -1.0, but must be >= f_star = 0.0"),
    ],
)
def test_an_invalid_loss_raises_and_changes_nothing(loss: Any, error: Any, message: str) -> None:
    p = microgad.ones(1, requires_grad=True)
    optimizer = Eve([p])
    with pytest.raises(error, match=message):
        step(optimizer, p, loss)
    assert p.item() == 1
    assert not optimizer.state
    assert optimizer.param_groups[0]["previous_loss"] is None


def test_a_step_without_closure_raises() -> None:
    with pytest.raises(TypeError, match="Eve: step needs a closure"):
        Eve([microgad.ones(1, requires_grad=True)]).step()


@pytest.mark.parametrize(
    "options", [{"lr": -1}, {"betas": (0.9, 0.999)}, {"betas": (0.9, 0.999, 1.0)}, {"c": 0.5}, {"eps": -1}]
)
def test_options_out_of_range_raise(options: Any) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        Eve([microgad.ones(1, requires_grad=True)], **options)

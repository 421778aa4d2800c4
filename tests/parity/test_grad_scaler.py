"""GradScaler: scales, steps, states and errors are PyTorch's."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")
LIBRARIES = (torch, microgad)


def train(t: Any, **options: Any) -> list[Any]:
    """Losses, parameters and scaler states of a training with infinite and NaN gradients."""
    scaler, w = t.amp.GradScaler("cpu", **options), t.nn.Parameter(t.ones(2))
    optimizer, found = t.optim.SGD([w], 0.1), []
    for slope in ([1.0, 2.0], [float("inf"), 1.0], [1.0, 1.0], [2.0, 2.0], [1.0, float("nan")]):
        optimizer.zero_grad()
        loss = scaler.scale((w * t.tensor(slope)).sum())
        loss.backward()
        if slope[0] == 2:
            scaler.unscale_(optimizer)
            t.nn.utils.clip_grad_norm_([w], 0.5)
        scaler.step(optimizer)
        scaler.update()
        found += [loss.item(), w.tolist(), scaler.get_scale(), scaler.state_dict()]
    loaded = t.amp.GradScaler("cpu", **options)
    loaded.load_state_dict(scaler.state_dict())
    scaler.update(8.0)
    return [*found, loaded.get_scale(), loaded.is_enabled(), scaler.get_scale()]


@pytest.mark.parametrize(
    "options",
    [{}, {"init_scale": 4.0, "growth_interval": 2}, {"init_scale": 4.0, "backoff_factor": 0.25}, {"enabled": False}],
)
def test_training_gives_torchs_losses_scales_and_states(options: Any) -> None:
    theirs, ours = (train(t, **options) for t in LIBRARIES)
    assert str(ours) == str(theirs)


def unscale_twice(scaler: Any, optimizer: Any) -> None:
    scaler.unscale_(optimizer)
    scaler.unscale_(optimizer)


def unscale_after_step(scaler: Any, optimizer: Any) -> None:
    scaler.step(optimizer)
    scaler.unscale_(optimizer)


def step_twice(scaler: Any, optimizer: Any) -> None:
    scaler.step(optimizer)
    scaler.step(optimizer)


def without_gradients(scaler: Any, optimizer: Any) -> None:
    optimizer.zero_grad()
    scaler.step(optimizer)


MISUSES = [
    unscale_twice, unscale_after_step, step_twice, without_gradients, lambda scaler, optimizer: scaler.update(),
    lambda scaler, optimizer: scaler.step(optimizer, closure=lambda: None),
    lambda scaler, optimizer: scaler.load_state_dict({}),
    lambda scaler, optimizer: type(scaler)("cpu", growth_factor=1.0),
    lambda scaler, optimizer: type(scaler)("cpu", backoff_factor=1.0),
]  # fmt: skip


@pytest.mark.parametrize("misuse", MISUSES)
def test_errors_have_torchs_class_and_message(misuse: Any) -> None:
    errors = []
    for t in LIBRARIES:
        scaler, w = t.amp.GradScaler("cpu"), t.nn.Parameter(t.ones(2))
        scaler.scale(w.sum()).backward()
        with pytest.raises((RuntimeError, AssertionError)) as error:
            misuse(scaler, t.optim.SGD([w], 0.1))
        errors.append((str(error.value), isinstance(error.value, RuntimeError)))
    assert errors[1] == errors[0]


def test_cuda_scaler_is_disabled_without_a_gpu() -> None:
    if torch.cuda.is_available() or microgad.cuda.is_available():
        pytest.skip("there is a GPU")
    for t in LIBRARIES:
        with pytest.warns(UserWarning, match="CUDA is not available"):
            scaler = t.amp.GradScaler()
        assert (scaler.is_enabled(), scaler.get_scale(), scaler.state_dict()) == (False, 1.0, {})
        loss = t.ones(1)
        assert scaler.scale(loss) is loss
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not t.amp.GradScaler(enabled=False).is_enabled()


@pytest.mark.skipif(torch.cuda.is_available() or microgad.cuda.is_available(), reason="enabled where there is a GPU")
def test_deprecated_names_in_cuda_amp():
    for t in (torch, microgad):
        with pytest.warns(FutureWarning, match="is deprecated"), pytest.warns(UserWarning, match="not available"):
            scaler = t.cuda.amp.GradScaler(1024.0)
        assert (scaler.is_enabled(), scaler.get_scale()) == (False, 1.0)
        with pytest.warns(FutureWarning, match="is deprecated"), t.cuda.amp.autocast(False):
            assert (t.ones(2) @ t.ones(2)).dtype == t.float32


def test_scalar_float16_loss_is_scaled_in_float32() -> None:
    for t in LIBRARIES:
        scaler = t.amp.GradScaler("cpu", init_scale=65536.0)
        scaled = [scaler.scale(t.ones(shape, dtype=kind)) for shape in ((), (1,)) for kind in (t.float16, t.float64)]
        assert [(x.item(), x.dtype) for x in scaled] == [
            (65536, t.float32), (65536, t.float64), (float("inf"), t.float16), (65536, t.float64),
        ]  # fmt: skip


def test_step_is_taken_if_unscaling_overflows() -> None:
    for t in LIBRARIES:
        scaler, w = t.amp.GradScaler("cpu", init_scale=2.0**-120), t.nn.Parameter(t.ones(1))
        optimizer = t.optim.SGD([w], 0.1)
        scaler.scale(t.ones(1))
        w.grad = t.tensor([1e10])
        scaler.step(optimizer)
        assert w.item() == float("-inf")


@pytest.mark.parametrize("call", [lambda s, o: s.update(8), lambda s, o: s.unscale_(o), lambda s, o: s.step(o)])
def test_calls_before_scale_raise(call: Any) -> None:
    for t in LIBRARIES:
        w = t.nn.Parameter(t.ones(1))
        w.grad = t.ones(1)
        with pytest.raises(AssertionError, match="_scale is None"):
            call(t.amp.GradScaler("cpu"), t.optim.SGD([w], 0.1))


def test_unscaling_float16_gradients_raises() -> None:
    for t in LIBRARIES:
        scaler, w = t.amp.GradScaler("cpu"), t.nn.Parameter(t.ones(1, dtype=t.float16))
        scaler.scale(w.sum()).backward()
        with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
            scaler.unscale_(t.optim.SGD([w], 0.1))


def test_autocast_returns_itself_as_context() -> None:
    for t in LIBRARIES:
        with t.autocast("cpu", enabled=False) as block:
            assert isinstance(block, t.autocast)
        assert (block.device, block.fast_dtype) == ("cpu", t.bfloat16)
        with pytest.raises(TypeError, match="device_type"):
            t.autocast()


def with_amp_scaling(t: Any, unscale: bool, takes_scaler: bool, slope: float) -> list[Any]:
    """What an optimizer that handles the scale itself sees in its step."""
    seen: list[Any] = []

    class Optimizer(t.optim.SGD):
        _step_supports_amp_scaling = True

        def step(self) -> None:
            given = [None if x is None else (x.item(), str(x.dtype)) for x in (self.grad_scale, self.found_inf)]
            seen.extend([*given, self.param_groups[0]["params"][0].grad.item()])

    class TakesScaler(Optimizer):
        def step(self, grad_scaler: Any = None) -> None:
            seen.extend([grad_scaler is scaler, hasattr(self, "grad_scale"), hasattr(self, "found_inf")])

    scaler, w = t.amp.GradScaler("cpu", init_scale=4.0), t.nn.Parameter(t.ones(()))
    optimizer = (TakesScaler if takes_scaler else Optimizer)([w], 0.1)
    scaler.scale(w * slope).backward()
    if unscale:
        scaler.unscale_(optimizer)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scaler.step(optimizer)
    return [seen, hasattr(optimizer, "grad_scale"), [x.category for x in caught if "GradScaler" in str(x.message)]]


@pytest.mark.parametrize("slope", [3.0, float("inf")])
@pytest.mark.parametrize("takes_scaler", [False, True])
@pytest.mark.parametrize("unscale", [False, True])
def test_an_optimizer_that_supports_scaling_sees_what_torchs_sees(unscale, takes_scaler, slope) -> None:
    theirs, ours = (with_amp_scaling(t, unscale, takes_scaler, slope) for t in LIBRARIES)
    assert ours == theirs


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("unscale", [False, True])
@pytest.mark.parametrize("slope", [3.0, float("inf")])
def test_a_skipped_step_of_a_fused_optimizer_leaves_its_gradients_scaled(fused, unscale, slope) -> None:
    def gradients(t: Any) -> Any:
        scaler, v, w = t.amp.GradScaler("cpu", init_scale=4.0), t.nn.Parameter(t.ones(())), t.nn.Parameter(t.ones(()))
        optimizer = t.optim.SGD([v, w], 0.5, fused=fused)
        scaler.scale(v + w * slope).backward()
        if unscale:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        return v.grad.item(), w.grad.item(), v.item(), w.item(), scaler.get_scale()

    assert gradients(microgad) == gradients(torch)


def attributes(t: Any) -> list[Any]:
    scaler = t.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
    w = t.nn.Parameter(t.ones(()))
    optimizer = t.optim.SGD([w], 0.1)
    found: list[Any] = [scaler._scale, scaler._growth_tracker]
    scaler.scale(w).backward()
    found += [str(scaler._scale), str(scaler._growth_tracker), scaler._growth_tracker.dtype is t.int32]
    scaler.step(optimizer)
    with pytest.raises(AssertionError, match="only be pickled at the beginning of an iteration"):
        pickle.dumps(scaler)
    scaler.update()
    copy = pickle.loads(pickle.dumps(scaler))
    return [*found, str(scaler._scale), copy._scale, copy._init_scale, copy.state_dict(), copy.scale(w).item()]


def test_scale_and_growth_tracker_are_tensors_once_used() -> None:
    theirs, ours = map(attributes, LIBRARIES)
    assert ours == theirs

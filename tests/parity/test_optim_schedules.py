"""optim.lr_scheduler and swa_utils: learning rates and momenta equal PyTorch's to the last bit."""

import copy
import functools
import inspect
import types
import warnings
from typing import Any

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

LIBRARIES = (microgad, torch)
STEPS = 50
pytestmark = [
    pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning"),
    pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step:UserWarning"),  # nested SequentialLR
]


class Rule:
    """A callable object, whose attributes are saved."""

    def __init__(self) -> None:
        self.base = 0.9

    def __call__(self, x: float) -> float:
        return self.base**x


SCHEDULES: list[Any] = [
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.9**epoch, Rule()]}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 1 - 0.3 / (1 + epoch)}),
    ("MultiplicativeLR", {"lr_lambda": [lambda epoch: 0.9, lambda epoch: 1.0]}),
    ("StepLR", {"step_size": 3, "gamma": 0.3}),
    ("StepLR", {"step_size": 1}),
    ("MultiStepLR", {"milestones": [3, 7, 7, 20], "gamma": 0.4}),
    ("MultiStepLR", {"milestones": [1]}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.7, "total_iters": 11}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.9, "end_factor": 0.1, "total_iters": 13}),
    ("ExponentialLR", {"gamma": 0.93}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 30, "power": 0.7}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.001}),
    ("CosineAnnealingLR", {"T_max": 1}),
    ("CosineAnnealingLR", {"T_max": 17}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 7}),
    ("CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": [0.1, 0.3], "step_size_up": 3, "step_size_down": 8}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "exp_range", "gamma": 0.99}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "scale_fn": Rule(), "scale_mode": "iterations"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "scale_fn": lambda x: 1 / x}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "scale_fn": lambda x: 1 / x, "mode": "exp_range"}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": STEPS + 1}),
    ("OneCycleLR", {"max_lr": [0.3, 0.1], "epochs": 13, "steps_per_epoch": 4, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 60, "three_phase": True, "pct_start": 0.25, "div_factor": 3.0}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 55, "cycle_momentum": False, "final_div_factor": 10.0}),
    ("ReduceLROnPlateau", {"patience": 2}),
    (
        "ReduceLROnPlateau",
        {"mode": "max", "threshold": -0.1, "factor": 0.5, "patience": 0, "cooldown": 3, "min_lr": [0.01, 0.02]},
    ),
    ("ReduceLROnPlateau", {"threshold_mode": "abs", "threshold": 0.05, "patience": 1, "min_lr": 0.02}),
    ("ReduceLROnPlateau", {"mode": "max", "threshold_mode": "abs", "threshold": -0.03, "patience": 1, "eps": 0.01}),
    ("SWALR", {"swa_lr": 0.05}),
    ("SWALR", {"swa_lr": [0.05, 0.2], "anneal_epochs": 7, "anneal_strategy": "linear"}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 0}),
]
COMBINED: list[Any] = [
    lambda lib, o, s: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)], [4]),
    lambda lib, o, s: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 20), s.ConstantLR(o, 0.5, 3)], [5, 25]
    ),
    lambda lib, o, s: s.SequentialLR(o, [s.StepLR(o, 3), s.MultiStepLR(o, [2, 4]), s.PolynomialLR(o, 9)], [7, 13]),
    lambda lib, o, s: s.SequentialLR(o, [s.ExponentialLR(o, 0.9), s.CosineAnnealingWarmRestarts(o, 5)], [6]),
    lambda lib, o, s: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 4), s.StepLR(o, 3)], [0]),
    lambda lib, o, s: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 4), s.StepLR(o, 3)], [9], last_epoch=2),
    lambda lib, o, s: (s.StepLR(o, 3), s.CyclicLR(o, 0.01, 0.2, 4))[1],
    lambda lib, o, s: s.SequentialLR(
        o, [s.SequentialLR(o, [s.ConstantLR(o), s.StepLR(o, 2)], [3]), s.ExponentialLR(o, 0.8)], [9]
    ),
    lambda lib, o, s: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)]),
    lambda lib, o, s: s.ChainedScheduler([s.LinearLR(o), s.MultiStepLR(o, [5, 30]), s.CosineAnnealingLR(o, 9)], o),
    lambda lib, o, s: s.ChainedScheduler([s.SequentialLR(o, [s.ConstantLR(o), s.StepLR(o, 2)], [3]), s.StepLR(o, 5)]),
]
MAKERS = [
    pytest.param(
        lambda lib, o, s, name=name, options=options, **more: getattr(
            s if hasattr(torch.optim.lr_scheduler, name) else lib.optim.swa_utils, name
        )(o, **copy.deepcopy(options), **more),
        id=f"{name}-{number}",
    )
    for number, (name, options) in enumerate(SCHEDULES)
]


def optimizer(lib: Any, kind: str = "SGD", tensor: bool = False) -> Any:
    """An optimizer with two parameter groups of different learning rates."""
    p, q = (lib.ones(1, requires_grad=True) for _ in range(2))
    rates = [lib.tensor(lr, dtype=lib.float64) if tensor else lr for lr in (0.1, 0.7)]
    options: Any = {"momentum": 0.5} if kind in ("SGD", "RMSprop") else {"betas": (0.8, 0.95)} if kind == "Adam" else {}
    return getattr(lib.optim, kind)([{"params": p}, {"params": q, "lr": rates[1]}], lr=rates[0], **options)


def to_numbers(x: Any) -> Any:
    """Tensors of either library as numbers."""
    if isinstance(x, (microgad.Tensor, torch.Tensor)):
        return x.tolist()
    if isinstance(x, dict):
        return {key: to_numbers(value) for key, value in x.items() if key != "params"}
    return [to_numbers(item) for item in x] if isinstance(x, (list, tuple)) else x


def step(lib: Any, optimizer: Any, scheduler: Any, epoch: int) -> None:
    optimizer.step()
    metric = [] if not hasattr(scheduler, "patience") else [float(np.cos(epoch / 7) + 0.02 * (epoch % 3))]
    scheduler.step(*metric)


def observe(optimizer: Any, scheduler: Any) -> Any:
    state = scheduler.state_dict()
    return to_numbers(scheduler.get_last_lr()), to_numbers(optimizer.param_groups), to_numbers(state), list(state)


@pytest.mark.parametrize("make", [*MAKERS, *COMBINED])
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_schedules_give_torchs_learning_rates_and_state(make: Any, kind: str) -> None:
    """Also after a user changes a learning rate, and after each scheduler loads the other library's state_dict."""
    pairs = [(optimizer(lib, kind), lib) for lib in LIBRARIES]
    made = [make(lib, o, lib.optim.lr_scheduler) for o, lib in pairs]
    for epoch in range(STEPS):
        mine, other = (observe(o, s) for (o, _), s in zip(pairs, made, strict=True))
        assert mine == other, epoch
        if epoch == 16:
            for o, _ in pairs:
                o.param_groups[0]["lr"] *= 0.5
        if epoch == 31:
            saved = [copy.deepcopy(s.state_dict()) for s in made]
            states = [copy.deepcopy(o.state_dict()) for o, _ in pairs]
            pairs = [(optimizer(lib, kind), lib) for lib in LIBRARIES]
            made = [make(lib, o, lib.optim.lr_scheduler) for o, lib in pairs]
            for s, state in zip(made, reversed(saved), strict=True):
                s.load_state_dict(state)
            for (o, _), state in zip(pairs, states, strict=True):
                o.load_state_dict(state)
        for (o, lib), s in zip(pairs, made, strict=True):
            step(lib, o, s, epoch)


@pytest.mark.parametrize("make", [*MAKERS, *COMBINED])
def test_tensor_learning_rates(make: Any) -> None:
    """They are updated in place, but the result of get_last_lr isn't."""
    pairs = [(optimizer(lib, tensor=True), lib) for lib in LIBRARIES]
    rates = [[group["lr"] for group in o.param_groups] for o, _ in pairs]
    made = [make(lib, o, lib.optim.lr_scheduler) for o, lib in pairs]
    for epoch in range(12):
        mine, other = (observe(o, s)[:2] for (o, _), s in zip(pairs, made, strict=True))
        np.testing.assert_allclose(mine[0], other[0], rtol=1e-14)
        for (o, lib), s, kept in zip(pairs, made, rates, strict=True):
            before = s.get_last_lr()
            noted = to_numbers(before)
            step(lib, o, s, epoch)
            assert to_numbers(before) == noted
            assert all(group["lr"] is lr for group, lr in zip(o.param_groups, kept, strict=True))


@pytest.mark.parametrize("make", [maker for maker in MAKERS if "Plateau" not in maker.id])
def test_last_epoch_continues_a_schedule(make: Any) -> None:
    observed = []
    for lib in LIBRARIES:
        o = optimizer(lib)
        s = make(lib, o, lib.optim.lr_scheduler)
        for epoch in range(5):
            step(lib, o, s, epoch)
        s = make(lib, o, lib.optim.lr_scheduler, last_epoch=5)
        first = observe(o, s)
        for epoch in range(5):
            step(lib, o, s, epoch)
        observed.append((first, observe(o, s)))
    assert observed[0] == observed[1]


@pytest.mark.parametrize("make", [maker for maker in MAKERS if "Plateau" not in maker.id])
@pytest.mark.parametrize("epochs", [[3, 9], [11, 2], [40]])
def test_step_with_an_epoch(make: Any, epochs: Any) -> None:
    """step(epoch) uses the closed form where there is one."""
    observed: list[Any] = []
    for lib in LIBRARIES:
        o = optimizer(lib)
        s = make(lib, o, lib.optim.lr_scheduler)
        observed.append([])
        for epoch in epochs:
            o.step()
            s.step(epoch)
            observed[-1].append(observe(o, s))
    assert observed[0] == observed[1]


def test_warm_restarts_with_fractional_epochs() -> None:
    rates = []
    for lib in LIBRARIES:
        s = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer(lib), 3, 2)
        epochs = (0.5, 1.25, 7.75, None, 22.5, 3.0, None)
        rates.append([s.step(epoch) or (s.get_last_lr(), s.last_epoch) for epoch in epochs])
    assert rates[0] == rates[1]


@pytest.mark.parametrize(
    "name", sorted({name for name, _ in SCHEDULES} | {"SequentialLR", "ChainedScheduler", "LRScheduler"})
)
def test_signature_is_torchs(name: str) -> None:
    ours, theirs = (
        inspect.signature(getattr(lib.optim.swa_utils if name == "SWALR" else lib.optim.lr_scheduler, name)).parameters
        for lib in LIBRARIES
    )
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]


ERRORS: list[Any] = [
    lambda lib, o, s: s.StepLR("SGD", 2),
    lambda lib, o, s: s.StepLR(o, 2, last_epoch=3),
    lambda lib, o, s: s.LambdaLR(o, [abs]),
    lambda lib, o, s: s.MultiplicativeLR(o, [abs]),
    lambda lib, o, s: s.MultiplicativeLR(o, 3),
    lambda lib, o, s: s.ConstantLR(o, 1.5),
    lambda lib, o, s: s.LinearLR(o, 0),
    lambda lib, o, s: s.LinearLR(o, end_factor=-1),
    lambda lib, o, s: s.CosineAnnealingWarmRestarts(o, 0),
    lambda lib, o, s: s.CosineAnnealingWarmRestarts(o, 1, 0.5),
    lambda lib, o, s: s.CosineAnnealingWarmRestarts(o, 1, eta_min="a"),
    lambda lib, o, s: s.CosineAnnealingWarmRestarts(o, 1).step(-1),
    lambda lib, o, s: s.CyclicLR("SGD", 0.1, 0.2),
    lambda lib, o, s: s.CyclicLR(o, [0.1], 0.2),
    lambda lib, o, s: s.CyclicLR(o, 0.1, 0.2, mode="square"),
    lambda lib, o, s: s.CyclicLR(lib.optim.Rprop([lib.ones(1)]), 0.1, 0.2),
    lambda lib, o, s: s.OneCycleLR(o, 0.1),
    lambda lib, o, s: s.OneCycleLR(o, 0.1, epochs=3),
    lambda lib, o, s: s.OneCycleLR(o, 0.1, total_steps=0),
    lambda lib, o, s: s.OneCycleLR(o, 0.1, epochs=3, steps_per_epoch=1.5),
    lambda lib, o, s: s.OneCycleLR(o, 0.1, 10, pct_start=1),
    lambda lib, o, s: s.OneCycleLR(o, 0.1, 10, anneal_strategy="square"),
    lambda lib, o, s: s.OneCycleLR(o, [0.1], 10),
    lambda lib, o, s: s.OneCycleLR(lib.optim.Rprop([lib.ones(1)]), 0.1, 10),
    lambda lib, o, s: (
        [s.OneCycleLR(o, 0.1, 3).step() for _ in range(1)] and [x.step() for x in [s.OneCycleLR(o, 0.1, 3)] * 9]
    ),
    lambda lib, o, s: s.ReduceLROnPlateau(o, factor=1.0),
    lambda lib, o, s: s.ReduceLROnPlateau("SGD"),
    lambda lib, o, s: s.ReduceLROnPlateau(o, mode="least"),
    lambda lib, o, s: s.ReduceLROnPlateau(o, threshold_mode="both"),
    lambda lib, o, s: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    lambda lib, o, s: s.SequentialLR(o, [], []),
    lambda lib, o, s: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []),
    lambda lib, o, s: s.SequentialLR(o, [1, 2], [3]),
    lambda lib, o, s: s.SequentialLR(o, [s.StepLR(o, 2), s.StepLR(optimizer(lib), 2)], [3]),
    lambda lib, o, s: s.SequentialLR(o, [s.StepLR(o, 2)], [3]),
    lambda lib, o, s: s.ChainedScheduler([]),
    lambda lib, o, s: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
    lambda lib, o, s: s.ChainedScheduler([s.StepLR(o, 2), s.StepLR(optimizer(lib), 2)]),
    lambda lib, o, s: lib.optim.swa_utils.SWALR(o, 0.1, anneal_strategy="square"),
    lambda lib, o, s: lib.optim.swa_utils.SWALR(o, 0.1, anneal_epochs=-1),
    lambda lib, o, s: lib.optim.swa_utils.SWALR(o, [0.1]),
    lambda lib, o, s: lib.optim.swa_utils.get_ema_avg_fn(1.5),
    lambda lib, o, s: lib.optim.swa_utils.get_ema_multi_avg_fn(-1),
    lambda lib, o, s: lib.optim.swa_utils.AveragedModel(lib.nn.Linear(1, 1), avg_fn=abs, multi_avg_fn=abs),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", ERRORS)
def test_errors_have_torchs_class_and_message(program: Any) -> None:
    """The class and the start of the message are PyTorch's."""
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever PyTorch raises
        program(torch, optimizer(torch), torch.optim.lr_scheduler)
    with pytest.raises(theirs.type) as ours:
        program(microgad, optimizer(microgad), microgad.optim.lr_scheduler)
    assert str(ours.value)[:23] == str(theirs.value)[:23]


def get_warnings(program: Any) -> list[Any]:
    """The warnings of a program, which must be the same in both libraries."""
    found = []
    for lib in LIBRARIES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            program(lib, lib.optim.lr_scheduler)
        found.append([(w.category, str(w.message).split(" Please open")[0]) for w in caught])
    assert found[0] == found[1]
    return found[0]


def test_warning_for_a_step_before_the_optimizers() -> None:
    """A scheduler's first step warns if the optimizer hasn't stepped since its first scheduler was made."""

    def step_scheduler_first(lib: Any, s: Any) -> None:
        o = optimizer(lib)
        o.step()
        scheduler = s.StepLR(o, 2)
        for _ in range(3):
            scheduler.step()

    def two_schedulers(lib: Any, s: Any) -> None:
        o = optimizer(lib)
        first, second = s.StepLR(o, 2), s.ExponentialLR(o, 0.5)
        o.step()
        first.step()
        second.step()
        s.StepLR(o, 3).step()

    assert len(get_warnings(step_scheduler_first)) == 1
    assert get_warnings(two_schedulers) == []
    assert len(get_warnings(lambda lib, s: s.StepLR(optimizer(lib), 2).get_lr())) == 1
    assert len(get_warnings(lambda lib, s: s.CosineAnnealingWarmRestarts(optimizer(lib), 2).step(3))) == 0
    assert len(get_warnings(lambda lib, s: s.ReduceLROnPlateau(optimizer(lib)).step(1.0, 2))) == 1


def test_warning_for_a_step_that_was_overridden() -> None:
    """A scheduler can't see whether the optimizer stepped if its `step` was replaced after the scheduler was made."""

    def override(o: Any, wraps: Any = lambda step: lambda new: new) -> None:
        step = o.step
        o.step = types.MethodType(wraps(step)(lambda self, *args: step(*args)), o)

    def before(lib: Any, s: Any) -> None:
        o = optimizer(lib)
        override(o)
        scheduler = s.StepLR(o, 2)
        o.step()
        scheduler.step()

    def after(lib: Any, s: Any, *wraps: Any) -> None:
        o = optimizer(lib)
        scheduler = s.StepLR(o, 2)
        override(o, *wraps)
        for _ in range(3):
            o.step()
            scheduler.step()

    assert get_warnings(before) == get_warnings(lambda lib, s: after(lib, s, functools.wraps)) == []
    ((_, message),) = get_warnings(after)
    assert message.startswith("Seems like `optimizer.step()` has been overridden")


def test_text_of_the_warning_for_an_epoch_is_public() -> None:
    """Programs filter the warning by it."""
    (text,) = {str(lib.optim.lr_scheduler.EPOCH_DEPRECATION_WARNING).split(" Please open")[0] for lib in LIBRARIES}
    assert get_warnings(lambda lib, s: s.StepLR(optimizer(lib), 2).step(3))[-1] == (UserWarning, text)


# Averages


def model(lib: Any) -> Any:
    lib.manual_seed(3)
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.ReLU(), lib.nn.Linear(4, 2))
    net.phase = lib.nn.Parameter(lib.ones(2, dtype=lib.complex64))
    return net


AVERAGES: list[Any] = [
    lambda swa: {},
    lambda swa: {"avg_fn": swa.get_swa_avg_fn()},
    lambda swa: {"multi_avg_fn": swa.get_swa_multi_avg_fn()},
    lambda swa: {"avg_fn": swa.get_ema_avg_fn(0.9)},
    lambda swa: {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.4), "use_buffers": True},
    lambda swa: {"use_buffers": True},
    lambda swa: {"avg_fn": lambda average, current, n: 0.3 * average + current / n.add(1)},
]


@pytest.mark.parametrize("functions", [("get_swa_avg_fn", "avg_fn"), ("get_swa_multi_avg_fn", "multi_avg_fn")])
def test_means_of_float16_parameters_equal_pytorchs_bit_for_bit(functions: tuple[str, str]) -> None:
    made, name = functions
    means = []
    for lib in LIBRARIES:
        swa, net = lib.optim.swa_utils, lib.nn.ParameterList([lib.arange(99).half() / 7])
        average = swa.AveragedModel(net, **{name: getattr(swa, made)()})
        for i in range(5):
            with lib.no_grad():
                net[0].mul_(1 - 0.3 * i)
            average.update_parameters(net)
        means.append(average.module[0].detach().numpy())
    np.testing.assert_array_equal(*means)


@pytest.mark.parametrize("options", AVERAGES)
def test_averaged_models_equal_pytorchs(options: Any) -> None:
    """State and output after some training steps, before and after update_bn. One parameter is complex."""
    runs = []
    for lib in LIBRARIES:
        net = model(lib)
        o = lib.optim.SGD(net.parameters(), lr=0.1)
        average = lib.optim.swa_utils.AveragedModel(net, **options(lib.optim.swa_utils))
        data = [lib.rand(5, 3) for _ in range(4)]
        for x in data:
            o.zero_grad()
            ((net(x) ** 2).sum() + (net.phase * (2 - 3j)).imag.sum()).backward()
            o.step()
            average.update_parameters(net)
        before = [x.clone() for x in (*average.state_dict().values(), average(data[0]))]
        lib.optim.swa_utils.update_bn([(x, 0) for x in data], average.eval())
        state = average.state_dict()
        runs.append((list(state), [x.detach().numpy() for x in (*before, average(data[0]), *state.values())]))
        assert all(p.requires_grad for p in average.parameters())
    assert runs[0][0] == runs[1][0]
    for ours, theirs in zip(runs[0][1], runs[1][1], strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def test_reduce_lr_can_be_overridden():
    """Subclasses can override `_reduce_lr(epoch)`."""
    found = []
    for lib in (torch, microgad):

        class Recording(lib.optim.lr_scheduler.ReduceLROnPlateau):
            def _reduce_lr(self, epoch):
                super()._reduce_lr(epoch)
                self.reductions = [*getattr(self, "reductions", []), (epoch, self.optimizer.param_groups[0]["lr"])]

        scheduler = Recording(lib.optim.SGD([lib.ones(1)], 1.0), patience=1)
        for _ in range(6):
            scheduler.step(1.0)
        found.append(scheduler.reductions)
    assert found[1] == found[0]


def test_groups_that_were_added_later_are_reduced_on_a_plateau() -> None:
    found = []
    for lib in LIBRARIES:
        optimizer = lib.optim.SGD([lib.ones(1)], 1.0)
        schedulers = [lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=low) for low in (0.2, [0])]
        optimizer.add_param_group({"params": lib.zeros(1), "lr": 0.25})
        for _ in range(3):
            schedulers[0].step(1.0)
        found.append([group["lr"] for group in optimizer.param_groups])
        schedulers[1].step(1.0)
        with pytest.raises(RuntimeError, match="differs from when"):
            schedulers[1].step(1.0)
    assert found[0] == found[1]


def test_loaded_milestones_replace_those_that_were_given() -> None:
    found = []
    for lib in LIBRARIES:
        s, made = lib.optim.lr_scheduler, []
        for milestone in (2, 4):
            o = optimizer(lib)
            made.append(s.SequentialLR(o, [s.ConstantLR(o, 0.5), s.ExponentialLR(o, 0.5)], [milestone]))
        made[1].load_state_dict(made[0].state_dict())
        found.append([(o.step(), made[1].step(), made[1].get_last_lr())[2] for _ in range(5)])
    assert found[0] == found[1]

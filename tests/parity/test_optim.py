"""optim: the same steps, state dicts, schedules, words and refusals as PyTorch's."""

import copy
import importlib
import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad

torch = pytest.importorskip("torch")

SHAPES = [(10, 1, 3, 3), (7,), (1, 1), (3, 5), ()]
NAMES = ["SGD", "Adam", "AdamW"]
OTHERS = ["Adadelta", "Adafactor", "Adagrad", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop"]
rates = st.sampled_from([1e-3, 0.03, 0.1])
decays = st.sampled_from([0, 0.01, 0.3])
sgd = st.fixed_dictionaries(
    {
        "lr": rates,
        "momentum": st.sampled_from([0, 0.5, 0.9]),
        "dampening": st.sampled_from([0, 0.2]),
        "weight_decay": decays,
        "nesterov": st.booleans(),
        "maximize": st.booleans(),
    }
).filter(lambda options: not options["nesterov"] or (options["momentum"] and not options["dampening"]))
adam = st.fixed_dictionaries(
    {
        "lr": rates,
        "betas": st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.3, 0.9)]),
        "eps": st.sampled_from([1e-8, 1e-3]),
        "weight_decay": decays,
        "amsgrad": st.booleans(),
        "maximize": st.booleans(),
    }
)
cases = {"SGD": sgd, "Adam": adam, "AdamW": adam}


def to_torch(array: Any) -> Any:
    return torch.from_numpy(array.copy())


def converted(x: Any, tensor: Any) -> Any:
    """A state dict with `tensor(array)` for each Tensor, ours or PyTorch's."""
    if isinstance(x, dict):
        return {key: converted(value, tensor) for key, value in x.items()}
    if isinstance(x, list):
        return [converted(item, tensor) for item in x]
    return tensor(x.detach().numpy()) if isinstance(x, (microgad.Tensor, torch.Tensor)) else x


class Twins:
    """The same parameters and optimizer here and there."""

    def __init__(self, name: str, options: Any, dtype: str = "float32", groups: Any = None) -> None:
        self.random = np.random.default_rng(3)
        self.dtype = dtype
        values = [self.random.standard_normal(shape).astype(dtype) for shape in SHAPES]
        self.ours = [microgad.Parameter(microgad.from_numpy(value.copy())) for value in values]
        self.theirs = [torch.nn.Parameter(to_torch(value)) for value in values]
        self.mine = getattr(microgad.optim, name)(self.grouped(self.ours, groups), **options)
        self.other = getattr(torch.optim, name)(self.grouped(self.theirs, groups), **options)
        self.sizes = [np.zeros(shape) for shape in SHAPES]  # of what gradients are computed from, the largest so far

    @staticmethod
    def grouped(params: Any, groups: Any) -> Any:
        return params if groups is None else [{"params": params[:2]}, {"params": params[2:], **groups}]

    def step(self, skipped: int | None = None) -> None:
        for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
            scale = 10.0 ** self.random.integers(-3, 2)
            grad = np.asarray(self.random.standard_normal(p.shape) * scale).astype(self.dtype)
            p.grad, q.grad = (None, None) if i == skipped else (microgad.from_numpy(grad), to_torch(grad))
            decay = max(group["weight_decay"] for group in self.other.param_groups)
            self.sizes[i] = np.maximum(self.sizes[i], abs(grad) + decay * abs(p.array))
        self.mine.step()
        self.other.step()

    def check(self) -> None:
        # a few roundings, each of half a unit in the last place of a number as large as the sum's parts
        tolerance = 8 * float(np.finfo(self.dtype).eps)
        for p, q in zip(self.ours, self.theirs, strict=True):
            np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=tolerance, atol=tolerance)
        ours, theirs = converted(self.mine.state_dict(), lambda x: x), converted(self.other.state_dict(), lambda x: x)
        assert ours["param_groups"] == theirs["param_groups"]
        assert [list(group) for group in ours["param_groups"]] == [list(group) for group in theirs["param_groups"]]
        assert {k: list(v) for k, v in ours["state"].items()} == {k: list(v) for k, v in theirs["state"].items()}
        for number, entry in theirs["state"].items():
            for name, value in entry.items():
                mine = ours["state"][number][name]
                assert (mine.shape, mine.dtype) == (value.shape, value.dtype), (number, name)
                size = 0 if name == "step" else self.sizes[number] ** (2 if name.endswith("_sq") else 1)
                assert (abs(mine - value) <= tolerance * (abs(value) + size)).all(), (number, name)


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
def test_steps(name: str, data: st.DataObject) -> None:
    """A parameter without gradient in the second step keeps its value and its count."""
    skipped = data.draw(st.integers(0, 3))
    twins = Twins(name, data.draw(cases[name]), data.draw(st.sampled_from(["float32", "float64"])))
    for t in range(5):
        twins.step(skipped if t == 1 else None)
        twins.check()


@pytest.mark.parametrize("name", NAMES)
def test_groups_and_repr(name: str) -> None:
    twins = Twins(name, {"lr": 0.1}, groups={"lr": 0.01, "weight_decay": 0.5})
    twins.step()
    twins.check()
    assert repr(twins.mine) == repr(twins.other)
    twins.mine.param_groups[0]["lr"] = twins.other.param_groups[0]["lr"] = 0.3
    twins.step()
    twins.check()


@pytest.mark.parametrize("name", NAMES)
def test_named_parameters(name: str) -> None:
    layer, twin = microgad.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    mine = getattr(microgad.optim, name)([("weight", layer)])
    other = getattr(torch.optim, name)([("weight", twin)])
    assert mine.state_dict() == other.state_dict()
    assert repr(mine) == repr(other)


@pytest.mark.parametrize(
    ("name", "options"), [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("SGD", {})]
)
def test_state_goes_both_ways(name: str, options: Any) -> None:
    """Each goes on from the other's state, with options from there too, to the same values."""
    twins = Twins(name, {"lr": 0.05, **options}, groups={"lr": 0.02})
    for _ in range(3):
        twins.step()
    fresh = Twins(name, {}, groups={})
    for p, q, a, b in zip(fresh.ours, fresh.theirs, twins.ours, twins.theirs, strict=True):
        p.array[...], q.data[...] = b.detach().numpy(), to_torch(a.array)
    fresh.mine.load_state_dict(converted(twins.other.state_dict(), lambda x: microgad.from_numpy(x.copy())))
    fresh.other.load_state_dict(converted(twins.mine.state_dict(), to_torch))
    for _ in range(3):
        fresh.step()
    fresh.check()


def test_adamw_takes_adams_state() -> None:
    twins, donor = Twins("AdamW", {}), Twins("Adam", {"weight_decay": 0.3})
    donor.step()
    twins.mine.load_state_dict(donor.mine.state_dict())
    twins.other.load_state_dict(donor.other.state_dict())
    twins.step()
    twins.check()


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
@pytest.mark.parametrize("transposed", [(), ("p",), ("grad",), ("p", "grad")])
def test_large_and_transposed(name: str, transposed: Any) -> None:
    """More than one chunk, and memory in another order than the gradient's."""
    random = np.random.default_rng(0)
    values, grad = random.standard_normal((2, 300, 300)).astype(np.float32)
    p, q = microgad.from_numpy(values.copy()), to_torch(values)
    grads = microgad.from_numpy(grad), to_torch(grad)
    if "p" in transposed:
        p, q = microgad.from_numpy(p.array.T), q.T
    if "grad" in transposed:
        grads = microgad.from_numpy(grads[0].array.T), grads[1].T
    mine, other = (getattr(lib.optim, name)([x.requires_grad_()], lr=0.1) for lib, x in ((microgad, p), (torch, q)))
    for _ in range(2):
        p.grad, q.grad = grads
        mine.step()
        other.step()
    np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=1e-6, atol=1e-6)


def test_without_memory_the_average_is_the_gradient() -> None:
    """Not what is left of it after a far larger one: lerp reckons from the nearer side."""
    averages = []
    for lib in (microgad, torch):
        p = lib.ones(1, requires_grad=True)
        optimizer = lib.optim.Adam([p], betas=(0.0, 0.999))
        for size in (1e9, 1.5):
            p.grad = lib.full((1,), size)
            optimizer.step()
        averages.append(optimizer.state[p]["exp_avg"].tolist())
    assert averages == [[1.5], [1.5]]


@pytest.mark.parametrize("name", NAMES)
def test_complex_parameters(name: str) -> None:
    values = (np.arange(6) - 2j).astype(np.complex64).reshape(2, 3)
    p, q = microgad.tensor(values, requires_grad=True), to_torch(values).requires_grad_()
    mine, other = getattr(microgad.optim, name)([p], lr=0.1), getattr(torch.optim, name)([q], lr=0.1)
    for t in range(3):
        grad = np.exp(1j * (values + t)).astype(np.complex64)
        p.grad, q.grad = microgad.from_numpy(grad), to_torch(grad)
        mine.step()
        other.step()
    np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=1e-6)


def test_float16_parameters_stay_float16() -> None:
    p, q = microgad.ones(4, dtype=microgad.float16, requires_grad=True), torch.ones(4, dtype=torch.float16)
    mine, other = microgad.optim.Adam([p], lr=0.1, eps=1e-3), torch.optim.Adam([q.requires_grad_()], lr=0.1, eps=1e-3)
    p.grad, q.grad = microgad.full((4,), 0.5, dtype=microgad.float16), torch.full((4,), 0.5, dtype=torch.float16)
    mine.step()
    other.step()
    np.testing.assert_allclose(p.array, q.detach().numpy(), atol=1e-3)
    assert {str(value.dtype) for value in mine.state[p].values()} == {"torch.float16", "torch.float32"}


def test_default_dtype_of_the_step_count() -> None:
    old = microgad.get_default_dtype()
    try:
        microgad.set_default_dtype(microgad.float64)
        torch.set_default_dtype(torch.float64)
        twins = Twins("Adam", {}, "float64")
        twins.step()
        twins.check()
    finally:
        microgad.set_default_dtype(old)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name: str) -> None:
    ours = inspect.signature(getattr(microgad.optim, name)).parameters.values()
    theirs = inspect.signature(getattr(torch.optim, name)).parameters.values()
    assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in theirs]


REFUSED = [
    ("SGD", {"lr": -1}), ("SGD", {"momentum": -0.1}), ("SGD", {"weight_decay": -1}), ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}), ("Adam", {"lr": -1}), ("Adam", {"eps": -1}),
    ("Adam", {"betas": (1.0, 0.9)}), ("Adam", {"betas": (0.9, -0.1)}), ("AdamW", {"weight_decay": -1}),
    ("Adam", {"betas": (0, 0.9)}), ("SGD", {"fused": True, "foreach": True}),
    ("Adam", {"fused": True, "differentiable": True}), ("Adadelta", {"rho": 1.1}), ("Adadelta", {"eps": -1}),
    ("Adagrad", {"initial_accumulator_value": -1}), ("Adamax", {"betas": (0.9, 1.0)}), ("ASGD", {"weight_decay": -1}),
    ("NAdam", {"momentum_decay": -1}), ("RAdam", {"weight_decay": -1}), ("RMSprop", {"alpha": -1}),
    ("RMSprop", {"momentum": -1}), ("Rprop", {"etas": (1.5, 1.2)}), ("LBFGS", {"lr": -1}), ("Muon", {"momentum": -1}),
    ("Muon", {"weight_decay": -1}), ("Muon", {"adjust_lr_fn": "x"}), ("Muon", {}), ("Adafactor", {"lr": -1}),
    ("Adafactor", {"eps": (None, -1)}), ("Adafactor", {"weight_decay": -1}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), REFUSED)
def test_refused_options(name: str, options: Any) -> None:
    """PyTorch's class and words, and then the rule."""
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever PyTorch raises
        getattr(torch.optim, name)([torch.ones(1)], **options)
    with pytest.raises(theirs.type) as ours:
        getattr(microgad.optim, name)([microgad.ones(1)], **options)
    assert str(ours.value).startswith(str(theirs.value))


@pytest.mark.parametrize(
    "params",
    [
        lambda lib: [],
        lambda lib: lib.ones(1),
        lambda lib: [1.0],
        lambda lib: {lib.ones(1)} and [{"params": {lib.ones(1)}}],
        lambda lib: [lib.ones(1, requires_grad=True) * 2],
        lambda lib: [{"params": p} for p in [lib.ones(1)] * 2],
        lambda lib: [("a", lib.ones(1)), lib.ones(1)],
        lambda lib: [{"params": [("a", lib.ones(1))]}, {"params": [lib.ones(1)]}],
        lambda lib: [{"params": [lib.ones(1)]}, lib.ones(1)],
    ],
)
def test_refused_parameters(params: Any) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever PyTorch raises
        torch.optim.SGD(params(torch))
    with pytest.raises(theirs.type) as ours:
        microgad.optim.SGD(params(microgad))
    assert str(ours.value)[:30] == str(theirs.value)[:30]


def test_duplicates_warn() -> None:
    for lib in (torch, microgad):
        with pytest.warns(UserWarning, match="duplicate parameters"):
            lib.optim.SGD([lib.ones(1)] * 2)


@pytest.mark.parametrize("saved", [[[0]], [[0], [1, 2], [3, 4]], [[0, 1], [2]]])
def test_refused_states(saved: Any) -> None:
    twins = Twins("Adam", {}, groups={})
    groups = [{**twins.other.state_dict()["param_groups"][0], "params": numbers} for numbers in saved]
    state = {"state": {}, "param_groups": groups}
    with pytest.raises(ValueError, match="loaded state dict") as theirs:
        twins.other.load_state_dict(copy.deepcopy(state))
    with pytest.raises(ValueError, match="loaded state dict") as ours:
        twins.mine.load_state_dict(state)
    assert str(ours.value).startswith(str(theirs.value))


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
@pytest.mark.parametrize("history", [1, 3, 100])
@pytest.mark.parametrize("start", [(-1.5, 2.0), (0.0, 0.0), (5.0, -3.0)])
def test_lbfgs_on_rosenbrocks_valley(line_search: Any, history: int, start: Any) -> None:
    """The same places and the same count of calls, through line searches that bracket, zoom and give up."""
    options = {"lr": 1e-3 if line_search is None else 1.0, "max_iter": 7, "history_size": history}
    runs = []
    for lib in (microgad, torch):
        p = lib.tensor(start, dtype=lib.float64, requires_grad=True)
        optimizer = lib.optim.LBFGS([p], line_search_fn=line_search, **options)

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
            loss.backward()
            return loss

        places = []
        for _ in range(4):
            optimizer.step(closure)
            places.append(p.detach().numpy().copy())
        runs.append((places, optimizer.state[p]["func_evals"], optimizer.state[p]["n_iter"]))
    np.testing.assert_allclose(runs[0][0], runs[1][0], rtol=1e-4, atol=1e-9)  # cubics amplify the last bits
    assert runs[0][1:] == runs[1][1:]


def test_lbfgs_where_there_is_nothing_to_do() -> None:
    for lib in (microgad, torch):
        p = lib.zeros(2, requires_grad=True)
        optimizer = lib.optim.LBFGS([p])

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        assert optimizer.step(closure).item() == 0
        assert optimizer.state[p] == {"func_evals": 1, "n_iter": 0}


def test_lbfgs_takes_one_group() -> None:
    for lib in (microgad, torch):
        with pytest.raises(ValueError, match="doesn't support per-parameter options"):
            lib.optim.LBFGS([{"params": lib.ones(1)}, {"params": lib.ones(1)}])


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (64, 64)])
@pytest.mark.parametrize("options", [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}])
@pytest.mark.parametrize("steps", [1, 5])
def test_muon_rounds_as_torch_does(shape: Any, options: Any, steps: int) -> None:
    """To bfloat16 at the same places. Where a sum's last bit tips a rounding, the next iterations amplify it."""
    grad = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    p, q = microgad.zeros(shape, requires_grad=True), torch.zeros(shape, requires_grad=True)
    p.grad, q.grad = microgad.from_numpy(grad), to_torch(grad)
    microgad.optim.Muon([p], lr=1.0, ns_steps=steps, **options).step()
    torch.optim.Muon([q], lr=1.0, ns_steps=steps, **options).step()
    error = abs(p.array - q.detach().numpy()) / abs(q.detach().numpy()).max()
    assert (error <= 2**-6).all()
    assert (error <= 1e-6).mean() > (0.99 if steps == 1 else 0.2)


@pytest.mark.parametrize("iterations", [1, 3])
def test_lbfgs_remembers_under_the_same_names_in_the_same_order(iterations: int) -> None:
    def remembered(lib: Any) -> list[str]:
        p = lib.nn.Parameter(lib.tensor([1.0, 2.0]))
        optimizer = lib.optim.LBFGS([p], max_iter=iterations)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = ((p - 3) ** 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return list(optimizer.state_dict()["state"][0])

    assert remembered(microgad) == remembered(torch)


@pytest.mark.parametrize("far", [1e-3, 0.3, 20.0])
def test_the_line_search_that_authors_of_optimizers_take(far: float) -> None:
    """By name from torch.optim.lbfgs, of Tensors: where it ends, what is there, and how many points it looked at."""

    def searched(lib: Any) -> list[Any]:
        def valley(x: Any, t: Any, d: Any) -> Any:
            p = (x + t * d).detach().requires_grad_()
            loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
            loss.backward()
            return loss.item(), p.grad

        module = importlib.import_module(f"{lib.__name__}.optim.lbfgs")
        x = lib.tensor([-1.2, 1.0], dtype=lib.float64)
        loss, grad = valley(x, 0, x)
        d = -grad / grad.norm()
        found = module._strong_wolfe(valley, x, far, d, loss, grad, grad.dot(d))
        assert isinstance(found[1], lib.Tensor)
        lowest = [
            module._cubic_interpolate(lib.tensor(0.0), 3.0, lib.tensor(-4.0), lib.tensor(2.0), 1.0, lib.tensor(3.0), b)
            for b in (None, (0.0, 0.5))
        ]
        return [*map(float, (found[0], *found[1], found[2], *lowest)), found[3]]

    np.testing.assert_allclose(searched(microgad), searched(torch), rtol=1e-6)


def test_rprop_has_no_weight_decay() -> None:
    """Whatever a group says that other optimizers take."""
    for lib in (torch, microgad):
        p = lib.ones(2, requires_grad=True)
        optimizer = lib.optim.Rprop([{"params": p, "weight_decay": 0.3}])
        p.sum().backward()
        optimizer.step()
        assert optimizer.state[p]["prev"].tolist() == [1.0, 1.0]


def test_lbfgs_moves_numbers_of_several_kinds() -> None:
    def moved(lib: Any) -> list[Any]:
        given = [([1 + 2j, 3 - 1j], lib.complex64), ([1.0, 2.0], lib.float64), (0.5, lib.float32), (2j, lib.complex128)]
        params = [lib.tensor(x, dtype=dtype, requires_grad=True) for x, dtype in given]
        optimizer = lib.optim.LBFGS(params, lr=0.5, max_iter=5)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = sum((p * p.conj()).real.sum().double() for p in params)
            loss.backward()
            return loss

        optimizer.step(closure)
        return [p.detach().numpy() for p in params]

    for ours, theirs in zip(moved(microgad), moved(torch), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)

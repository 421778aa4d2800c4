"""torch.optim: steps, state dicts, reprs and errors are PyTorch's."""

import copy
import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad

from ..leaves import closure_of

torch = pytest.importorskip("torch")

from .optim_db.pairs import OptimizerPair, converted, two_groups  # noqa: E402

NAMES = ["SGD", "Adam", "AdamW"]
OTHER_NAMES = ["Adadelta", "Adafactor", "Adagrad", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop"]
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


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
def test_steps_give_torchs_parameters_and_state(name: str, data: st.DataObject) -> None:
    """A parameter without gradient in the second step keeps its value and step count."""
    skipped = data.draw(st.integers(0, 3))
    pair = OptimizerPair(name, data.draw(cases[name]), data.draw(st.sampled_from(["float32", "float64"])))
    for t in range(5):
        pair.step(skipped if t == 1 else None)
        pair.check()


@pytest.mark.parametrize("name", NAMES)
def test_parameter_groups_and_repr(name: str) -> None:
    pair = OptimizerPair(name, {"lr": 0.1}, make=two_groups(lr=0.01, weight_decay=0.5))
    pair.step()
    pair.check()
    assert repr(pair.ours) == repr(pair.theirs)
    pair.ours.param_groups[0]["lr"] = pair.theirs.param_groups[0]["lr"] = 0.3
    pair.step()
    pair.check()


@pytest.mark.parametrize("name", NAMES)
def test_named_parameters_are_in_state_and_repr_as_pytorchs(name: str) -> None:
    layer, twin = microgad.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    mine = getattr(microgad.optim, name)([("weight", layer)])
    other = getattr(torch.optim, name)([("weight", twin)])
    assert mine.state_dict() == other.state_dict()
    assert repr(mine) == repr(other)


@pytest.mark.parametrize(
    ("name", "options"), [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("SGD", {})]
)
def test_each_library_continues_from_the_others_state_dict(name: str, options: Any) -> None:
    """Each library continues from the other's state_dict, which also has the options."""
    pair = OptimizerPair(name, {"lr": 0.05, **options}, make=two_groups(lr=0.02))
    for _ in range(3):
        pair.step()
    fresh = OptimizerPair(name, {}, make=two_groups())
    for p, q, a, b in zip(fresh.our_params, fresh.their_params, pair.our_params, pair.their_params, strict=True):
        p.array[...], q.data[...] = b.detach().numpy(), to_torch(a.array)
    fresh.ours.load_state_dict(converted(pair.theirs.state_dict(), microgad.from_numpy))
    fresh.theirs.load_state_dict(converted(pair.ours.state_dict(), torch.from_numpy))
    for _ in range(3):
        fresh.step()
    fresh.check()


@pytest.mark.parametrize("name", [*NAMES, *OTHER_NAMES])
@pytest.mark.parametrize("transposed", [(), ("p",), ("grad",), ("p", "grad")])
def test_large_and_transposed_parameters(name: str, transposed: Any) -> None:
    """Parameters larger than a chunk, and other strides than those of the gradient."""
    random = np.random.default_rng(0)
    values, grad = random.standard_normal((2, 363, 363)).astype(np.float32)  # a chunk has 131,072 elements
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


def test_average_with_beta_zero_is_the_gradient() -> None:
    """With beta1 = 0, lerp keeps no rounding error of a far larger previous gradient."""
    averages = []
    for lib in (microgad, torch):
        p = lib.ones(1, requires_grad=True)
        optimizer = lib.optim.Adam([p], betas=(0.0, 0.999))
        for size in (1e9, 1.5):
            p.grad = lib.full((1,), size)
            optimizer.step()
        averages.append(optimizer.state[p]["exp_avg"].tolist())
    assert averages == [[1.5], [1.5]]


@pytest.mark.parametrize("name", [*NAMES, *(name for name in OTHER_NAMES if name != "Adafactor")])
def test_steps_of_complex_parameters_equal_pytorchs(name: str) -> None:
    values = (np.arange(6) - 2j).astype(np.complex64).reshape(2, 3)
    p, q = microgad.tensor(values, requires_grad=True), to_torch(values).requires_grad_()
    options = {"lr": 0.1, **({"initial_accumulator_value": 0.5} if name == "Adagrad" else {})}
    mine, other = getattr(microgad.optim, name)([p], **options), getattr(torch.optim, name)([q], **options)
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


def test_step_count_has_the_default_dtype() -> None:
    old = microgad.get_default_dtype()
    try:
        microgad.set_default_dtype(microgad.float64)
        torch.set_default_dtype(torch.float64)
        pair = OptimizerPair("Adam", {}, "float64")
        pair.step()
        pair.check()
    finally:
        microgad.set_default_dtype(old)
        torch.set_default_dtype(torch.float32)


WRONG_OPTIONS = [
    ("SGD", {"lr": -1}), ("SGD", {"momentum": -0.1}), ("SGD", {"weight_decay": -1}), ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}), ("Adam", {"lr": -1}), ("Adam", {"eps": -1}),
    ("Adam", {"betas": (1.0, 0.9)}), ("Adam", {"betas": (0.9, -0.1)}), ("AdamW", {"weight_decay": -1}),
    ("Adam", {"betas": (0, 0.9)}), ("SGD", {"fused": True, "foreach": True}),
    ("Adam", {"fused": True, "differentiable": True}), ("Adadelta", {"rho": 1.1}), ("Adadelta", {"eps": -1}),
    ("Adagrad", {"initial_accumulator_value": -1}), ("Adamax", {"betas": (0.9, 1.0)}), ("ASGD", {"weight_decay": -1}),
    ("NAdam", {"momentum_decay": -1}), ("RAdam", {"weight_decay": -1}), ("RMSprop", {"alpha": -1}),
    ("RMSprop", {"momentum": -1}), ("Rprop", {"etas": (1.5, 1.2)}), ("Rprop", {"etas": (0, 1.2)}),
    ("LBFGS", {"lr": -1}), ("Muon", {"momentum": -1}), ("Muon", {"weight_decay": -1}), ("Muon", {"adjust_lr_fn": "x"}),
    ("Muon", {}), ("Adafactor", {"lr": -1}), ("Adafactor", {"beta2_decay": 0.1}), ("Adafactor", {"eps": (None, -1)}),
    ("Adafactor", {"weight_decay": -1}), ("Adam", {"betas": (0.9,)}),
    ("NAdam", {"betas": (0.9,)}), ("Rprop", {"etas": (0.5,)}), ("Adafactor", {"eps": (None,)}),
    ("SparseAdam", {"lr": 0}), ("SparseAdam", {"eps": 0}), ("Muon", {"lr": float("nan")}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), WRONG_OPTIONS)
def test_errors_of_invalid_options(name: str, options: Any) -> None:
    """The class is PyTorch's, and the message starts with PyTorch's."""
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever PyTorch raises
        getattr(torch.optim, name)([torch.ones(1)], **options)
    with pytest.raises(theirs.type) as ours:
        getattr(microgad.optim, name)([microgad.ones(1)], **options)
    assert str(ours.value).startswith(str(theirs.value))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adadelta", {"rho": 0}), ("Adadelta", {"rho": 1}),
        ("Adafactor", {"lr": 0, "beta2_decay": 0, "eps": (0, 0), "d": 1, "weight_decay": 0}),
        ("Muon", {"lr": 0, "momentum": 0, "weight_decay": 0, "ns_steps": 99}),
    ],
)  # fmt: skip
def test_options_may_be_at_the_ends_of_their_ranges(name: str, options: Any) -> None:
    for lib in (microgad, torch):
        getattr(lib.optim, name)([lib.ones(1, 1)], **options)


TENSOR_OPTIONS = [
    ("Adam", {"betas": (0.8, 0.99), "eps": 1e-3}), ("AdamW", {"betas": (0.8, 0.99), "weight_decay": 0.1}),
    ("Adamax", {"betas": (0.8, 0.99), "eps": 1e-3}), ("NAdam", {"eps": 1e-3, "momentum_decay": 0.1}),
    ("RAdam", {"betas": (0.5, 0.6), "eps": 1e-3}), ("Adadelta", {"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adagrad", {"lr_decay": 0.1, "eps": 1e-3}), ("ASGD", {"lambd": 0.1, "alpha": 0.5, "t0": 1.0}),
    ("RMSprop", {"alpha": 0.5, "eps": 1e-3, "momentum": 0.5}), ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 1)}),
    ("Adafactor", {"weight_decay": 0.1, "beta2_decay": -0.5, "eps": (1e-3, 0.1)}),
    ("Muon", {"weight_decay": 0.1, "momentum": 0.5, "eps": 1e-3, "ns_coefficients": (3.0, -4.0, 2.0)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), TENSOR_OPTIONS)
def test_options_may_be_tensors_and_stay_tensors(name: str, options: Any) -> None:
    def run(lib: Any) -> Any:
        p = lib.nn.Parameter(lib.tensor([[1.0, -2.0], [3.0, 0.5]]))
        as_tensors = {
            k: tuple(map(lib.tensor, v)) if isinstance(v, tuple) else lib.tensor(v) for k, v in options.items()
        }
        optimizer = getattr(lib.optim, name)([p], lr=0.1, **as_tensors)
        for i in range(4):
            p.grad = p.detach() * (i - 1) + 1
            optimizer.step()
        return [p.tolist(), *(x.tolist() for x in optimizer.state[p].values())], repr(optimizer)

    (ours, our_repr), (theirs, their_repr) = run(microgad), run(torch)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-2 if name == "Muon" else 1e-4)  # Muon rounds to bfloat16
    assert our_repr == their_repr


CAPTURABLE = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adadelta", "ASGD", "RMSprop", "Rprop"]


@pytest.mark.parametrize("name", CAPTURABLE)
def test_capturable_on_the_cpu_raises_in_step(name: str) -> None:
    messages = []
    for lib in (torch, microgad):
        p = lib.nn.Parameter(lib.ones(2))
        optimizer = getattr(lib.optim, name)([p], capturable=True)
        optimizer.step()  # no gradient, nothing to check
        p.grad = lib.ones(2)
        with pytest.raises(AssertionError) as error:
            optimizer.step()
        messages.append(str(error.value).partition(",")[0])
        assert p.tolist() == [1, 1]
    assert messages[0] == messages[1]


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
def test_errors_of_invalid_parameters(params: Any) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever PyTorch raises
        torch.optim.SGD(params(torch))
    with pytest.raises(theirs.type) as ours:
        microgad.optim.SGD(params(microgad))
    assert str(ours.value)[:30] == str(theirs.value)[:30]


def test_duplicate_parameters_warn() -> None:
    for lib in (torch, microgad):
        with pytest.warns(UserWarning, match="duplicate parameters"):
            lib.optim.SGD([lib.ones(1)] * 2)


@pytest.mark.parametrize("saved", [[[0]], [[0], [1, 2], [3, 4]], [[0, 1], [2]]])
def test_errors_of_mismatched_state_dicts(saved: Any) -> None:
    pair = OptimizerPair("Adam", {}, make=two_groups())
    groups = [{**pair.theirs.state_dict()["param_groups"][0], "params": indices} for indices in saved]
    state = {"state": {}, "param_groups": groups}
    with pytest.raises(ValueError, match="loaded state dict") as theirs:
        pair.theirs.load_state_dict(copy.deepcopy(state))
    with pytest.raises(ValueError, match="loaded state dict") as ours:
        pair.ours.load_state_dict(state)
    assert str(ours.value).startswith(str(theirs.value))


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
@pytest.mark.parametrize(
    "options",
    [{"history_size": 1}, {"history_size": 3, "max_eval": 30}, {"max_iter": 20, "tolerance_change": 0.1}],
)
@pytest.mark.parametrize("start", [(-1.5, 2.0), (0.0, 0.0), (5.0, -3.0)])
def test_lbfgs_on_the_rosenbrock_function(line_search: Any, options: Any, start: Any) -> None:
    """The same parameters and number of evaluations, with line searches that bracket, zoom and give up."""
    options = {"lr": 1e-3 if line_search is None else 1.0, "max_iter": 7, **options}
    runs = []
    for lib in (microgad, torch):
        p = lib.tensor(start, dtype=lib.float64, requires_grad=True)
        optimizer = lib.optim.LBFGS([p], line_search_fn=line_search, **options)

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
            loss.backward()
            return loss

        iterates = []
        for _ in range(4):
            optimizer.step(closure)
            iterates.append(p.detach().numpy().copy())
        runs.append((iterates, optimizer.state[p]["func_evals"], optimizer.state[p]["n_iter"]))
    # cubic interpolation amplifies the last bits
    np.testing.assert_allclose(runs[0][0], runs[1][0], rtol=1e-4, atol=1e-9)
    assert runs[0][1:] == runs[1][1:]


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_lbfgs_step_is_the_memory_of_a_tensor_lr_that_a_scheduler_fills(line_search: Any, shape: Any) -> None:
    def run(lib: Any) -> list[float]:
        p = lib.nn.Parameter(lib.tensor([1.0, 2.0], dtype=lib.float64))
        optimizer = lib.optim.LBFGS([p], lr=lib.full(shape, 0.05), max_iter=4, line_search_fn=line_search)
        schedule = lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (p**2 * lib.tensor([1.0, 10.0])).sum() + (p**4).sum()
            loss.backward()
            return loss

        found = []
        for _ in range(4):
            found += [optimizer.step(closure).item(), *p.tolist()]
            schedule.step()
            found += [optimizer.state[p]["t"].item()]
        return found

    np.testing.assert_allclose(run(microgad), run(torch), rtol=1e-6)


def test_lbfgs_at_the_minimum() -> None:
    for lib in (microgad, torch):
        p = lib.zeros(2, requires_grad=True)
        optimizer = lib.optim.LBFGS([p])
        assert optimizer.step(closure_of(optimizer)).item() == 0
        assert optimizer.state[p] == {"func_evals": 1, "n_iter": 0}


def test_lbfgs_rejects_several_groups() -> None:
    for lib in (microgad, torch):
        with pytest.raises(ValueError, match="doesn't support per-parameter options"):
            lib.optim.LBFGS([{"params": lib.ones(1)}, {"params": lib.ones(1)}])


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (64, 64)])
@pytest.mark.parametrize("options", [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}])
@pytest.mark.parametrize("steps", [1, 5])
def test_muon_rounds_to_bfloat16_as_torch_does(shape: Any, options: Any, steps: int) -> None:
    """Both round to bfloat16. Iterations amplify the differences where the last bit of a sum changes a rounding."""
    grad = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    p, q = microgad.zeros(shape, requires_grad=True), torch.zeros(shape, requires_grad=True)
    p.grad, q.grad = microgad.from_numpy(grad), to_torch(grad)
    microgad.optim.Muon([p], lr=1.0, ns_steps=steps, **options).step()
    torch.optim.Muon([q], lr=1.0, ns_steps=steps, **options).step()
    error = abs(p.array - q.detach().numpy()) / abs(q.detach().numpy()).max()
    assert (error <= 2**-6).all()
    assert (error <= 1e-6).mean() > (0.99 if steps == 1 else 0.2)


@pytest.mark.parametrize("iterations", [1, 2.5])
def test_lbfgs_state_has_torchs_names_and_order(iterations: float) -> None:
    def state_names(lib: Any) -> list[str]:
        p = lib.nn.Parameter(lib.tensor([1.0, 2.0]))
        optimizer = lib.optim.LBFGS([p], max_iter=iterations)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = ((p - 3) ** 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return list(optimizer.state_dict()["state"][0])

    assert state_names(microgad) == state_names(torch)


@pytest.mark.parametrize("first_step", [1e-3, 0.3, 20.0])
def test_line_search_functions_are_torchs(first_step: float) -> None:
    """`_strong_wolfe` and `_cubic_interpolate`, called with Tensors: step, loss, gradient and number of evaluations."""

    def search(lib: Any) -> list[Any]:
        def rosenbrock(x: Any, t: Any, d: Any) -> Any:
            p = (x + t * d).detach().requires_grad_()
            loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
            loss.backward()
            return loss.item(), p.grad

        module = importlib.import_module(f"{lib.__name__}.optim.lbfgs")
        x = lib.tensor([-1.2, 1.0], dtype=lib.float64)
        loss, grad = rosenbrock(x, 0, x)
        d = -grad / grad.norm()
        found = module._strong_wolfe(rosenbrock, x, first_step, d, loss, grad, grad.dot(d))
        assert isinstance(found[1], lib.Tensor)
        interpolated = [
            module._cubic_interpolate(lib.tensor(0.0), 3.0, lib.tensor(-4.0), lib.tensor(2.0), 1.0, lib.tensor(3.0), b)
            for b in (None, (0.0, 0.5))
        ]
        return [*map(float, (found[0], *found[1], found[2], *interpolated)), found[3]]

    np.testing.assert_allclose(search(microgad), search(torch), rtol=1e-6)


def test_rprop_has_no_weight_decay() -> None:
    """A group's weight_decay, an option of other optimizers, is ignored."""
    for lib in (torch, microgad):
        p = lib.ones(2, requires_grad=True)
        optimizer = lib.optim.Rprop([{"params": p, "weight_decay": 0.3}])
        p.sum().backward()
        optimizer.step()
        assert optimizer.state[p]["prev"].tolist() == [1.0, 1.0]


def test_lbfgs_with_parameters_of_several_dtypes() -> None:
    def updated_params(lib: Any) -> list[Any]:
        data = [([1 + 2j, 3 - 1j], lib.complex64), ([1.0, 2.0], lib.float64), (0.5, lib.float32), (2j, lib.complex128)]
        params = [lib.tensor(x, dtype=dtype, requires_grad=True) for x, dtype in data]
        optimizer = lib.optim.LBFGS(params, lr=0.5, max_iter=5)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = sum((p * p.conj()).real.sum().double() for p in params)
            loss.backward()
            return loss

        optimizer.step(closure)
        return [p.detach().numpy() for p in params]

    for ours, theirs in zip(updated_params(microgad), updated_params(torch), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)

"""`check_module`: each law finds a module that breaks it, and correct modules obey them all."""

import copy

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.errors import ArgumentError
from microgad.testing import GradcheckError, check_module
from microgad.testing.laws import op
from microgad.testing.laws.module import LAWS
from microgad.testing.strategies import modules, tensors

pytestmark = pytest.mark.usefixtures("no_shrinking")
EXAMPLES = 10
ROWS, SEQUENCES = tensors((2, 3)), tensors((2, 4, 3))


class Scale(nn.Module):
    """A correct module with one parameter, from which the faulty ones below are derived."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.5, -0.5, 2.0]))

    def forward(self, x):
        return x * self.weight


class LeaksBetweenRows(Scale):
    def forward(self, x):
        return super().forward(x) + 0.1 * x.mean(0)


class ReadsLaterSteps(Scale):
    def forward(self, x):
        return super().forward(x) + torch.flip(x, [1])


class DependsOnPositions(Scale):
    def forward(self, x):
        return super().forward(x) * torch.arange(1, 5).reshape(1, 4, 1)


class ParameterInAPlainList(Scale):
    def __init__(self):
        super().__init__()
        self.hidden = [nn.Parameter(torch.ones(3))]

    def forward(self, x):
        return super().forward(x) * self.hidden[0]


class LayerInAPlainList(Scale):
    def __init__(self):
        super().__init__()
        self.hidden = [nn.Linear(3, 3)]

    def forward(self, x):
        return super().forward(self.hidden[0](x))


class AlwaysDrops(Scale):
    def forward(self, x):
        return nn.functional.dropout(super().forward(x), 0.5, training=True)


class KeepsModeOfChildren(Scale):
    def __init__(self):
        super().__init__()
        self.inner = nn.Dropout(0.5)

    def train(self, mode=True):
        self.training = mode
        return self


class SavesZeros(Scale):
    def state_dict(self, *args, **kwargs):
        return {name: value * 0 for name, value in super().state_dict(*args, **kwargs).items()}


class SharesItsWeight(Scale):
    def __deepcopy__(self, memo):
        other = type(self)()
        if "weight" in self._parameters:
            other._parameters["weight"] = self._parameters["weight"]
        return other


class PicklesAnotherModule(Scale):
    def __reduce__(self):
        return (nn.Identity, ())

    def __deepcopy__(self, memo):
        other = type(self)()
        other.weight = nn.Parameter(self.weight.detach().clone())
        return other


class IgnoresZeroGrad(Scale):
    def zero_grad(self, set_to_none=True):
        pass


class Detaches(Scale):
    def forward(self, x):
        return x * self.weight * self.weight.detach()


PLANTED = {
    "samples": (LeaksBetweenRows, ROWS, {"independent": "samples"}),
    "causal": (ReadsLaterSteps, SEQUENCES, {"causal": 1}),
    "permutation_equivariant": (DependsOnPositions, SEQUENCES, {"permutation_equivariant": 1}),
    "registered": (ParameterInAPlainList, ROWS, {}),
    "state_dict": (SavesZeros, ROWS, {}),
    "pickles": (PicklesAnotherModule, ROWS, {}),
    "zero_grad": (IgnoresZeroGrad, ROWS, {}),
    "derivatives": (Detaches, ROWS, {}),
}


TESTED_BELOW = {"modes", "deepcopy"}


def test_every_law_of_modules_has_a_planted_fault():
    of_operations = {law.__name__ for law in op.LAWS} - {"derivatives"}
    assert {law.__name__ for law in LAWS} - of_operations == set(PLANTED) | TESTED_BELOW


@pytest.mark.parametrize("law", PLANTED)
def test_a_law_finds_its_planted_fault(law):
    module, inputs, declared = PLANTED[law]
    with pytest.raises((AssertionError, GradcheckError), match=f"breaks the law `{law}`"):
        check_module(module(), inputs, examples=EXAMPLES, laws=[law], **declared)


class Summed(nn.Module):
    """The last position of the axis, and no other, depends on earlier ones; reversed, only the first on later ones."""

    def __init__(self, axis, reverse=False):
        super().__init__()
        self.axis, self.ends = axis, (-1, 0) if reverse else (0, -1)

    def forward(self, x):
        first, last = (x.movedim(self.axis, 0)[end] for end in self.ends)
        out = x.clone()
        out.movedim(self.axis, 0)[self.ends[1]] = first + last
        return out


class Alternates(nn.Module):
    """Depends on positions along axis 1, but not on how far all are moved if that is an even number."""

    def forward(self, x):
        return x * (torch.arange(x.shape[1]) % 2 + 1).to(x.dtype)


class Neighbours(nn.Module):
    """Depends on the order along axis 1, but not on how far all are moved."""

    def forward(self, x):
        return x + torch.roll(x, 1, 1)


def test_an_order_is_noticed_by_a_module_that_does_not_notice_a_move():
    with pytest.raises(AssertionError, match="breaks the law `permutation_equivariant`"):
        check_module(Neighbours(), torch.eye(3), examples=1, permutation_equivariant=1)


@pytest.mark.parametrize("n", [2, 3, 20])
@pytest.mark.parametrize(
    ("module", "declared"),
    [
        (Summed(0), {"independent": "samples"}),
        (Summed(0, reverse=True), {"independent": "samples"}),
        (Summed(1, reverse=True), {"causal": 1}),
        (Alternates(), {"permutation_equivariant": 1}),
    ],
)
def test_one_example_is_enough_for_what_a_module_may_depend_on(module, declared, n):
    """With given Tensors, all examples have the same inputs."""
    inputs = torch.arange(1, n * n + 1).reshape(n, n).to(torch.float64) / (n * n)
    with pytest.raises(AssertionError, match=r"breaks the law `(samples|causal|permutation_equivariant)`"):
        check_module(module, inputs, examples=1, order=1, **declared)


@pytest.mark.parametrize("law", ["samples", "causal", "permutation_equivariant", "state_dict", "pickles", "zero_grad"])
def test_a_planted_fault_breaks_no_other_law(law):
    module, inputs, _ = PLANTED[law]
    others = [other.__name__ for other in LAWS if other.__name__ not in (law, "deepcopy")]
    check_module(module(), inputs, examples=3, laws=others)


@pytest.mark.parametrize(("module", "message"), [(AlwaysDrops, "draws random numbers"), (KeepsModeOfChildren, "inner")])
def test_the_law_of_modes_finds_its_planted_faults(module, message):
    with pytest.raises(AssertionError, match=f"breaks the law `modes`: .*{message}"):
        check_module(module(), ROWS, examples=EXAMPLES, laws=["modes"])


def test_the_law_of_deepcopy_finds_its_planted_fault():
    module = SharesItsWeight()
    with pytest.raises(AssertionError, match="breaks the law `deepcopy`"):
        check_module(module, ROWS, examples=EXAMPLES, laws=["deepcopy"])


def test_the_error_for_a_wrong_derivative_names_the_parameter():
    with pytest.raises(GradcheckError, match=r"with respect to input 1, weight \(3,\)") as error:
        check_module(Detaches(), ROWS, examples=EXAMPLES, laws=["derivatives"])
    assert "weight = torch.from_numpy(np.array([1.5, -0.5, 2.0])).requires_grad_()" in str(error.value)
    assert "put the checked function here: Detaches of its inputs and parameters\n" in str(error.value)


def test_a_layer_in_a_plain_list_is_found():
    with pytest.raises(AssertionError, match=r"breaks the law `registered`: .*float32.* in a plain list"):
        check_module(LayerInAPlainList(), ROWS, examples=EXAMPLES)


class PlainAttribute(Scale):
    """`.double()` leaves it in float32, which a product with it hides."""

    def __init__(self, where=lambda x: x):
        super().__init__()
        self.scale, self.scales, self.last = where(torch.ones(3)), True, torch.zeros(3)

    def forward(self, x):
        scale, self.last = self.scale, x.detach()
        while not isinstance(scale, torch.Tensor):
            scale = scale[0]
        return super().forward(x) * (scale if self.scales else 1)


@pytest.mark.parametrize("where", [lambda x: x, lambda x: [x], lambda x: {0: (x.long(),)}])
def test_a_tensor_that_is_no_buffer_is_found_if_the_results_depend_on_it(where):
    module = nn.Sequential(nn.Identity(), PlainAttribute(where))
    with pytest.raises(AssertionError, match=r"`registered`: the results depend on 1\.scale, a Tensor \(3,\)"):
        check_module(module, ROWS, examples=EXAMPLES)
    module[1].scales = False
    check_module(module, ROWS, laws=["registered"], examples=EXAMPLES)


class WeightsInAList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 2)])
        self.weights = [layer.weight for layer in self.layers]

    def forward(self, x):
        return torch.tanh(x @ self.weights[0].T) @ self.weights[1].T


@pytest.mark.host("the inputs are on the CPU")
def test_a_module_may_read_its_parameters_from_a_list():
    check_module(WeightsInAList(), ROWS, examples=EXAMPLES)


class Float64Constant(Scale):
    def forward(self, x):
        return super().forward(x) * torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def test_a_float32_module_that_returns_float64_is_found():
    with pytest.raises(AssertionError, match="`float32`: with float32 inputs output 0 is float64"):
        check_module(Float64Constant(), ROWS, examples=EXAMPLES)


class WritesToItsInput(Scale):
    def forward(self, x):
        x -= 1
        return super().forward(x)


def test_a_forward_that_fails_breaks_no_law():
    with pytest.raises(AssertionError, match=r"WritesToItsInput\(\) in \w+: its forward fails: .* in-place"):
        check_module(WritesToItsInput(), ROWS, examples=EXAMPLES)


def test_the_report_says_that_a_module_cannot_be_pickled():
    module = nn.Sequential(Scale())
    module.function = lambda x: x
    report = check_module(module, ROWS, examples=2)
    assert "pickles" not in report.laws
    assert "not checked: pickles, since Sequential can't be pickled: Can't" in str(report)


@pytest.mark.parametrize("law", PLANTED)
def test_a_fault_is_found_without_naming_the_law(law):
    module, inputs, declared = PLANTED[law]
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_module(module(), inputs, examples=EXAMPLES, **declared)


class Branches(nn.Module):
    def forward(self, x, y):
        return x * y if x is not y else x * y + 1


def test_another_value_for_one_tensor_as_both_inputs_is_found():
    with pytest.raises(AssertionError, match=r"`repeated_input`: with a copy, not one Tensor as .*: output 0 differs"):
        check_module(Branches(), ROWS, ROWS, examples=EXAMPLES)


class Attention(nn.Module):
    def __init__(self, causal=False):
        super().__init__()
        self.query, self.key, self.causal = nn.Linear(3, 3), nn.Linear(3, 3), causal

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(-1, -2)
        if self.causal:
            later = torch.tensor(np.triu(np.ones((x.shape[1], x.shape[1]), bool), 1))
            scores = torch.where(later, -1e9, scores)
        return torch.softmax(scores, -1) @ x


class Masked(Scale):
    """Buffers and a parameter that aren't floating-point."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.tensor([True, False, True]))
        self.register_buffer("positions", torch.arange(3))
        self.factors = nn.Parameter(torch.arange(1, 4), requires_grad=False)

    def forward(self, x):
        return torch.where(self.mask, super().forward(x)[:, self.positions] * self.factors, 0)


class ComplexScale(nn.Module):
    """A complex parameter."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([1 + 2j, 0.5j, -1.0]))

    def forward(self, x):
        return x * self.factor


class Counts(Scale):
    """In training mode, the result depends on the number of calls."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.tensor(1.0))

    def forward(self, x):
        if self.training:
            self.count = self.count + 1
        return super().forward(x) * self.count


IMAGES = tensors((2, 1, 3, 3))
RIGHT = {
    "mlp": (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), ROWS, {"independent": "samples"}),
    "dropout": (nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)), ROWS, {"independent": "samples"}),
    "batch norm": (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), tensors((3, 3)), {"independent": "samples"}),
    "conv net": (
        nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2)),
        IMAGES,
        {"independent": "samples"},
    ),
    "attention": (Attention(), SEQUENCES, {"independent": "samples", "permutation_equivariant": 1}),
    "buffers of all kinds": (Masked(), ROWS, {"independent": "samples"}),
    "a complex parameter": (ComplexScale(), ROWS, {"independent": "samples"}),
    "complex numbers": (
        nn.Linear(2, 2, dtype=torch.complex128),
        torch.ones(3, 2).to(torch.complex128),
        {"independent": "samples"},
    ),
    "no rows": (
        nn.Linear(2, 2),
        torch.ones(0, 2),
        {"independent": "samples", "causal": 0, "laws": {law.__name__ for law in LAWS} - {"derivatives"}},
    ),
    "a count": (Counts(), ROWS, {}),
    "multi-head attention": (nn.MultiheadAttention(4, 2), tensors((2, 1, 4)).map(lambda x: (x, x, x)), {}),
    "causal attention": (Attention(causal=True), SEQUENCES, {"independent": "samples", "causal": 1}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_correct_modules_obey_all_laws(name):
    module, inputs, declared = RIGHT[name]
    before = copy.deepcopy(module.state_dict())
    check_module(module, inputs, examples=EXAMPLES, **declared)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert module.training
    assert all(p.dtype != torch.float64 and p.grad is None for p in module.parameters())


def test_modules_may_be_factories_or_strategies():
    check_module(lambda: nn.Linear(3, 2), ROWS, examples=EXAMPLES)
    check_module(modules(), examples=EXAMPLES)


@pytest.mark.parametrize("module", [nn.ReLU, nn.ReLU(), nn.Linear(3, 2), lambda: nn.Linear(3, 2), Scale])
def test_inputs_are_inferred(module):
    before = torch.get_rng_state()
    assert check_module(module, examples=EXAMPLES).examples == EXAMPLES
    assert torch.equal(torch.get_rng_state(), before)


def test_a_module_without_inputs():
    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = nn.Parameter(torch.ones(2, 3))

        def forward(self):
            return torch.tanh(self.rows)

    assert "Tanh" in check_module(Table, examples=EXAMPLES).classes


def test_invalid_declarations_are_refused():
    with pytest.raises(ArgumentError, match="independent is None or 'samples'"):
        check_module(Scale(), ROWS, independent="rows")
    with pytest.raises((ArgumentError, AssertionError), match="same length along axis 2"):
        check_module(Scale(), ROWS, causal=2, examples=1)


def test_targets_that_are_no_modules_are_refused():
    with pytest.raises(ArgumentError, match=r"expected a microgad Module, got builtins.int"):
        check_module(lambda: 3, ROWS, examples=1)
    for inputs in ((), (ROWS,)):
        with pytest.raises(ArgumentError, match=r"Linear takes arguments: pass a module, .*'in_features'"):
            check_module(nn.Linear, *inputs, examples=1)
    with pytest.raises(ArgumentError, match=r"ReLU\(\) doesn't take 2 inputs \(too many positional arguments\)"):
        check_module(nn.ReLU(), ROWS, ROWS, examples=1)
    with pytest.raises(ArgumentError, match="Sequential has parameters without a shape yet: call it once before"):
        check_module(nn.Sequential(nn.LazyLinear(2)), ROWS, examples=1)
    pytorch = pytest.importorskip("torch")
    with pytest.raises(ArgumentError, match=r"expected a microgad Module, got torch.nn.modules.activation.ReLU"):
        check_module(pytorch.nn.ReLU(), ROWS, examples=1)

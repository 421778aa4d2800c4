"""nn.utils: clipping of gradients, parameters as one vector, parametrizations and pruning."""

import copy
import math
from concurrent.futures import ThreadPoolExecutor

import pytest

import microgad as torch
from microgad import nn
from microgad.nn import utils


def with_gradients(*gradients):
    parameters = [nn.Parameter(torch.zeros(len(g))) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.tensor(g)
    return parameters


def test_clip_grad_norm_scales_gradients_only_if_their_norm_is_too_large():
    parameters = [*with_gradients([3.0], [0.0, 4.0]), nn.Parameter(torch.zeros(1))]
    kept = parameters[0].grad
    assert utils.clip_grad_norm_(parameters, 1.0).item() == 5
    assert kept is parameters[0].grad
    assert kept.item() == pytest.approx(0.6)
    assert parameters[1].grad.tolist() == pytest.approx([0, 0.8])
    assert utils.clip_grad_norm_(iter(parameters), 10.0).item() == pytest.approx(1)
    assert parameters[1].grad.tolist() == pytest.approx([0, 0.8])
    (tiny,) = with_gradients([1e-6])
    utils.clip_grad_norm_(tiny, 1e-6)
    assert tiny.grad.item() == pytest.approx(0.5e-6)  # 1e-6 is added to the norm, as in PyTorch


def test_a_tape_shows_what_clipped_gradients_are_multiplied_by():
    (p,) = with_gradients([3.0, 4.0])
    with torch.record() as tape:
        utils.clip_grad_norm_(p, 1.0)
    assert [each.source for each in tape.ops[-1].inputs][1] == tape.ops[-2].number


@pytest.mark.parametrize(("order", "norm"), [(1.0, 7.0), (math.inf, 4.0), ("inf", 4.0), (3, 91 ** (1 / 3))])
def test_clip_grad_norm_of_any_order(order, norm):
    parameters = with_gradients([3.0], [0.0, -4.0])
    assert utils.clip_grad_norm_(parameters, 1.0, norm_type=order).item() == pytest.approx(norm)
    assert parameters[1].grad[1].item() == pytest.approx(-4 / norm)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_norm_that_is_not_finite_raises_if_asked_to():
    (p,) = with_gradients([1.0, math.inf])
    with pytest.raises(RuntimeError, match=r"total norm of order 2.0 .* is non-finite"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.tolist() == [1, math.inf]
    assert utils.clip_grad_norm_(p, 1.0).item() == math.inf
    assert p.grad[0].item() == 0


def test_clip_grad_norm_of_no_parameters_is_0():
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_(nn.ReLU().parameters(), 1.0)


def test_clip_grad_value_clamps_gradients():
    parameters = with_gradients([3.0], [-0.5, -4.0])
    utils.clip_grad_value_(parameters, 1)
    assert [p.grad.tolist() for p in parameters] == [[1], [-0.5, -1]]
    utils.clip_grad_value_(parameters[1], 0.25)
    assert parameters[1].grad.tolist() == [-0.25, -0.25]


def test_parameters_become_one_vector_and_are_set_from_one():
    net = nn.Linear(3, 2)
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.tolist() == net.weight.flatten().tolist() + net.bias.tolist()
    vector.sum().backward()
    assert net.weight.grad.tolist() == [[1, 1, 1], [1, 1, 1]]
    weight = net.weight
    utils.vector_to_parameters(torch.arange(8.0), net.parameters())
    assert net.weight is weight
    assert net.weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert net.bias.tolist() == [6, 7]
    assert net.weight.requires_grad


def test_a_vector_of_a_wrong_size_or_type_raises_and_changes_nothing():
    net = nn.Linear(3, 2)
    before = net.weight.tolist()
    with pytest.raises(RuntimeError, match="vec has 7 elements, but the parameters have 8"):
        utils.vector_to_parameters(torch.zeros(7), net.parameters())
    with pytest.raises(TypeError, match=r"expected torch.Tensor, but got: list"):
        utils.vector_to_parameters([0.0] * 8, net.parameters())
    assert net.weight.tolist() == before


def test_norms_of_float16_accumulate_in_float32():
    p = nn.Parameter(torch.zeros(4, dtype=torch.half))
    p.grad = torch.full((4,), 300.0, dtype=torch.half)
    total = utils.clip_grad_norm_(p, 1.0)
    assert (total.dtype, total.item()) == (torch.half, 600)
    assert p.grad.tolist() == [0.5] * 4


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def test_the_cache_of_parametrizations_does_not_confuse_modules():
    def weight(factor):
        layer = nn.Linear(1, 1, bias=False)
        layer.weight.data.fill_(1.0)
        return utils.parametrize.register_parametrization(layer, "weight", Scale(factor)).weight.item()

    with utils.parametrize.cached():
        assert [weight(float(i)) for i in range(20)] == [float(i) for i in range(20)]


def test_failed_pruning_keeps_earlier_prunings():
    layer = nn.Linear(2, 2)
    for _ in range(2):
        utils.prune.l1_unstructured(layer, "weight", amount=1)
        (before,) = layer._forward_pre_hooks.values()
        with pytest.raises(ValueError, match="amount=100"):
            utils.prune.l1_unstructured(layer, "weight", amount=100)
        assert list(layer._forward_pre_hooks.values()) == [before]
    assert len(before) == 2
    assert int((layer.weight == 0).sum()) == 2


def test_the_cache_of_parametrizations_belongs_to_its_thread():
    layer = utils.parametrize.register_parametrization(nn.Linear(1, 1, bias=False), "weight", Scale(2.0))
    original = layer.parametrizations.weight.original
    original.data.fill_(1.0)
    with utils.parametrize.cached(), ThreadPoolExecutor(1) as other:
        assert layer.weight.item() == 2
        original.data.fill_(3.0)
        assert layer.weight.item() == 2
        assert other.submit(lambda: layer.weight.item()).result() == 6


@pytest.mark.parametrize(
    ("layer", "name", "count"),
    [
        (nn.LSTM(2, 2), "weight_hh_l0", 4),
        (nn.GRU(2, 2), "bias_ih_l0", 4),
        (nn.MultiheadAttention(2, 1), "in_proj_weight", 3),
        (nn.MultiheadAttention(2, 1), "in_proj_bias", 3),
        (nn.Linear(2, 2), "weight", 1),
    ],
)
def test_parametrizations_are_evaluated_as_often_as_in_pytorch(layer, name, count):
    calls = []

    class Counting(nn.Module):
        def forward(self, weight):
            calls.append(weight)
            return weight * 1

    utils.parametrize.register_parametrization(layer, name, Counting(), unsafe=True)
    x = torch.ones(3, 1, 2)
    layer(*[x] * (3 if isinstance(layer, nn.MultiheadAttention) else 1))
    assert len(calls) == count


def test_a_failed_parametrization_keeps_the_weight():
    class Longer(nn.Module):
        def forward(self, x):
            return torch.cat([x, x])

        def right_inverse(self, x):
            return x / 2

    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    with pytest.raises(ValueError, match="may not change the shape"):
        utils.parametrize.register_parametrization(layer, "weight", Longer())
    assert layer.weight.tolist() == [[1]]


@pytest.mark.parametrize(
    ("forward", "back", "unsafe", "message"),
    [
        (lambda x: 5, torch.clone, False, "must return a tensor. Got int"),
        (lambda x: x.double(), torch.clone, False, "may not change the dtype"),
        (torch.clone, lambda x: 5, False, "parametrization.right_inverse must return a tensor. Got: int"),
        (torch.clone, lambda x: x.double(), False, "must have the same dtype"),
        (torch.clone, lambda x: x[0], False, "must have the same shape"),
        (torch.clone, lambda x: 5, True, "a Tensor or a Sequence of tensors .* Got int"),
        (torch.clone, lambda x: x.double(), True, "outputs one tensor, it may not change the dtype"),
        (lambda a, b: a, lambda x: (x, 5), True, "Got element 1 of the sequence with type int"),
    ],
)
def test_parametrizations_that_return_something_else_are_refused(forward, back, unsafe, message):
    class Given(nn.Module):
        def forward(self, *originals):
            return forward(*originals)

        def right_inverse(self, x):
            return back(x)

    layer = nn.Linear(1, 1)
    if not unsafe:  # the checks of a second parametrization include those of the first one's result
        utils.parametrize.register_parametrization(layer, "weight", nn.Identity())
    before = list(layer.state_dict())
    with pytest.raises(ValueError, match=message):
        utils.parametrize.register_parametrization(layer, "weight", Given(), unsafe=unsafe)
    assert list(layer.state_dict()) == before


@pytest.mark.parametrize("wrong", [lambda x: x.double(), lambda x: 5])
def test_a_failed_assignment_keeps_all_original_parameters(wrong):
    class Sum(nn.Module):
        second = staticmethod(torch.clone)

        def forward(self, a, b):
            return a + b

        def right_inverse(self, x):
            return x / 2, self.second(x / 2)

    layer = utils.parametrize.register_parametrization(nn.Linear(1, 1), "weight", Sum())
    before = layer.weight.item()
    layer.parametrizations.weight[0].second = wrong
    with pytest.raises(ValueError, match="Tensor 1 returned by `right_inverse`"):
        layer.weight = torch.ones(1, 1)
    assert layer.weight.item() == before


def test_an_assignment_goes_back_through_parametrizations_in_reverse():
    class Exp(nn.Module):
        def forward(self, x):
            return x.exp()

        def right_inverse(self, x):
            return x.log()

    class Shift(nn.Module):
        def forward(self, x):
            return x + 1

        def right_inverse(self, x):
            return x - 1

    layer = nn.Linear(1, 1)
    for each in (Exp(), Shift()):
        utils.parametrize.register_parametrization(layer, "weight", each)
    layer.weight = torch.tensor([[3.0]])
    torch.testing.assert_close(layer.weight, torch.tensor([[3.0]]))


class Sum(nn.Module):
    """A parametrization of two originals."""

    def forward(self, a, b):
        return a + b

    def right_inverse(self, x):
        return x / 4, x * 0.75


def test_a_parametrization_gets_the_modules_training_mode():
    layer = utils.parametrize.register_parametrization(nn.Linear(1, 1).eval(), "weight", Sum())
    assert not layer.parametrizations.weight[0].training


def test_a_parametrized_buffer_becomes_a_buffer_again():
    layer = utils.parametrize.register_parametrization(nn.BatchNorm1d(2), "running_var", Sum())
    layer.running_var = torch.tensor([4.0, 8.0])
    utils.parametrize.remove_parametrizations(layer, "running_var")
    assert dict(layer.named_buffers())["running_var"].tolist() == [4, 8]


def test_a_deep_copy_of_a_parametrized_module_has_originals_of_its_own():
    layer = utils.parametrize.register_parametrization(nn.Linear(1, 1), "weight", Sum())
    other, before = copy.deepcopy(layer), layer.weight.item()
    other.weight = torch.tensor([[before + 1]])
    assert layer.weight.item() == before


def test_complex_weights_may_be_orthogonal_or_have_spectral_norm_1():
    orthogonal, spectral = (nn.Linear(3, 3, dtype=torch.complex128) for _ in range(2))
    utils.parametrizations.orthogonal(orthogonal)
    with torch.no_grad():
        for p in (orthogonal.parametrizations.weight.original, spectral.weight):
            p.copy_(torch.randn(3, 3, dtype=torch.complex128))
    utils.parametrizations.spectral_norm(spectral, n_power_iterations=100)
    one = torch.eye(3, dtype=torch.complex128)
    torch.testing.assert_close(orthogonal.weight.mH @ orthogonal.weight, one)
    torch.testing.assert_close(torch.linalg.svdvals(spectral.weight)[0], torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("apply", [utils.spectral_norm, utils.parametrizations.spectral_norm])
def test_backward_goes_through_two_calls_of_a_module_with_spectral_norm(apply):
    layer = apply(nn.Linear(3, 3, bias=False).double())
    first, second = (layer(torch.ones(1, 3).double()).sum() for _ in range(2))
    (first + second).backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_spectral_norm_loads_the_first_layout_of_its_state():
    layer = utils.spectral_norm(nn.Linear(3, 2, bias=False)).eval()
    original, u = torch.randn(2, 3), torch.tensor([0.6, 0.8])
    layer.load_state_dict({"weight_orig": original, "weight": original / 3, "weight_u": u})
    layer(torch.ones(3))
    torch.testing.assert_close(layer.weight, original / 3)


def test_channels_along_a_negative_dimension_are_pruned_by_their_norms():
    layer = nn.Linear(3, 2)
    layer.weight.data = torch.tensor([[1.0, 2.0, -3.0], [-1.0, 9.0, 0.0]])
    utils.prune.ln_structured(layer, "weight", amount=1, n=1, dim=-1)
    assert layer.weight_mask.tolist() == [[0, 1, 1]] * 2


def test_spectral_norm_along_a_missing_dimension_raises():
    with pytest.raises(RuntimeError, match="permute: number of dimensions in the tensor input does not match"):
        nn.utils.spectral_norm(nn.BatchNorm1d(2), dim=1)


def test_packed_sequences_keep_their_order_when_they_are_converted():
    packed = nn.utils.rnn.pack_sequence([torch.ones(1), torch.arange(3.0)], enforce_sorted=False).double()
    assert packed.data.dtype == torch.float64
    assert (packed.sorted_indices.tolist(), packed.unsorted_indices.tolist()) == ([1, 0], [1, 0])


def test_rows_of_one_element_are_expanded_when_they_are_padded():
    x = torch.tensor([[2.0]], requires_grad=True)
    padded = nn.utils.rnn.pad_sequence([torch.zeros(2, 3), x], batch_first=True)
    padded.sum().backward()
    assert (padded[1].tolist(), x.grad.item()) == ([[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]], 3.0)

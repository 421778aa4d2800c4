"""Layers: each applies its operation with its settings, and wrong settings and inputs raise."""

import math

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.nn import functional as F

DEVICE_AND_DTYPE = {"device": "cpu", "dtype": torch.float64}


def test_linear_multiplies_and_adds_its_bias():
    layer = nn.Linear(3, 2)
    x = torch.randn(4, 5, 3)
    np.testing.assert_allclose(layer(x).array, x.array @ layer.weight.array.T + layer.bias.array, rtol=1e-5)
    assert nn.Linear(3, 2, bias=False).bias is None
    assert [name for name, _ in nn.Linear(3, 2, False).named_parameters()] == ["weight"]
    assert nn.Linear(3, 2, **DEVICE_AND_DTYPE).weight.dtype == torch.float64
    with pytest.warns(UserWarning, match="zero-element"):
        empty = nn.Linear(0, 2)
    assert empty.bias.tolist() == [0, 0]


@pytest.mark.parametrize("shape", [np.array([2, 3]), (2, 3), [2, np.int64(3)], torch.Size([2, 3])])
def test_norms_take_any_sequence_of_sizes(shape):
    for layer in (nn.LayerNorm(shape), nn.RMSNorm(shape)):
        assert layer.normalized_shape == (2, 3)
        assert all(type(n) is int for n in layer.normalized_shape)


def test_conv2d_applies_its_settings():
    x = torch.randn(2, 4, 7, 6)
    layer = nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), groups=2)
    assert layer.weight.shape == (6, 2, 3, 2)
    assert torch.equal(layer(x), F.conv2d(x, layer.weight, layer.bias, 2, (1, 0), (1, 2), 2))
    assert layer(x[0]).shape == layer(x).shape[1:]
    assert nn.Conv2d(4, 2, 3, padding="same", dilation=2)(x).shape == (2, 2, 7, 6)
    assert nn.Conv2d(4, 2, 3, padding="valid", bias=False)(x).shape == (2, 2, 5, 4)
    assert nn.Conv2d(1, 1, 1, **DEVICE_AND_DTYPE).bias.dtype == torch.float64


def test_a_program_derives_its_own_convolution_from_the_base_class():
    class Upsampled(nn.modules.conv._ConvNd):
        def __init__(self):
            super().__init__(4, 6, (3,), (2,), (1,), (1,), True, (0,), 2, False, padding_mode="zeros")

        def forward(self, x):
            return F.conv_transpose1d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)

    layer = Upsampled()
    assert (layer.weight.shape, layer.transposed, layer.bias) == ((4, 3, 3), True, None)
    assert layer(torch.rand(2, 4, 5)).shape == (2, 6, 9)


def test_a_program_derives_its_own_transposed_convolution_normalization_and_embedding():
    class Upsampled(nn.modules.conv._ConvTransposeNd):
        def __init__(self):
            super().__init__(4, 6, (3,), (2,), (1,), (1,), True, (0,), 2, False, padding_mode="zeros")

        def forward(self, x, size=None):
            extra = self._output_padding(x, size, self.stride, self.padding, self.kernel_size, 1)
            return F.conv_transpose1d(x, self.weight, self.bias, self.stride, self.padding, extra, self.groups)

    x = torch.rand(2, 4, 5)
    assert (Upsampled()(x).shape, Upsampled()(x, (2, 6, 10)).shape) == ((2, 6, 9), (2, 6, 10))

    class Normalized(nn.modules.instancenorm._InstanceNorm):
        def _check_input_dim(self, x):
            assert x.ndim in (3, 4)

        def _get_no_batch_dim(self):
            return 3

    x = torch.rand(2, 5, 4)
    assert torch.equal(Normalized(2)(x), nn.InstanceNorm2d(2)(x))

    class Embedding(nn.Embedding):
        def reset_parameters(self):
            nn.init.ones_(self.weight)
            self._fill_padding_idx_with_zero()

    assert Embedding(3, 1, padding_idx=1).weight.tolist() == [[1.0], [0.0], [1.0]]


@pytest.mark.parametrize(("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
@pytest.mark.parametrize("padding", [(2, 1), "same", "valid"])
def test_conv2d_pads_in_other_modes(mode, numpy_mode, padding):
    layer = nn.Conv2d(1, 1, (4, 3), padding=padding, padding_mode=mode)
    x = torch.randn(1, 1, 6, 5)
    before_and_after = {"same": ((1, 2), (1, 1)), "valid": ((0, 0), (0, 0)), (2, 1): ((2, 2), (1, 1))}[padding]
    padded = torch.tensor(np.pad(x.array, ((0, 0), (0, 0), *before_and_after), numpy_mode))
    assert torch.equal(layer(x), F.conv2d(padded, layer.weight, layer.bias))


def test_programs_set_the_padding_of_other_modes():
    layer, x = nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular", bias=False), torch.rand(1, 1, 4)
    both_sides, layer.padding = layer(x), 0
    assert torch.equal(layer(x), both_sides)  # as in PyTorch, it is read at construction
    layer._reversed_padding_repeated_twice = [2, 0]
    assert torch.equal(layer(x), F.conv1d(F.pad(x, (2, 0), mode="circular"), layer.weight))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((3, 4, 3, 1, 0, 1, 2), "in_channels must be divisible by groups, but 3 is not by 2"),
        ((4, 3, 3, 1, 0, 1, 2), "out_channels must be divisible by groups, but 3 is not by 2"),
        ((4, 3, 3, 1, 0, 1, 0), "groups must be a positive integer"),
        ((4, 3, 3, 1, "full"), "Invalid padding string 'full'"),
        ((4, 3, 3, 2, "same"), "padding='same' is not supported for strided convolutions"),
        ((4, 3, 3, 1, 0, 1, 1, True, "mirror"), "padding_mode must be one of"),
    ],
)
def test_wrong_settings_of_conv2d_raise(settings, message):
    with pytest.raises(ValueError, match=message):
        nn.Conv2d(*settings)


def test_pooling_layers_apply_their_settings():
    x = torch.randn(2, 3, 7, 7)
    assert torch.equal(nn.MaxPool2d(3, 2, 1, 1, False, True)(x), F.max_pool2d(x, 3, 2, 1, 1, True))
    values, indices = nn.MaxPool2d((2, 3), return_indices=True)(x)
    assert values.shape == indices.shape == (2, 3, 3, 2)
    assert torch.equal(nn.AvgPool2d(3, 2, 1, True, False, 5)(x), F.avg_pool2d(x, 3, 2, 1, True, False, 5))
    assert nn.AvgPool2d(2)(x[0]).shape == (3, 3, 3)


def test_flatten_and_unflatten():
    x = torch.randn(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, 1))(x).shape == (2, 3, 1, 4)
    assert nn.Unflatten(-1, [2, -1])(x).shape == (2, 3, 2, 2)
    with pytest.raises(RuntimeError, match=r"Provided sizes \[2, 3\] don't multiply up to the size of dim 1 \(3\)"):
        nn.Unflatten(1, (2, 3))(x)
    with pytest.raises(RuntimeError, match=r"Provided sizes \[2, -1\]"):
        nn.Unflatten(1, (2, -1))(x)
    with pytest.raises(RuntimeError, match="only one dimension can be inferred"):
        nn.Unflatten(1, (-1, -1))(x[:, :1])
    with pytest.raises(TypeError, match="must be tuple of ints, but found element of type float at pos 0"):
        nn.Unflatten(1, (2.0, 3))


def test_identity_takes_anything():
    assert nn.Identity(54, unused=0.1)("text") == "text"


def test_activation_layers_apply_their_functions():
    x = torch.tensor([[-1.0, 0.0, 2.0]])
    assert nn.ReLU()(x).tolist() == [[0, 0, 2]]
    assert torch.equal(nn.Tanh()(x), x.tanh())
    assert torch.equal(nn.Sigmoid()(x), x.sigmoid())
    assert nn.Softmax(1)(x).sum().item() == pytest.approx(1)
    assert torch.allclose(nn.LogSoftmax(dim=-1)(x).exp(), nn.Softmax(dim=-1)(x))
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        nn.Softmax()(x)


def test_relu_writes_in_place():
    x = torch.tensor([-1.0, 2.0])
    assert nn.ReLU(inplace=True)(x) is x
    assert x.tolist() == [0, 2]


def test_dropout_draws_in_training_and_returns_its_input_in_evaluation():
    x = torch.ones(1000)
    layer = nn.Dropout(0.25)
    torch.manual_seed(0)
    y = layer(x)
    assert sorted(set(y.tolist())) == pytest.approx([0, 4 / 3])
    assert 200 < (y == 0).sum().item() < 300
    torch.manual_seed(0)
    assert torch.equal(layer(x), y)
    layer.eval()
    assert layer(x) is x
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"dropout probability has to be between 0 and 1, but got {p}"):
            nn.Dropout(p)


def test_batch_norm_tracks_running_statistics():
    layer = nn.BatchNorm1d(2, momentum=0.5)
    x = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    assert torch.allclose(layer(x), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), atol=1e-4)
    assert layer.running_mean.tolist() == [1, 10]
    assert layer.running_var.tolist() == [1.5, 100.5]
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    y = layer(x)
    assert torch.allclose(y[:, 0], (x[:, 0] - 1) / math.sqrt(1.5 + 1e-5))
    assert layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert [b.tolist() for b in layer.buffers()] == [[0, 0], [1, 1], 0]


@pytest.mark.parametrize("truth", [1, np.bool_(True), "yes"])
def test_settings_that_are_only_tested_may_be_any_object(truth):
    norm, attention = nn.BatchNorm1d(2), nn.MultiheadAttention(4, 2, add_zero_attn=truth)
    norm.training = attention.training = truth
    x = torch.rand(3, 2, 4)
    assert torch.equal(norm(x), F.batch_norm(x, None, None, training=True))
    assert attention(x, x, x, need_weights=truth, average_attn_weights=truth)[1].shape == (2, 3, 4)
    assert nn.EmbeddingBag(4, 2, include_last_offset=truth)(torch.tensor([[0, 1]])).shape == (1, 2)


def test_batch_norm_without_momentum_averages_all_batches():
    layer = nn.BatchNorm1d(1, momentum=None)
    for values in ([[0.0], [2.0]], [[4.0], [6.0]], [[10.0], [14.0]]):
        layer(torch.tensor(values))
    assert layer.running_mean.item() == pytest.approx((1 + 5 + 12) / 3)
    assert layer.running_var.item() == pytest.approx((2 + 2 + 8) / 3)


def test_batch_norm_without_running_statistics_uses_the_batch_in_evaluation():
    layer = nn.BatchNorm2d(2, affine=False, track_running_stats=False).eval()
    assert list(layer.state_dict()) == []
    x = torch.randn(3, 2, 4, 4)
    assert abs(layer(x).mean().item()) < 1e-6
    assert nn.BatchNorm2d(2, bias=False).bias is None
    assert nn.BatchNorm1d(2, **DEVICE_AND_DTYPE).running_mean.dtype == torch.float64


def test_batch_norm_of_a_wrong_number_of_dimensions_raises():
    with pytest.raises(ValueError, match=r"expected 2D or 3D input \(got 4D input\)"):
        nn.BatchNorm1d(2)(torch.zeros(1, 2, 3, 4))
    layer = nn.BatchNorm2d(2)
    with pytest.raises(ValueError, match=r"expected 4D input \(got 3D input\)"):
        layer(torch.zeros(1, 2, 3))
    assert layer.num_batches_tracked.item() == 0


def test_loss_layers_apply_their_functions():
    logits, classes = torch.randn(4, 3), torch.tensor([0, 2, 1, -100])
    weight = torch.tensor([1.0, 2.0, 3.0])
    for reduction in ("mean", "sum", "none"):
        cross = nn.CrossEntropyLoss(weight, reduction=reduction, label_smoothing=0.1)
        expected = F.cross_entropy(logits, classes, weight, reduction=reduction, label_smoothing=0.1)
        assert torch.equal(cross(logits, classes), expected)
        nll = nn.NLLLoss(weight, ignore_index=2, reduction=reduction)
        classes[3] = 0
        expected = F.nll_loss(logits, classes, weight, ignore_index=2, reduction=reduction)
        assert torch.equal(nll(logits, classes), expected)
        mse = nn.MSELoss(reduction=reduction)
        assert torch.equal(mse(logits, 2 * logits), F.mse_loss(logits, 2 * logits, reduction=reduction))
        targets, options = (logits > 0).float(), {"pos_weight": weight + 1, "reduction": reduction}
        bce = nn.BCEWithLogitsLoss(weight, **options)
        expected = F.binary_cross_entropy_with_logits(logits, targets, weight, **options)
        assert torch.equal(bce(logits, targets), expected)
    assert list(bce.state_dict()) == ["weight", "pos_weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


def test_losses_take_the_deprecated_reduction_arguments():
    for old, new in (((False,), "sum"), ((None, False), "none"), ((True, True), "mean")):
        with pytest.warns(UserWarning, match=f"please use reduction='{new}' instead"):
            assert nn.MSELoss(*old).reduction == new


def test_one_hot_encodes_classes_and_raises_for_wrong_ones():
    assert F.one_hot(torch.tensor([[0, 2]]), 3).tolist() == [[[1, 0, 0], [0, 0, 1]]]
    assert F.one_hot(torch.tensor([1])).dtype == torch.int64
    assert F.one_hot(torch.zeros(0, dtype=torch.int64), 3).shape == (0, 3)
    for classes, count, message in (
        (torch.tensor([1.0]), 3, "LongTensor"),
        (torch.tensor([3]), 3, "smaller than num_classes: there are 3 to 3"),
        (torch.tensor([-1]), -1, "non-negative: there are -1 to -1"),
        (torch.zeros(0, dtype=torch.int64), -1, "empty"),
    ):
        with pytest.raises(RuntimeError, match=message):
            F.one_hot(classes, count)


def test_functional_relu_writes_in_place_but_not_to_leaves():
    x = torch.tensor([-1.0, 2.0])
    assert F.relu(x, inplace=True) is x
    assert F.relu_(torch.tensor([-1.0])).item() == 0
    weight = nn.Parameter(x)
    with pytest.raises(RuntimeError, match="leaf"):
        F.relu(weight, inplace=True)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.BatchNorm1d(2), (1, 2, 3, 3), "BatchNorm1d (1): expected 2D or 3D input (got 4D input)"),
        (nn.SyncBatchNorm(2), (2,), "SyncBatchNorm (1): expected at least 2D input (got 1D input)"),
        (nn.InstanceNorm2d(3, affine=True), (2, 2, 3, 3), "InstanceNorm2d (1): expected input's size at dim=1 to"),
        (nn.Softmax2d(), (2, 2), "Softmax2d (1): expected input to be 3D or 4D, got 2D instead"),
        (nn.CircularPad2d(1), (2, 2), "CircularPad2d (1): expected 3D or 4D input (got 2D input)"),
        (nn.CrossMapLRN2d(3), (2, 2), "CrossMapLRN2d (1): expected input to be 4D, got 2D instead"),
        (nn.Unflatten(1, (2, 2)), (2, 3), "unflatten (1): Provided sizes [2, 2] don't multiply up"),
        (nn.LazyConv1d(2, 1), (2,), "LazyConv1d (1): expected 2D (unbatched) or 3D (batched) input"),
    ],
)
def test_errors_name_the_layer_and_its_path(layer, shape, message):
    net = nn.Sequential(nn.Identity(), layer)
    with pytest.raises((RuntimeError, ValueError)) as error:
        net(torch.zeros(shape))
    assert message in str(error.value)


def test_data_parallel_calls_its_module():
    layer = nn.Linear(2, 3)
    net = nn.DataParallel(layer, device_ids=[0, 1])
    x = torch.randn(4, 2)
    assert torch.equal(net(x), layer(x))
    assert net.module is layer
    assert list(net.state_dict()) == ["module.weight", "module.bias"]


def test_cross_map_lrn_has_first_and_second_derivatives():
    x = torch.randn(2, 6, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(nn.CrossMapLRN2d(3, 1.0), (x,))
    assert torch.autograd.gradgradcheck(nn.CrossMapLRN2d(3, 1.0), (x,))


@pytest.mark.parametrize("name", sorted(name for name, cls in vars(nn).items() if isinstance(cls, type)))
def test_an_error_about_arguments_names_the_layer(name):
    cls = getattr(nn, name)
    if issubclass(cls, nn.Module) and cls is not nn.Identity:  # which takes any arguments
        with pytest.raises(TypeError, match=r"^(?!_)\w+(\.__init__)?\(\) "):
            cls(no_such_argument=1)


LOOKED_UP = {
    "dropout": nn.Dropout(), "dropout1d": nn.Dropout1d(), "dropout2d": nn.Dropout2d(), "dropout3d": nn.Dropout3d(),
    "conv1d": nn.Conv1d(1, 1, 1), "conv2d": nn.Conv2d(1, 1, 1), "conv3d": nn.Conv3d(1, 1, 1),
    "conv_transpose1d": nn.ConvTranspose1d(1, 1, 1), "conv_transpose2d": nn.ConvTranspose2d(1, 1, 1),
    "conv_transpose3d": nn.ConvTranspose3d(1, 1, 1), "max_pool1d": nn.MaxPool1d(1), "max_pool2d": nn.MaxPool2d(1),
    "max_pool3d": nn.MaxPool3d(1), "avg_pool1d": nn.AvgPool1d(1), "avg_pool2d": nn.AvgPool2d(1),
    "avg_pool3d": nn.AvgPool3d(1), "lp_pool1d": nn.LPPool1d(2, 1), "lp_pool2d": nn.LPPool2d(2, 1),
    "lp_pool3d": nn.LPPool3d(2, 1), "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d(1),
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d(1), "adaptive_avg_pool3d": nn.AdaptiveAvgPool3d(1),
    "adaptive_max_pool1d": nn.AdaptiveMaxPool1d(1), "adaptive_max_pool2d": nn.AdaptiveMaxPool2d(1),
    "adaptive_max_pool3d": nn.AdaptiveMaxPool3d(1), "relu": nn.ReLU(), "linear": nn.Linear(1, 1),
    "fractional_max_pool2d": nn.FractionalMaxPool2d(1, 1), "fractional_max_pool3d": nn.FractionalMaxPool3d(1, 1),
    "max_unpool1d": nn.MaxUnpool1d(1), "max_unpool2d": nn.MaxUnpool2d(1), "max_unpool3d": nn.MaxUnpool3d(1),
    "pairwise_distance": nn.PairwiseDistance(), "cosine_similarity": nn.CosineSimilarity(),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKED_UP)
def test_layers_call_what_programs_put_in_the_place_of_their_function(name, monkeypatch):
    monkeypatch.setattr(F, name, lambda *args, **options: "replaced")
    x = torch.ones(1, 1, 1, 1)
    assert LOOKED_UP[name](*[x] * (2 if name[:5] in ("max_u", "pairw", "cosin") else 1)) == "replaced"


class _Doubled(nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


def _evaluate_encoder_layer(change, grad_enabled=False):
    """An encoder layer's result in evaluation, after a change to the layer that may return a handle to undo it."""
    torch.manual_seed(0)
    layer, x = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.randn(2, 3, 8)
    handle = change(layer)
    with torch.set_grad_enabled(grad_enabled):
        out = layer(x)
    if handle is not None:
        handle.remove()
    return out


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: None,
        lambda layer: setattr(layer, "norm_first", True),
        lambda layer: setattr(layer, "linear2", _Doubled(16, 8)),
        lambda layer: layer.linear2.register_forward_hook(lambda module, args, out: 2 * out),
        lambda layer: nn.modules.module.register_module_forward_hook(
            lambda module, args, out: 2 * out if module is layer.linear2 else out
        ),
        lambda layer: setattr(layer, "activation", torch.tanh),
    ],
)
def test_an_encoder_layer_computes_the_same_on_bare_arrays_or_calls_its_changed_parts(change):
    assert _evaluate_encoder_layer(change).allclose(_evaluate_encoder_layer(change, grad_enabled=True), atol=1e-6)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("inputs", ["query", "query key", "query key value"])
def test_attention_without_a_graph_gives_the_values_and_strides_of_one_with_a_graph(inputs, batch_first):
    torch.manual_seed(0)
    shapes = {"query": (4, 3, 8), "key": (5, 3, 8), "value": (5, 3, 8)}
    given = [torch.randn(shapes[name]) for name in inputs.split()]
    given = [x.transpose(0, 1).contiguous() if batch_first else x for x in given]
    given += [given[-1]] * (3 - len(given))
    layer, keys = nn.MultiheadAttention(8, 2, batch_first=batch_first).eval(), 4 if inputs == "query" else 5
    nn.init.normal_(layer.in_proj_bias)
    masked, of_heads = torch.full((4, keys), -math.inf).triu(1), torch.randn(6, 4, keys)
    no_first = torch.ones(4, keys, dtype=torch.bool).tril(-1).logical_not()  # the first query has no key
    padding = torch.zeros(3, keys).index_fill(1, torch.tensor([2]), -math.inf)
    for options in (
        {"need_weights": False}, {"average_attn_weights": False}, {"attn_mask": masked, "key_padding_mask": padding},
        {"attn_mask": of_heads}, {"attn_mask": masked, "is_causal": True, "need_weights": False},
        *([{"attn_mask": no_first, "need_weights": False}] if inputs != "query" else ()),
    ):  # fmt: skip
        expected = layer(*given, **options)
        with torch.no_grad():
            results = layer(*given, **options)
        for result, other in zip(results, expected, strict=True):
            if other is not None:
                assert result.allclose(other, atol=1e-6)
                fast = inputs == "query" and batch_first and "attn_mask" not in options
                assert result.stride() == other.stride() or fast  # PyTorch's kernel
                assert not result.requires_grad


def test_attention_without_a_graph_calls_what_programs_put_in_the_place_of_its_function(monkeypatch):
    monkeypatch.setattr(F, "multi_head_attention_forward", lambda *args, **options: (args[0], "replaced"))
    with torch.no_grad():
        assert nn.MultiheadAttention(4, 2)(*[torch.ones(2, 1, 4)] * 3)[1] == "replaced"


class _Counted(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x


@pytest.mark.parametrize("grad_enabled", [False, True])
def test_attention_reads_a_parametrized_weight_once(grad_enabled):
    layer, counted = nn.MultiheadAttention(4, 2), _Counted()
    nn.utils.parametrize.register_parametrization(layer.out_proj, "weight", counted)
    before, x = counted.calls, torch.ones(2, 1, 4)
    with torch.set_grad_enabled(grad_enabled):
        layer(x, x, x)
    assert counted.calls == before + 1  # in training, spectral_norm iterates at each reading


def test_attention_without_a_graph_names_a_mask_that_is_no_tensor():
    x = torch.ones(2, 1, 4)
    with torch.no_grad(), pytest.raises(TypeError, match=r"'attn_mask' .* must be Tensor, not list"):
        nn.MultiheadAttention(4, 2)(x, x, x, attn_mask=[[False]])


def test_kernels_of_copied_layers_raise_what_they_cannot_do():
    attention, x = nn.MultiheadAttention(4, 2), torch.ones(1, 3, 4)
    out = attention.out_proj
    projections = attention.in_proj_weight, attention.in_proj_bias, out.weight, out.bias
    with pytest.raises(RuntimeError, match="derivative for '_native_multi_head_attention' is not implemented"):
        torch._native_multi_head_attention(x, x, x, 4, 2, *projections)
    with torch.no_grad(), pytest.raises(RuntimeError, match="key and value must be query"):
        torch._native_multi_head_attention(x, x + 1, x, 4, 2, *projections)
    layer = nn.TransformerEncoderLayer(4, 2, 6)
    rest = [p for part in (layer.norm1, layer.norm2, layer.linear1, layer.linear2) for p in part.parameters()]
    with pytest.raises(RuntimeError, match="derivative for '_transformer_encoder_layer_fwd' is not implemented"):
        torch._transformer_encoder_layer_fwd(x, 4, 2, *projections, False, False, 1e-5, *rest)


def test_transformer_encoder_gives_its_layers_masks_of_one_dtype():
    class Seen(nn.TransformerEncoderLayer):
        def forward(self, src, src_mask, src_key_padding_mask, is_causal):
            seen.append((src_mask, src_key_padding_mask))
            return super().forward(src, src_mask, src_key_padding_mask, is_causal)

    seen: list = []
    net = nn.TransformerEncoder(Seen(4, 2, 6, batch_first=True), 2, enable_nested_tensor=False)
    causal, padding = nn.Transformer.generate_square_subsequent_mask(3), torch.tensor([[False, False, True]])
    with pytest.warns(UserWarning, match="mismatched src_key_padding_mask and mask is") as warned:
        net(torch.ones(1, 3, 4), causal, padding)
    assert len(warned) == 1
    assert all(mask is causal and pad.tolist() == [[0, 0, -math.inf]] for mask, pad in seen)

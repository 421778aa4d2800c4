"""Programs that call torch.nn.functional, run by both libraries: values, derivatives, draws and errors.

op_db covers the operations in their usual forms; this file has arguments, shapes and forms that it lacks.
"""

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

TOLERANCE = {4: 3e-5, 8: 1e-8}
rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


def positive(*shape):
    return np.abs(normal(*shape)) + 0.5


def run(lib, program, arrays, dtype, second):
    """A program's results, their derivatives and (if `second`) second derivatives, and the next random number."""
    lib.manual_seed(5)
    inputs = [lib.tensor(a.astype(dtype)).requires_grad_() if a.dtype == float else lib.tensor(a) for a in arrays]
    outs = program(lib, lib.nn.functional, *inputs)
    outs = list(outs) if isinstance(outs, tuple) else [outs]
    differentiable = [y for y in outs if y.requires_grad]
    leaves = [x for x in inputs if x.requires_grad]
    found = [y.detach().numpy() for y in outs]
    if differentiable:
        fixed = np.random.default_rng(1)
        seeds = [lib.tensor(fixed.standard_normal(tuple(y.shape)).astype(dtype)) for y in differentiable]
        first = lib.autograd.grad(differentiable, leaves, seeds, allow_unused=True, create_graph=second)
        found += [None if g is None else g.detach().numpy() for g in first]
        if second:
            squares = [(g * g).sum() for g in first if g is not None and g.requires_grad]
            found += lib.autograd.grad(squares, leaves, allow_unused=True) if squares else [None] * len(leaves)
    options = {"force": True} if lib is torch else {}  # resolves PyTorch's lazily filled zeros
    return [x.numpy(**options) if hasattr(x, "numpy") else x for x in [*found, lib.rand(1)]]


def agree(program, *arrays, second=True):
    """Assert that both libraries give the same for the arrays in float64 and float32."""
    for dtype in ("float64", "float32"):
        theirs, ours = (run(lib, program, arrays, dtype, second) for lib in (torch, microgad))
        for i, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            if a is None or b is None:  # one may have None and the other zeros if nothing depends on the input
                assert not any(x is not None and x.any() for x in (a, b)), i
                continue
            assert (a.shape, a.dtype) == (b.shape, b.dtype), i
            tolerance = TOLERANCE.get(a.dtype.itemsize, 0) if a.dtype.kind == "f" else 0
            scale = max(1, np.abs(a[np.isfinite(a)]).max(initial=0)) if a.dtype.kind == "f" else 1
            np.testing.assert_allclose(b, a, tolerance, tolerance * scale, err_msg=f"result {i}")


def raises(error, program, *arrays):
    """Assert that the program raises `error` in both libraries."""
    for lib in (torch, microgad):
        with pytest.raises(error):
            run(lib, program, arrays, "float64", False)


ACTIVATIONS = {
    "leaky_relu": {}, "elu": {"alpha": 0.7}, "selu": {}, "celu": {"alpha": 2.0}, "hardswish": {}, "hardsigmoid": {},
    "hardtanh": {"min_val": -0.5, "max_val": 2.0}, "relu6": {}, "silu": {}, "mish": {},
    "threshold": {"threshold": 0.2, "value": 3.0},
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_in_place(name):
    options = ACTIVATIONS[name]
    x = 4 * normal(3, 4)
    agree(lambda lib, F, x: getattr(F, name)(x * 1, inplace=True, **options), x, second=False)

    def in_a_view(lib, F, x):
        y = x * 1
        getattr(F, name)(y[1:], inplace=True, **options)
        return y

    agree(in_a_view, x, second=False)
    raises(RuntimeError, lambda lib, F, x: getattr(F, name)(x, inplace=True, **options), x)
    if f"{name}_" in dir(torch):
        agree(lambda lib, F, x: getattr(lib, f"{name}_")(x * 1, *options.values()), x, second=False)


@pytest.mark.parametrize("name", ["elu", "gelu", "silu", "mish", "softplus", "logsigmoid", "hardswish", "leaky_relu"])
def test_activations_that_reject_integers(name):
    raises(RuntimeError, lambda lib, F, x: getattr(F, name)(x), np.arange(3))


def test_activations_that_accept_integers():
    for program in (
        lambda lib, F, x: F.hardtanh(x, -1, 2), lambda lib, F, x: F.relu6(x), lambda lib, F, x: F.softsign(x),
        lambda lib, F, x: F.tanhshrink(x), lambda lib, F, x: F.threshold(x, 1, 20),
    ):  # fmt: skip
        agree(program, np.arange(-3, 9))


KINKS = {
    "hardtanh": [-1, 1], "relu6": [0, 6], "hardswish": [-3, 3], "softshrink": [-0.5, 0.5], "hardshrink": [-0.5, 0.5],
    "leaky_relu": [0], "elu": [0], "selu": [0], "celu": [0],
}  # fmt: skip


@pytest.mark.parametrize("name", KINKS)
def test_derivatives_of_activations_at_kinks(name):
    agree(lambda lib, F, x: getattr(F, name)(x), np.array(KINKS[name], float))


@pytest.mark.parametrize("p", [0, 0.2, 0.5, 1])
def test_dropouts_draw_as_pytorchs(p):
    matrix, batch, image, volume = normal(4, 6), normal(2, 3, 4), normal(2, 4, 3, 3), normal(2, 3, 2, 2, 2)
    for x in (matrix, batch):
        agree(lambda lib, F, x: F.dropout1d(x, p), x)
        agree(lambda lib, F, x: F.dropout1d(x * 1, p, inplace=True), x)
    for x in (image, volume):
        agree(lambda lib, F, x: F.dropout3d(x, p), x)
        agree(lambda lib, F, x: F.dropout3d(x * 1, p, inplace=True), x)
    agree(lambda lib, F, x: F.dropout2d(x, p), image)
    for name in ("alpha_dropout", "feature_alpha_dropout"):
        agree(lambda lib, F, x, name=name: getattr(F, name)(x, p, True), image)
        agree(lambda lib, F, x, name=name: getattr(F, name)(x, p), image)
        agree(lambda lib, F, x, name=name: getattr(F, name)(x * 1, p, True, True), image)
        agree(lambda lib, F, x, name=name: getattr(lib, name)(x, p, True), image)
    agree(lambda lib, F, x: lib.feature_dropout(x, p, True), batch)
    agree(lambda lib, F, x: lib.native_dropout(x, p, True), matrix)
    agree(lambda lib, F, x: lib.dropout(x.transpose(0, 1), p, True), matrix)


@pytest.mark.filterwarnings("ignore:dropout2d")
def test_dropouts_of_unexpected_dimensions():
    agree(lambda lib, F, x: F.dropout2d(x), normal(2, 3, 4))
    raises(RuntimeError, lambda lib, F, x: F.dropout1d(x), normal(2, 3, 4, 5))
    raises(ValueError, lambda lib, F, x: F.dropout1d(x, 1.5), normal(2, 3, 4))


def test_random_activations_draw_as_pytorchs():
    x = normal(4, 6)
    agree(lambda lib, F, x: F.rrelu(x.transpose(0, 1), 0.1, 0.4, True), x)
    agree(lambda lib, F, x: F.rrelu(x * 1, training=True, inplace=True), x)
    agree(lambda lib, F, x: F.rrelu(x), x)
    for hard in (False, True):
        agree(lambda lib, F, x, hard=hard: F.gumbel_softmax(x, 0.7, hard, dim=0), x)


REDUCTIONS = [
    {"reduction": "none"}, {"reduction": "sum"}, {"reduction": "mean"}, {"size_average": False}, {"reduce": False},
    {"size_average": True, "reduce": True},
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", REDUCTIONS, ids=str)
def test_losses_equal_pytorchs_with_gradients(options):
    x, y, z, sign = normal(4, 6), normal(4, 6), normal(4, 6), np.sign(normal(4, 6))
    for name in ("smooth_l1_loss", "kl_div", "poisson_nll_loss"):
        agree(lambda lib, F, x, y, name=name: getattr(F, name)(x, y, **options), x, positive(4, 6))
    for name in ("soft_margin_loss", "hinge_embedding_loss"):
        agree(lambda lib, F, x, y, name=name: getattr(F, name)(x, y.detach(), **options), x, sign)
    agree(lambda lib, F, x, y, t: F.margin_ranking_loss(x, y, t.detach(), 0.3, **options), x, y, sign)
    agree(lambda lib, F, *x: F.triplet_margin_loss(*x, swap=True, p=3, **options), x, y, z)
    agree(lambda lib, F, x, t: F.multi_margin_loss(x, t, **options), x, np.array([0, 3, 5, 1]), second=False)
    agree(lambda lib, F, x, t: F.multi_margin_loss(x[0], t, 2, 0.5, **options), x, np.array(2), second=False)
    labels = np.array([[3, 0, -1, 1, 2, 5], [-1] * 6, [0, 1, 2, 3, 4, 5], [2, 2, -1, 0, 0, 0]])
    agree(lambda lib, F, x, t: F.multilabel_margin_loss(x, t, **options), x, labels, second=False)
    agree(lambda lib, F, x, t: F.multilabel_margin_loss(x[0], t[0], **options), x, labels, second=False)
    agree(lambda lib, F, x, t: F.multilabel_soft_margin_loss(x, (t > 0).to(x.dtype), **options), x, sign)
    agree(lambda lib, F, x, y, t: F.cosine_embedding_loss(x, y, t, 0.3, **options), x, y, np.array([1, -1, 1, -1]))
    agree(lambda lib, F, x, y, t: F.cosine_embedding_loss(x[0], y[0], t, **options), x, y, np.array(1))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_likelihoods_equal_pytorchs_with_gradients(full, reduction):
    x, y = normal(4, 6), normal(4, 6)
    for variance in (positive(4, 1), positive(4), positive(4, 6), positive(4, 6) * 1e-7):
        agree(lambda lib, F, x, y, v: F.gaussian_nll_loss(x, y, v, full, reduction=reduction), x, y, variance)
    agree(lambda lib, F, x, y: F.gaussian_nll_loss(x, y, 0.5, full, reduction=reduction), x, y)
    counts = np.floor(3 * positive(4, 6))
    for log_input in (False, True):
        agree(
            lambda lib, F, x, t, log_input=log_input: F.poisson_nll_loss(
                x, t.detach(), log_input, full, reduction=reduction
            ),
            positive(4, 6),
            counts,
        )
    raises(ValueError, lambda lib, F, x: F.gaussian_nll_loss(x, x, -x * x), x)
    raises(ValueError, lambda lib, F, x: F.gaussian_nll_loss(x, x, (x * x)[:2]), x)


@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_ctc_loss_equals_pytorchs_with_gradients(reduction, zero_infinity):
    x, targets = normal(7, 3, 5), rng.integers(1, 5, (3, 3))
    options = {"reduction": reduction, "zero_infinity": zero_infinity}
    for lengths, sizes in (((7, 5, 2), (3, 2, 3)), ((7, 5, 6), (3, 2, 0))):
        for f in (lambda F, x: F.log_softmax(x, 2), lambda F, x: x):
            agree(
                lambda lib, F, x, t, f=f, lengths=lengths, sizes=sizes: F.ctc_loss(
                    f(F, x), t, lengths, sizes, **options
                ),
                x,
                targets,
                second=False,
            )

    def concatenated_targets(lib, F, x, t):
        return F.ctc_loss(x, t.reshape(-1)[:6] - 1, lib.tensor([7, 5, 7]), lib.tensor([3, 2, 1]), 4, **options)

    def unbatched(lib, F, x, t):
        return F.ctc_loss(x[:, 0], t[0], lib.tensor(7), lib.tensor(3), **options)

    agree(concatenated_targets, x, targets, second=False)
    agree(unbatched, x, targets, second=False)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_gradient_of_an_infinite_ctc_loss(zero_infinity, create_graph):
    def gradient(t):
        x = t.zeros(3, 2, 3, requires_grad=True)
        loss = t.nn.functional.ctc_loss(
            x.log_softmax(2), t.tensor([[1, 1], [1, 2]]), (2, 3), (2, 2), reduction="sum", zero_infinity=zero_infinity
        )
        return t.autograd.grad(loss, x, create_graph=create_graph)[0].numpy(force=True)

    np.testing.assert_allclose(gradient(microgad), gradient(torch), 1e-5, 1e-6)


def test_ctc_loss_errors():
    x, targets = normal(7, 3, 5), rng.integers(1, 5, (3, 3))
    for lengths, sizes, blank in (
        ((8, 5, 2), (3, 2, 3), 0), ((7, 5), (3, 2, 3), 0), ((7, 5, 2), (3, 2, 4), 0), ((7, 5, 2), (3, 2, 3), 9),
    ):  # fmt: skip
        raises(
            RuntimeError,
            lambda lib, F, x, t, a=(lengths, sizes, blank): F.ctc_loss(x, t, *a),
            x,
            targets,
        )
    raises(RuntimeError, lambda lib, F, x, t: F.ctc_loss(x, t.reshape(-1), (7, 5, 2), (3, 2, 3)), x, targets)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
def test_float32_masks_and_weights_with_float64_inputs():
    agree(
        lambda lib, F, x: F.scaled_dot_product_attention(x, x, x, attn_mask=lib.arange(9.0).reshape(3, 3)),
        normal(2, 3, 4),
    )
    agree(lambda lib, F, x: F.rms_norm(x, (4,), lib.arange(4.0)), normal(3, 4))


def test_normalizations_equal_pytorchs_with_gradients():
    x, weight, bias = normal(2, 4, 3, 3), normal(4), normal(4)
    for groups in (1, 2, 4):
        agree(lambda lib, F, x, w, b, groups=groups: F.group_norm(x, groups, w, b), x, weight, bias)
    agree(lambda lib, F, x, w, b: F.instance_norm(x, weight=w, bias=b), x, weight, bias)
    agree(lambda lib, F, x, w, b: lib.batch_norm(x, w, b, None, None, True, 0.1, 1e-5, True), x, weight, bias)
    agree(lambda lib, F, x, b: F.layer_norm(x, [3, 3], None, b), x, normal(3, 3), second=False)
    agree(lambda lib, F, x: F.rms_norm(x, (3, 3), eps=0.1), x, second=False)
    for size in (1, 2, 5):
        for y in (x, normal(2, 4, 3), normal(2, 4, 2, 2, 2)):
            agree(lambda lib, F, x, size=size: F.local_response_norm(x, size, 0.1, 0.6, 1.5), y)

    def with_running_statistics(lib, F, x, mean, var, use_input_stats):
        mean, var = mean.detach(), var.detach()
        return F.instance_norm(x, mean, var, use_input_stats=use_input_stats, momentum=0.3), mean, var

    for training in (True, False):
        agree(lambda *args, training=training: with_running_statistics(*args, training), x, normal(4), positive(4))
    raises(ValueError, lambda lib, F, x: F.instance_norm(x), normal(2, 3, 1))
    raises(RuntimeError, lambda lib, F, x: F.group_norm(x, 3), x)
    raises(RuntimeError, lambda lib, F, x: F.layer_norm(x, (4,)), x)


def test_distances_equal_pytorchs_with_gradients():
    x, y = normal(4, 6), normal(4, 6)
    for p in (0, 1, 2, 3, float("inf")):
        agree(lambda lib, F, x, y, p=p: F.pairwise_distance(x, y, p, keepdim=True), x, y)
        agree(lambda lib, F, x, p=p: F.pdist(x, p), x, second=False)
    agree(lambda lib, F, x: F.pdist(lib.cat([x, x])), x, second=False)
    agree(lambda lib, F, x, y: F.cosine_similarity(x[:, None], y[None], -1), x, y)
    agree(lambda lib, F, x: F.normalize(x * 0), x, second=False)
    agree(lambda lib, F, x: F.normalize(x, 3, (0, 1)), x)
    for lib in (microgad, torch):
        with pytest.raises(RuntimeError):
            lib.nn.CosineSimilarity()(lib.ones(2, 3), lib.ones(3, 2))


EMBEDDINGS = [{}, {"padding_idx": 2}, {"padding_idx": -1}, {"scale_grad_by_freq": True}]


@pytest.mark.parametrize("options", EMBEDDINGS, ids=str)
def test_embedding_equals_pytorchs_with_gradients(options):
    weight = normal(7, 3)
    for index in (rng.integers(0, 7, (4, 5)), rng.integers(0, 7, 300), np.array(3), rng.integers(0, 7, (0, 2))):
        second = "scale_grad_by_freq" not in options
        agree(lambda lib, F, i, w: F.embedding(i, w, **options), index, weight, second=second)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_embedding_with_max_norm(norm_type):
    def program(lib, F, index, weight):
        weight = weight.detach().clone()
        return F.embedding(index, weight, max_norm=1.0, norm_type=norm_type), weight

    agree(program, rng.integers(0, 7, (2, 2)), normal(7, 3))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_embedding_bag_equals_pytorchs_with_gradients(mode, padding_idx):
    options = {"mode": mode, "padding_idx": padding_idx}
    flat, weight = rng.integers(0, 7, 9), normal(7, 3)
    for offsets, last in (([0, 0, 3, 3, 6], False), ([0, 2, 9], True)):
        agree(
            lambda lib, F, i, w, o, last=last: F.embedding_bag(i, w, o, include_last_offset=last, **options),
            flat,
            weight,
            np.array(offsets),
            second=False,
        )
    agree(lambda lib, F, i, w: F.embedding_bag(i, w, **options), rng.integers(0, 7, (4, 5)), weight, second=False)
    agree(lambda lib, F, i, w: F.embedding_bag(i[:0], w, i[:2] * 0, **options), flat, weight, second=False)
    if mode == "sum":
        agree(
            lambda lib, F, i, w, p: F.embedding_bag(i, w, per_sample_weights=p, **options),
            rng.integers(0, 7, (4, 5)),
            weight,
            normal(4, 5),
            second=False,
        )


def test_embedding_raises_pytorchs_classes_of_errors():
    weight, index = normal(7, 3), rng.integers(0, 7, 9)
    raises(IndexError, lambda lib, F, i, w: F.embedding(i + 7, w), index, weight)
    raises(IndexError, lambda lib, F, i, w: F.embedding(i - 7, w), index, weight)
    raises(AssertionError, lambda lib, F, i, w: F.embedding(i, w, 7), index, weight)
    raises(ValueError, lambda lib, F, i, w: F.embedding_bag(i, w), index, weight)
    raises(ValueError, lambda lib, F, i, w: F.embedding_bag(i, w, i[:1] * 0, mode="median"), index, weight)
    raises(RuntimeError, lambda lib, F, i, w: F.embedding_bag(i, w, i[:1] * 0 + 1), index, weight)


def test_scaled_dot_product_attention():
    q, k, v = normal(2, 4, 5, 6), normal(2, 4, 7, 6), normal(2, 4, 7, 3)
    mask = rng.random((5, 7)) > 0.4
    mask[1] = False  # all keys are masked
    for options in ({}, {"is_causal": True}, {"scale": 0.3}, {"dropout_p": 0.4}):
        agree(lambda lib, F, *qkv, o=options: F.scaled_dot_product_attention(*qkv, **o), q, k, v)
    agree(lambda lib, F, q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), q, k, v, mask, second=False)
    agree(lambda lib, F, q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), q, k, v, normal(2, 1, 5, 7))
    agree(lambda lib, F, q, k, v: F.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True), q, k, v)
    agree(lambda lib, F, q, k, v: F.scaled_dot_product_attention(q[0, 0], k[0, 0], v[0, 0]), q, k, v)
    raises(RuntimeError, lambda lib, F, q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), q, k, v, mask * 1)
    raises(RuntimeError, lambda lib, F, q, k, v: F.scaled_dot_product_attention(q, k[:, :2], v[:, :2]), q, k, v)
    attend = lambda lib, F, q, k, m: F.scaled_dot_product_attention(q, k, k, m, is_causal=True)  # noqa: E731
    for m in (mask, normal(5, 7)):
        agree(lambda lib, F, q, k, m: attend(lib, F, q, k, m.detach()), q, k, m, second=False)
    raises(RuntimeError, attend, q, k, normal(5, 7))  # a mask that requires grad
    detached = lambda lib, F, q, k, v, m: F.scaled_dot_product_attention(q, k, v, m.detach(), is_causal=True)  # noqa: E731
    raises(RuntimeError, detached, q, k, k, normal(4, 5, 7))  # PyTorch's fused kernel takes no mask of three dimensions
    raises(RuntimeError, detached, q, k, k[..., :2], normal(5, 7))


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("masks", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("more", [(False, False), (True, True)])
def test_multi_head_attention(more, masks, need_weights):
    padded = rng.random((3, 5)) > 0.7
    padded[:, 0] = False
    arrays = [normal(4, 3, 6), normal(5, 3, 6), normal(18, 6), normal(18), normal(6, 6), normal(6), normal(1, 1, 6)]

    def program(lib, F, q, k, w, b, out, out_bias, extra, padded, mask):
        zeros, biases = more
        extra = (extra, extra) if biases else (None, None)
        found = F.multi_head_attention_forward(
            q, k, k, 6, 2, w, b, *extra, zeros, 0.3, out, out_bias, need_weights=need_weights,
            key_padding_mask=padded if masks[0] else None, attn_mask=mask if masks[1] else None,
        )  # fmt: skip
        return found if need_weights else found[0]

    agree(program, *arrays, padded, np.triu(np.ones((4, 5), bool), 2), second=False)


def test_multi_head_attention_without_batch_and_with_its_own_projections():
    arrays = [normal(4, 3, 6), normal(5, 3, 6), normal(18, 6), normal(18), normal(6, 6)]

    def unbatched(lib, F, q, k, w, b, out):
        return F.multi_head_attention_forward(
            q[:, 0], k[:, 0], k[:, 0], 6, 2, w, b, None, None, False, 0.0, out, None, average_attn_weights=False
        )

    def separate(lib, F, q, k, w, b, out):
        return F.multi_head_attention_forward(
            q, k, k, 6, 2, None, b, None, None, False, 0.0, out, None, use_separate_proj_weight=True,
            q_proj_weight=w[:6], k_proj_weight=w[6:12], v_proj_weight=w[12:],
        )  # fmt: skip

    agree(unbatched, *arrays, second=False)
    agree(separate, *arrays, second=False)
    raises(
        AssertionError,
        lambda lib, F, q, k, w, b, out: F.multi_head_attention_forward(
            q, k, k, 6, 4, w, b, None, None, False, 0.0, out, None
        ),
        *arrays,
    )


def test_pixel_and_channel_shuffles_and_bilinear():
    x = normal(2, 4, 2, 2)
    for r in (1, 2):
        agree(lambda lib, F, x, r=r: F.pixel_shuffle(x, r), x)
        agree(lambda lib, F, x, r=r: F.pixel_unshuffle(x[0], r), x)
        agree(lambda lib, F, x, r=r: F.channel_shuffle(x, r), x)
    agree(lambda lib, F, *args: F.bilinear(*args), normal(2, 3, 4), normal(2, 3, 5), normal(6, 4, 5), normal(6))
    agree(lambda lib, F, *args: F.bilinear(*args), normal(4), normal(5), normal(6, 4, 5))
    raises(RuntimeError, lambda lib, F, x: F.pixel_shuffle(x, 3), x)
    raises(RuntimeError, lambda lib, F, x: F.channel_shuffle(x, 3), x)


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_losses_in_the_torch_namespace_take_integers_for_reduction(reduction):
    x, t = normal(4, 6), np.sign(normal(4, 6))
    for program in (
        lambda lib, F, x, t: lib.hinge_embedding_loss(x, t.detach(), 1.0, reduction),
        lambda lib, F, x, t: lib.kl_div(x, t.detach().abs(), reduction),
        lambda lib, F, x, t: lib.binary_cross_entropy_with_logits(x, t.abs(), None, None, reduction),
        lambda lib, F, x, t: lib.poisson_nll_loss(x, t.detach().abs(), True, False, 1e-8, reduction),
        lambda lib, F, x, t: lib.margin_ranking_loss(x, x * x, t.detach(), 0.1, reduction),
        lambda lib, F, x, t: lib.triplet_margin_loss(x, t, t * 2, reduction=reduction),
    ):
        agree(program, x, t)


def test_second_derivative_of_cross_entropy_with_uint8_targets():
    for reduction in ("none", "mean"):
        agree(
            lambda lib, F, x, y, reduction=reduction: F.cross_entropy(x, y, reduction=reduction),
            normal(3, 4), np.array([3, 0, 1], np.uint8),
        )  # fmt: skip


def test_hard_gumbel_softmax_of_scalars_and_empty_inputs():
    agree(lambda lib, F, x: F.gumbel_softmax(x * 1, hard=True), normal())
    agree(lambda lib, F, x: F.gumbel_softmax(x * 1, hard=True, dim=1), normal(2, 3, 2))
    raises(IndexError, lambda lib, F, x: F.gumbel_softmax(x, hard=True), normal(2, 0))


def test_pairwise_distance_of_integers():
    agree(lambda lib, F, x: F.pairwise_distance(x, x + 2, eps=0), np.arange(6).reshape(2, 3))


def test_errors_have_torchs_class():
    raises(TypeError, lambda lib, F, x, w: F.conv_transpose1d(x, w, padding="same"), normal(1, 2, 5), normal(2, 2, 3))
    raises(RuntimeError, lambda lib, F, x: F.one_hot(x, 0), np.zeros((2, 0), int))
    raises(RuntimeError, lambda lib, F, i, w: F.embedding_bag(i, w, padding_idx=3), np.zeros((1, 2), int), normal(3, 2))
    for name in ("dropout", "hardtanh"):
        raises(NotImplementedError, lambda lib, F, x, name=name: getattr(F, name)(x + 1j), normal(2))
    raises(
        NotImplementedError,
        lambda lib, F, x: F.interpolate(x.byte(), 3, mode="area"),
        np.zeros((1, 1, 2, 2), int),
    )


@pytest.mark.parametrize(
    "program",
    [
        lambda lib, F: F.grid_sample(lib.zeros(1, 1, 2, 2), lib.zeros(1, 1, 1, 2)),
        lambda lib, F: F.affine_grid(lib.zeros(1, 2, 3), (1, 1, 2, 2)),
        lambda lib, F: lib.nn.MultiheadAttention(2, 1)(
            *[lib.zeros(1, 1, 2)] * 3, lib.zeros(1, 1, dtype=lib.bool), attn_mask=lib.zeros(1, 1)
        ),
    ],
)
def test_warnings_are_torchs(program):
    for lib in (torch, microgad):
        with pytest.warns(UserWarning, match=r"align_corners|mismatched key_padding_mask"):
            program(lib, lib.nn.functional)


def test_softshrink_keeps_the_sign_of_zero():
    values = [-2.0, -0.25, -0.0, 0.0, 0.25]
    ours, theirs = (str(lib.nn.functional.softshrink(lib.tensor(values))) for lib in (microgad, torch))
    assert ours == theirs == "tensor([-1.5000, -0.0000, -0.0000,  0.0000,  0.0000])"

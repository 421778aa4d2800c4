"""nn.utils against PyTorch's: norms, parametrizations, fusion, and gradient clipping."""

import copy
import math
import warnings

from .side_by_side import checked_programs, state_and_gradients, submodule

program, test_program_behaves_as_in_torch = checked_programs(slack=lambda name: SLACK.get(name, 2))


def train(t, module, x, count=2):
    """Outputs of `count` forward and backward passes, the state afterwards, and the output in eval mode."""
    outs = []
    for _ in range(count):
        out = module(x)
        (out * out).sum().backward()
        outs.append(out.detach())
    return outs, state_and_gradients(module), module.eval()(x)


# Deprecated norms


@program
def the_deprecation_of_weight_norm_is_shown_once(t, nn):
    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        warnings.simplefilter("default")
        nn.utils.weight_norm(nn.Linear(1, 1))
        nn.utils.weight_norm(nn.Linear(2, 2))
    return [str(each.message) for each in shown]


@program
def weight_norm(t, nn):
    found = []
    for dim in (0, 1, None, -1):
        m = nn.utils.weight_norm(nn.Linear(3, 2), dim=dim)
        found.append(train(t, m, t.rand(4, 3)))
        nn.utils.remove_weight_norm(m)
        found.append(list(m.state_dict()))
    return found


@program
def weight_norm_of_a_convolution(t, nn):
    return train(t, nn.utils.weight_norm(nn.Conv2d(2, 3, 2), "weight", 1), t.rand(2, 2, 4, 4))


@program
def weight_norm_of_a_recurrent_layer(t, nn):
    m = nn.utils.weight_norm(nn.LSTM(3, 2), "weight_hh_l0")
    out, _ = m(t.rand(4, 2, 3))
    out.sum().backward()
    return out, state_and_gradients(m)


@program
def weight_norm_twice(t, nn):
    nn.utils.weight_norm(nn.utils.weight_norm(nn.Linear(3, 2)))


@program
def remove_missing_weight_norm(t, nn):
    nn.utils.remove_weight_norm(nn.Linear(3, 2))


@program
def weight_norm_copied(t, nn):
    m = nn.utils.weight_norm(nn.Linear(3, 2))
    m(t.rand(4, 3)).sum().backward()
    with t.no_grad():
        m(t.rand(4, 3))
    c = copy.deepcopy(m)
    return c(t.ones(1, 3)), list(c.state_dict())


@program
def spectral_norm(t, nn):
    m = nn.utils.spectral_norm(nn.Linear(3, 4), n_power_iterations=2)
    found = [train(t, m, t.rand(4, 3)), dict(m.state_dict()._metadata)]
    other = nn.utils.spectral_norm(nn.Linear(3, 4))
    other.load_state_dict(m.state_dict())
    found.append(other.eval()(t.ones(1, 3)))
    nn.utils.remove_spectral_norm(m)
    return [*found, list(m.state_dict()), dict(m.state_dict()._metadata), m(t.ones(1, 3))]


@program
def spectral_norm_of_an_old_state_dict(t, nn):
    m = nn.utils.spectral_norm(nn.Linear(3, 4))
    m(t.rand(4, 3))
    old = m.state_dict()
    found = [old.pop("weight_v")]
    old["weight"] = m.weight.detach().clone()
    old._metadata[""].clear()
    other = nn.utils.spectral_norm(nn.Linear(3, 4))
    found += [str(other.load_state_dict(dict(old, bias=t.zeros(4)))), dict(other.state_dict()), other(t.ones(1, 3))]
    for key in ("weight_orig", "weight", "weight_u"):
        partial = {name: value for name, value in old.items() if name != key}
        incompatible = other.load_state_dict(partial, strict=False)
        found.append([sorted(incompatible.missing_keys), incompatible.unexpected_keys])
    return found


@program
def spectral_norm_of_convolutions(t, nn):
    layers = nn.Conv2d(2, 3, 2), nn.ConvTranspose2d(2, 3, 2)
    return [train(t, nn.utils.spectral_norm(layer), t.rand(2, 2, 4, 4)) for layer in layers]


@program
def spectral_norm_twice(t, nn):
    nn.utils.spectral_norm(nn.utils.spectral_norm(nn.Linear(3, 2)))


@program
def spectral_norm_without_iterations(t, nn):
    nn.utils.spectral_norm(nn.Linear(3, 2), n_power_iterations=0)


@program
def spectral_norm_of_a_missing_parameter(t, nn):
    nn.utils.spectral_norm(nn.Linear(3, 2, bias=False), "bias")


@program
def remove_missing_spectral_norm(t, nn):
    nn.utils.remove_spectral_norm(nn.Linear(3, 2))


# Parametrizations


def symmetric(nn):
    class Symmetric(nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, a):
            return a.triu()

    return Symmetric()


def scaled(nn, factor=2.0):
    class Scaled(nn.Module):
        def forward(self, x):
            return x * factor

    return Scaled()


@program
def parametrized(t, nn):
    p = nn.utils.parametrize
    m = p.register_parametrization(nn.Linear(3, 3), "weight", symmetric(nn))
    p.register_parametrization(m, "weight", scaled(nn))
    p.register_parametrization(m, "bias", scaled(nn, 3.0))
    found = [
        train(t, m, t.rand(4, 3)),
        p.is_parametrized(m),
        p.is_parametrized(m, "weight"),
        p.is_parametrized(m, "x"),
        p.type_before_parametrizations(m) is nn.Linear,
        type(m).__name__,
        isinstance(m, nn.Linear),
    ]
    c = copy.deepcopy(m)
    found += [c(t.ones(1, 3)), list(c.state_dict()), c.weight]
    with p.cached():
        found.append(m.weight is m.weight)
    found.append(m.weight is m.weight)
    p.remove_parametrizations(m, "weight")
    found += [state_and_gradients(m), m.weight]
    p.remove_parametrizations(m, "bias", leave_parametrized=False)
    return [*found, state_and_gradients(m), type(m) is nn.Linear]


@program
def assigned_through_inverse(t, nn):
    m = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", symmetric(nn))
    m.weight = t.arange(9.0).reshape(3, 3)
    return m.weight, dict(m.state_dict())


@program
def assigned_without_inverse(t, nn):
    m = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", scaled(nn))
    m.weight = t.ones(3, 3)


@program
def parametrized_buffer(t, nn):
    m = nn.BatchNorm1d(2)
    nn.utils.parametrize.register_parametrization(m, "running_mean", scaled(nn))
    return state_and_gradients(m), m.running_mean


@program
def several_originals(t, nn):
    class Product(nn.Module):
        def forward(self, a, b):
            return a @ b

        def right_inverse(self, x):
            return x[:, :1].clone(), x[:1].clone()

    m = nn.utils.parametrize.register_parametrization(nn.Linear(3, 2), "weight", Product())
    found = train(t, m, t.rand(4, 3)), m.parametrizations.weight.ntensors, m.parametrizations.weight.is_tensor
    m.weight = t.ones(2, 3)
    return *found, m.weight, nn.utils.parametrize.remove_parametrizations(m, "weight").weight


@program
def several_originals_left_unparametrized(t, nn):
    m = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    nn.utils.parametrize.remove_parametrizations(m, "weight", leave_parametrized=False)


@program
def parametrization_of_another_shape(t, nn):
    class Cut(nn.Module):
        def forward(self, x):
            return x[:1]

    nn.utils.parametrize.register_parametrization(nn.Linear(3, 2), "weight", Cut())


@program
def unsafe_parametrization_of_another_shape(t, nn):
    class Cut(nn.Module):
        def forward(self, x):
            return x[:1]

    m = nn.utils.parametrize.register_parametrization(nn.Linear(3, 2, bias=False), "weight", Cut(), unsafe=True)
    return m(t.ones(1, 3)), state_and_gradients(m)


@program
def parametrization_of_another_dtype(t, nn):
    class Double(nn.Module):
        def forward(self, x):
            return x.double()

    nn.utils.parametrize.register_parametrization(nn.Linear(3, 2), "weight", Double())


@program
def second_parametrization_of_another_dtype(t, nn):
    class Double(nn.Module):
        def forward(self, x):
            return x.double()

    m = nn.utils.parametrize.register_parametrization(nn.Linear(3, 2), "weight", scaled(nn))
    nn.utils.parametrize.register_parametrization(m, "weight", Double())


@program
def parametrization_of_a_missing_parameter(t, nn):
    nn.utils.parametrize.register_parametrization(nn.Linear(3, 2), "nope", scaled(nn))


@program
def not_parametrized(t, nn):
    nn.utils.parametrize.remove_parametrizations(nn.Linear(3, 2), "weight")


@program
def transferred(t, nn):
    m = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", symmetric(nn))
    other = nn.utils.parametrize.transfer_parametrizations_and_params(m, nn.Linear(3, 3))
    return state_and_gradients(other), other.weight


@program
def parametrized_weight_norm(t, nn):
    found = []
    for dim in (0, 1, None):
        m = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2), dim=dim)
        found.append(train(t, m, t.rand(4, 3)))
        m.weight = t.ones(2, 3)
        found.append(m.weight)
    return found


@program
def parametrizations_that_draw(t, nn):
    """Each read of a weight evaluates its parametrization: how often PyTorch reads it decides about the draws."""

    class WeightDrop(nn.Module):
        def forward(self, weight):
            return nn.functional.dropout(weight, 0.5)

    def dropped(module, *names):
        for name in names:
            owner, _, attribute = name.rpartition(".")
            nn.utils.parametrize.register_parametrization(
                module.get_submodule(owner), attribute, WeightDrop(), unsafe=True
            )
        return module

    x, found = t.rand(2, 3, 4), []
    for m in (
        dropped(nn.LSTM(4, 4, 2, bidirectional=True), "weight_hh_l0"),
        dropped(nn.GRU(4, 4, batch_first=True), "bias_hh_l0", "weight_ih_l0"),
        dropped(nn.RNN(4, 4), "weight_hh_l0", "bias_ih_l0").to(t.float32),
    ):
        found += [m(x), m(nn.utils.rnn.pack_sequence(list(x))), t.rand(1), m.float()(x)]
    encoders = [
        nn.TransformerEncoderLayer(4, 2, 5, batch_first=batch_first, norm_first=norm_first, bias=bias)
        for batch_first, norm_first, bias in (
            (True, False, True),
            (True, True, True),
            (False, True, True),
            (True, True, False),
        )
    ]
    for m in (
        dropped(nn.MultiheadAttention(4, 1), "in_proj_weight"),
        dropped(nn.MultiheadAttention(4, 2, batch_first=True), "in_proj_bias", "in_proj_weight"),
        dropped(nn.MultiheadAttention(4, 2, batch_first=True, bias=False), "in_proj_weight", "out_proj.weight"),
        dropped(nn.MultiheadAttention(4, 2, batch_first=True, add_zero_attn=True), "in_proj_weight", "out_proj.bias"),
        *(dropped(m, "linear1.weight", "norm2.weight", "self_attn.out_proj.weight") for m in encoders),
        dropped(copy.deepcopy(encoders[0]), "self_attn.in_proj_weight"),
        dropped(nn.TransformerEncoderLayer(4, 2, 5, batch_first=True), "self_attn.out_proj.weight"),
    ):
        args = (x, x, x) if isinstance(m, nn.MultiheadAttention) else (x,)
        for mode in (m.train, m.eval):
            with t.no_grad():
                found += [mode()(*args), t.rand(1)]
            found += [m(*args), t.rand(1), m(*[y[0] for y in args][:1] * len(args)), t.rand(1)]
    return found


@program
def deprecated_weight_norm_state_loaded(t, nn):
    m = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    m.load_state_dict({"weight_g": t.ones(2, 1), "weight_v": t.ones(2, 3), "bias": t.ones(2)})
    return m.weight


@program
def parametrized_spectral_norm(t, nn):
    layers = (nn.Linear(3, 4), t.rand(4, 3)), (nn.ConvTranspose2d(2, 3, 2), t.rand(2, 2, 4, 4))
    found = [train(t, nn.utils.parametrizations.spectral_norm(layer), x) for layer, x in layers]
    m = nn.utils.parametrizations.spectral_norm(nn.LayerNorm(4), "weight")
    return found, m.weight, state_and_gradients(m)


@program
def parametrized_spectral_norm_of_an_invalid_dim(t, nn):
    nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2), dim=2)


@program
def orthogonal(t, nn):
    found = []
    for shape in ((3, 3), (4, 2), (2, 4)):
        for orthogonal_map in ("matrix_exp", "cayley", "householder", None):
            for use_trivialization in (True, False):
                m = nn.Linear(*shape)
                nn.utils.parametrizations.orthogonal(m, "weight", orthogonal_map, use_trivialization=use_trivialization)
                out = m(t.rand(2, shape[0]))
                (out * out).sum().backward()
                found += [m.weight, [p.grad for p in m.parameters()], list(m.state_dict()), repr(m)]
                if use_trivialization or orthogonal_map == "householder":
                    m.weight = nn.init.orthogonal_(t.empty(shape[::-1]))
                    found.append(m.weight)
    return found


@program
def orthogonal_with_an_unknown_map(t, nn):
    nn.utils.parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="x")


@program
def orthogonal_vector(t, nn):
    nn.utils.parametrizations.orthogonal(nn.Linear(3, 3), "bias")


@program
def orthogonal_without_weight(t, nn):
    nn.utils.parametrizations.orthogonal(nn.ReLU())


# Fusion, and gradients


@program
def fused(t, nn):
    found = []
    for bias in (True, False):
        conv, bn = nn.Conv2d(2, 3, 3, bias=bias), nn.BatchNorm2d(3)
        bn(conv(t.rand(4, 2, 5, 5)))
        made = nn.utils.fusion.fuse_conv_bn_eval(conv.eval(), bn.eval())
        found += [state_and_gradients(made), made(t.ones(1, 2, 5, 5))]
        back, bn = nn.ConvTranspose2d(3, 2, 3, bias=bias).eval(), nn.BatchNorm2d(2, affine=False).eval()
        found.append(state_and_gradients(nn.utils.fusion.fuse_conv_bn_eval(back, bn, transpose=True)))
        linear, bn = nn.Linear(3, 4, bias=bias).eval(), nn.BatchNorm1d(4).eval()
        found.append(state_and_gradients(nn.utils.fusion.fuse_linear_bn_eval(linear, bn)))
    return found


@program
def fusion_in_training_mode(t, nn):
    nn.utils.fusion.fuse_conv_bn_eval(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))


@program
def fusion_of_mismatched_sizes(t, nn):
    nn.utils.fusion.fuse_linear_bn_eval(nn.Linear(3, 4).eval(), nn.BatchNorm1d(3).eval())


@program
def norms_of_gradients(t, nn):
    found = []
    for order in (2.0, 1.0, math.inf, 3, "inf"):
        m = nn.Linear(3, 2)
        (m(t.rand(4, 3)) ** 2).sum().backward()
        grads = [p.grad for p in m.parameters()]
        total = nn.utils.get_total_norm(grads, order)
        found += [total, nn.utils.clip_grad_norm_(m.parameters(), 0.5, order), state_and_gradients(m)]
        nn.utils.clip_grads_with_norm_(m.parameters(), 0.1, total)
        nn.utils.clip_grad_value_(m.parameters(), 0.01)
        found.append(state_and_gradients(m))
    return [*found, nn.utils.get_total_norm([]), nn.utils.clip_grad_norm(m.parameters(), 1.0)]


@program
def parameters_to_vector_and_back(t, nn):
    m = nn.Linear(3, 2)
    vector = nn.utils.parameters_to_vector(m.parameters())
    nn.utils.vector_to_parameters(t.arange(8.0), m.parameters())
    return vector, state_and_gradients(m)


@program
def skip_init(t, nn):
    m = nn.utils.skip_init(nn.Linear, 3, 2, bias=False)
    return tuple(m.weight.shape), m.weight.requires_grad, t.rand(2)


@program
def norms_applied_by_their_hooks_classes(t, nn):
    spectral, weight = (submodule(t, f"nn.utils.{name}") for name in ("spectral_norm", "weight_norm"))
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    hooks = spectral.SpectralNorm.apply(a, "weight", 1, 0, 1e-12), weight.WeightNorm.apply(b, "weight", None)
    found = [(type(hook).__name__, hook.name, hook.dim) for hook in hooks]
    return found, [train(t, module, t.ones(2, 3)) for module in (a, b)]


@program
def skip_init_of_no_module(t, nn):
    nn.utils.skip_init(dict)


@program
def skip_init_without_device_argument(t, nn):
    nn.utils.skip_init(nn.ReLU)


SLACK = {"orthogonal": 8, "parametrized_spectral_norm": 4, "spectral_norm": 4, "spectral_norm_of_convolutions": 8}

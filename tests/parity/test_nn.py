"""Layers and modules against PyTorch's: initial values bit for bit, state, repr, messages, hooks and small nets."""

import warnings
from collections import OrderedDict

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

BOTH = (microgad, torch)

# Functions that build a layer with microgad.nn or torch.nn.
LAYERS = {
    "linear": lambda nn, t: nn.Linear(7, 5),
    "linear without bias": lambda nn, t: nn.Linear(17, 3, bias=False),
    "linear float64": lambda nn, t: nn.Linear(4, 9, dtype=t.float64, device="cpu"),
    "linear float16": lambda nn, t: nn.Linear(4, 9, dtype=t.float16),
    "linear of one": lambda nn, t: nn.Linear(1, 1),
    "conv2d": lambda nn, t: nn.Conv2d(3, 10, 3, padding=1),
    "conv2d grouped": lambda nn, t: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups=2, bias=False),
    "conv2d same": lambda nn, t: nn.Conv2d(2, 2, 5, padding="same", padding_mode="reflect"),
    "conv2d valid": lambda nn, t: nn.Conv2d(2, 2, 5, padding="valid", dtype=t.float64),
    "conv1d of two kernel sizes": lambda nn, t: nn.Conv1d(1, 2, (2, 3), padding=1),
    "conv_transpose2d of one kernel size": lambda nn, t: nn.ConvTranspose2d(1, 2, (2,), stride=2, output_padding=1),
    "batch norm 1d": lambda nn, t: nn.BatchNorm1d(4),
    "batch norm 2d": lambda nn, t: nn.BatchNorm2d(4, eps=1e-3, momentum=None, dtype=t.float64),
    "batch norm plain": lambda nn, t: nn.BatchNorm2d(4, affine=False, track_running_stats=False),
    "batch norm without bias": lambda nn, t: nn.BatchNorm1d(4, bias=False),
    "dropout": lambda nn, t: nn.Dropout(0.3, inplace=True),
    "max pool": lambda nn, t: nn.MaxPool2d((3, 2), 2, (1, 0), 1, ceil_mode=True),
    "avg pool": lambda nn, t: nn.AvgPool2d(2, padding=1, count_include_pad=False),
    "relu": lambda nn, t: nn.ReLU(inplace=True),
    "tanh": lambda nn, t: nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.Softmax(dim=1), nn.LogSoftmax(1)),
    "flatten": lambda nn, t: nn.Sequential(nn.Flatten(1, 2), nn.Unflatten(1, (2, 3)), nn.Identity(3, a=2)),
    "losses": lambda nn, t: nn.ModuleList(
        [nn.CrossEntropyLoss(t.ones(3)), nn.NLLLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss()]
    ),
    "weighted": lambda nn, t: nn.BCEWithLogitsLoss(t.ones(2), pos_weight=t.ones(3)),
    "list": lambda nn, t: nn.ModuleList(
        [nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.Conv2d(1, 1, 1)), nn.ReLU()]
    ),
    "dict": lambda nn, t: nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.ModuleDict()}),
    "net": lambda nn, t: nn.Sequential(
        OrderedDict(
            features=nn.Sequential(nn.Conv2d(1, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU(), nn.MaxPool2d(2)),
            flat=nn.Flatten(),
            fc=nn.Linear(1960, 100),
            head=nn.Linear(100, 10),
        )
    ),
}


def make_both(make, seed=0):
    """Make the same layer in both libraries from the same seed; the generators must end in the same state."""
    made = []
    for t in BOTH:
        t.manual_seed(seed)
        made.append(make(t.nn, t))
    np.testing.assert_array_equal(microgad.get_rng_state().array, torch.get_rng_state().numpy())
    return made


def assert_same_state(mine, theirs):
    mine, theirs = mine.state_dict(), theirs.state_dict()
    assert list(mine) == list(theirs)
    for name, x in theirs.items():
        assert tuple(mine[name].shape) == tuple(x.shape), name
        assert str(mine[name].dtype) == str(x.dtype), name
        assert mine[name].array.tobytes() == x.numpy().tobytes(), name


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("seed", [0, 2024])
def test_initial_state_bit_for_bit(name, seed):
    assert_same_state(*make_both(LAYERS[name], seed))


@pytest.mark.parametrize("name", LAYERS)
def test_reprs_of_layers_are_pytorchs(name):
    mine, theirs = make_both(LAYERS[name])
    assert repr(mine) == repr(theirs)


@pytest.mark.parametrize("name", LAYERS)
def test_names_and_modes(name):
    def names(module):
        pairs = (module.named_parameters(), module.named_buffers(), module.named_modules(), module.named_children())
        return [[name for name, _ in found] for found in pairs]

    mine, theirs = make_both(LAYERS[name])
    assert names(mine) == names(theirs)
    assert [m.training for m in mine.eval().modules()] == [m.training for m in theirs.eval().modules()]


# Initializers

SHAPES = [(5, 3), (3, 5), (64, 100), (6, 4, 3, 3), (4, 2, 5)]
INITIALIZERS = {
    "uniform_": (-1.5, 2.5),
    "constant_": (0.3,),
    "xavier_uniform_": (1.7,),
    "kaiming_uniform_": (0.1, "fan_out"),
    "eye_": (),
    "dirac_": (),
    "ones_": (),
    "zeros_": (),
}
NORMAL_INITIALIZERS = {  # equal up to the last bits of logarithm and cosine
    "normal_": (0.5, 2.0),
    "xavier_normal_": (0.7,),
    "kaiming_normal_": (0.0, "fan_in", "relu"),
    "trunc_normal_": (0.0, 1.0, -0.5, 2.0),
    "sparse_": (0.3,),
    "orthogonal_": (1.5,),
}
TOLERANCE = {"float32": 3e-6, "float64": 1e-12}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", INITIALIZERS | NORMAL_INITIALIZERS)
def test_initializers_draw_as_pytorchs(name, dtype):
    args = (INITIALIZERS | NORMAL_INITIALIZERS)[name]
    for shape in SHAPES:
        if (name in ("eye_", "sparse_") and len(shape) != 2) or (name == "dirac_" and len(shape) == 2):
            continue
        drawn = []
        for t in BOTH:
            t.manual_seed(11)
            tensor = t.empty(shape, dtype=getattr(t, dtype))
            getattr(t.nn.init, name)(tensor, *args)
            drawn.append(tensor.numpy())
        mine, theirs = drawn
        assert mine.dtype == theirs.dtype
        if name in INITIALIZERS:
            assert mine.tobytes() == theirs.tobytes(), shape
        else:
            np.testing.assert_allclose(mine, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype], err_msg=str(shape))
        np.testing.assert_array_equal(microgad.get_rng_state().array, torch.get_rng_state().numpy())


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (0, 1, 0.1, 0.2), (3, 1, 0, 2), (0, 0.02, -2, 2)])
def test_trunc_normal_draws_as_pytorchs(mean, std, a, b):
    values = []
    for t in BOTH:
        t.manual_seed(3)
        values.append(t.nn.init.trunc_normal_(t.empty(50, 40), mean, std, a, b).numpy())
    np.testing.assert_allclose(*values, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(microgad.get_rng_state().array, torch.get_rng_state().numpy())


def test_gains_are_pytorchs():
    for args in (
        ("linear",),
        ("conv_transpose2d",),
        ("tanh",),
        ("relu",),
        ("leaky_relu",),
        ("leaky_relu", 0.3),
        ("selu",),
    ):
        assert microgad.nn.init.calculate_gain(*args) == torch.nn.init.calculate_gain(*args)


# Loading


def load_result(t, change, strict=True):
    """The result of load_state_dict with a changed state_dict, or the error's message."""
    model = LAYERS["net"](t.nn, t)
    state = model.state_dict()
    change(state, t)
    try:
        return repr(model.load_state_dict(state, strict=strict)).replace("_IncompatibleKeys", "IncompatibleKeys")
    except RuntimeError as error:
        return str(error)


CHANGES = [
    lambda state, t: state.pop("fc.weight"),
    lambda state, t: state.update({"extra": t.ones(1), "fc.extra": t.ones(1), "features.9.x": t.ones(1)}),
    lambda state, t: state.update({"fc.weight": t.ones(2, 3)}),
    lambda state, t: (
        state.pop("head.bias"),
        state.update({"y": t.ones(1), "fc.bias": t.ones(7), "features.1.bias": 3}),
    ),
    lambda state, t: state.clear(),
    lambda state, t: state.pop("features.1.num_batches_tracked"),
    lambda state, t: (state.pop("features.1.num_batches_tracked"), delattr(state, "_metadata")),
    lambda state, t: None,
]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_messages_of_load_state_dict(change, strict):
    assert load_result(microgad, change, strict) == load_result(torch, change, strict)


def error_of(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is compared
        call()
    return caught.value


@pytest.mark.parametrize(
    "act",
    [
        lambda net, t: net.weight,
        lambda net, t: setattr(net[0], "weight", t.ones(1)),
        lambda net, t: setattr(net[0], "weight", 3),
        lambda net, t: setattr(net, "0", 3),
        lambda net, t: net.add_module("a.b", None),
        lambda net, t: net.add_module("", None),
        lambda net, t: net.add_module("forward", None),
        lambda net, t: net.add_module("m", 3),
        lambda net, t: net.add_module(3, None),
        lambda net, t: net.register_buffer("training", None),
        lambda net, t: net.get_submodule("7"),
        lambda net, t: net.get_submodule("0.weight"),
        lambda net, t: net.get_parameter("0.in_features"),
        lambda net, t: net.get_buffer("0.weight"),
        lambda net, t: net[3],
        lambda net, t: net.train("yes"),
        lambda net, t: net.load_state_dict([]),
        lambda net, t: t.nn.Module()(1),
        lambda net, t: net.to(t.int64),
        lambda net, t: t.nn.Dropout(1.5),
    ],
)
def test_errors_of_modules_have_pytorchs_messages(act):
    mine, theirs = (error_of(lambda t=t: act(t.nn.Sequential(t.nn.Linear(2, 2)), t)) for t in BOTH)
    assert str(mine) == str(theirs)
    assert isinstance(mine, type(theirs))


# Hooks


def test_hooks_run_in_torchs_order_with_its_values():
    def logged(t):
        log = []

        def values(x):
            if isinstance(x, (tuple, list)):
                return [values(y) for y in x]
            return None if x is None else np.round(np.array(x.tolist()), 4).tolist()

        net = t.nn.Sequential(t.nn.Linear(2, 3), t.nn.ReLU(), t.nn.Sequential(t.nn.Linear(3, 2)))
        for name, module in net.named_modules():

            def after(m, args, out, name=name):
                log.append(("forward", name, values(args), values(out)))

            def backward(m, grad_input, grad_output, name=name):
                log.append(("backward", name, values(grad_input), values(grad_output)))

            module.register_forward_pre_hook(lambda m, args, name=name: log.append(("pre", name)))
            module.register_forward_pre_hook(lambda m, args, name=name: log.append(("pre first", name)), prepend=True)
            module.register_forward_hook(after)
            module.register_full_backward_hook(backward)
            module.register_full_backward_pre_hook(
                lambda m, go, name=name: log.append(("backward pre", name, values(go)))
            )
        with t.no_grad():
            for i, p in enumerate(net.parameters()):
                p.copy_(t.arange(float(p.numel())).reshape(p.shape) / (i + 3) - 0.5)
        x = t.tensor([[1.0, 2.0], [-3.0, 0.5]], requires_grad=True)
        (net(x) * t.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
        log.append(values(x.grad))
        return log

    mine, theirs = map(logged, BOTH)
    assert mine == theirs
    assert len(mine) == 5 * 5 + 1


def test_backward_hooks_of_modules_with_several_inputs_and_outputs():
    def logged(t):
        class Two(t.nn.Module):
            def forward(self, a, b, c):
                return a * b, b + c, a * 2

        log, layer = [], Two()
        layer.register_full_backward_hook(
            lambda m, gi, go: log.append([[g if g is None else g.item() for g in x] for x in (gi, go)])
        )
        a, b, c = (t.tensor(x, requires_grad=x < 4) for x in (2.0, 3.0, 4.0))
        out = layer(a, b, c)
        (out[0] + 10 * out[1] + 100 * out[2]).backward()
        return [*log, a.grad.item(), b.grad.item()]

    assert logged(microgad) == logged(torch)


# Nets


def close(mine, theirs, tolerance=2e-5):
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("train", [True, False])
def test_net_gives_torchs_losses_gradients_and_statistics(train):
    mine, theirs = (net.train(train) for net in make_both(LAYERS["net"]))
    rng = np.random.default_rng(0)
    images, classes = rng.standard_normal((8, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 8)
    losses = []
    for t, net in zip(BOTH, (mine, theirs), strict=True):
        loss = t.nn.CrossEntropyLoss()(net(t.tensor(images)), t.tensor(classes))
        loss.backward()
        losses.append(loss)
    close(*losses)
    for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)
    for x, y in zip(mine.buffers(), theirs.buffers(), strict=True):
        close(x, y)


def test_training_from_the_same_seed_gives_torchs_losses():
    def losses(t):
        t.manual_seed(1)
        nn = t.nn
        net = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 5), nn.Dropout(0.1))
        loss, seen = nn.CrossEntropyLoss(label_smoothing=0.1), []
        x, classes = t.rand(16, 20), t.randint(0, 5, (16,))
        for _ in range(20):
            net.zero_grad()
            error = loss(net(x), classes)
            error.backward()
            t.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            with t.no_grad():
                for p in net.parameters():
                    p.sub_(p.grad * 0.5)
            seen.append(error.item())
        return seen

    np.testing.assert_allclose(losses(microgad), losses(torch), rtol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [(2, 1), "same"])
def test_conv2d_padding_modes(mode, padding):
    mine, theirs = make_both(lambda nn, t: nn.Conv2d(2, 3, (4, 3), padding=padding, padding_mode=mode, dilation=(1, 2)))
    x = np.random.default_rng(0).standard_normal((2, 2, 7, 8)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch warns about even kernels
        close(mine(microgad.tensor(x)), theirs(torch.tensor(x)))


def test_layers_take_unbatched_inputs_as_pytorchs():
    x = np.random.default_rng(0).standard_normal((2, 6, 6)).astype(np.float32)
    for make in (
        lambda nn, t: nn.Conv2d(2, 3, 3),
        lambda nn, t: nn.MaxPool2d(2),
        lambda nn, t: nn.AvgPool2d(2),
        lambda nn, t: nn.Sequential(nn.Flatten(0), nn.Linear(72, 3)),
        lambda nn, t: nn.BatchNorm1d(6),
        lambda nn, t: nn.Dropout(0.5),
    ):
        mine, theirs = make_both(make)
        close(mine(microgad.tensor(x)), theirs(torch.tensor(x)))


# Clipping and one-hot vectors


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3, float("inf")])
@pytest.mark.parametrize("max_norm", [0.1, 1e3])
def test_clip_grad_norm(norm_type, max_norm):
    grads = [
        np.random.default_rng(i).standard_normal(shape).astype(np.float32) for i, shape in enumerate([(3, 4), (5,), ()])
    ]
    found = []
    for t in BOTH:
        parameters = [t.nn.Parameter(t.zeros(g.shape)) for g in grads]
        for p, g in zip(parameters, grads, strict=True):
            p.grad = t.tensor(g)
        norm = t.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
        t.nn.utils.clip_grad_value_(parameters[:1], 0.05)
        found.append((norm, parameters))
    (mine, p), (theirs, q) = found
    close(mine, theirs, 1e-6)
    for a, b in zip(p, q, strict=True):
        close(a.grad, b.grad, 1e-6)


def test_one_hot_equals_pytorchs():
    classes = [[0, 3], [1, 1]]
    for count in (-1, 7):
        mine = microgad.nn.functional.one_hot(microgad.tensor(classes), count)
        assert mine.tolist() == torch.nn.functional.one_hot(torch.tensor(classes), count).tolist()

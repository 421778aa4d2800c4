"""Module: registration of attributes, names of members, modes, conversions, printing and copying."""

import copy
import pickle

import numpy as np
import pytest

import microgad as torch
from microgad import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
        self.head = nn.Linear(3, 2)
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)

    def forward(self, x):
        return self.head(self.features(x))


def names(pairs):
    return [name for name, _ in pairs]


def test_assigned_parameters_and_modules_are_registered():
    net = Net()
    assert list(net._parameters) == []
    assert list(net._modules) == ["features", "head"]
    assert list(net._buffers) == ["seen", "scratch"]
    net.scale = nn.Parameter(torch.ones(1))
    assert net.scale is net._parameters["scale"]
    assert "scale" not in vars(net)
    net.extra = nn.ReLU()
    assert net.extra is net._modules["extra"]
    net.plain = 3
    assert vars(net)["plain"] == 3


def test_assigning_a_parameter_or_module_unregisters_what_had_its_name():
    net = Net()
    net.plain = 3
    net.plain = nn.Parameter(torch.ones(1))
    assert "plain" not in vars(net)
    net.scratch = nn.Parameter(torch.ones(1))
    assert "scratch" not in net._buffers
    assert "scratch" not in net._non_persistent_buffers_set
    net.features = nn.Parameter(torch.ones(1))
    assert "features" not in net._modules
    net.seen = nn.ReLU()
    assert "seen" not in net._buffers
    assert isinstance(net.seen, nn.ReLU)


def test_registered_names_accept_only_their_kind_or_none():
    net = Net()
    net.scale = nn.Parameter(torch.ones(1))
    with pytest.raises(
        TypeError, match=r"'torch\.(cuda\.)?FloatTensor' as parameter 'scale' \(torch.nn.Parameter or None expected\)"
    ):
        net.scale = torch.ones(1)
    with pytest.raises(TypeError, match=r"cannot assign 'microgad.nn.modules.activation.ReLU' as parameter 'scale'"):
        net.scale = nn.ReLU()
    with pytest.raises(TypeError, match=r"'int' as child module 'head' \(torch.nn.Module or None expected\)"):
        net.head = 3
    with pytest.raises(TypeError, match="cannot assign 'int' as buffer 'seen'"):
        net.seen = 3
    assert isinstance(net.scale, nn.Parameter)
    assert isinstance(net.head, nn.Linear)
    net.seen = torch.ones(2)
    assert net._buffers["seen"].tolist() == [1, 1]
    net.scale = net.head = net.seen = None
    assert names(net.named_parameters()) == ["features.0.weight", "features.0.bias"]
    assert net.scale is None
    assert net._modules["head"] is None
    assert names(net.named_children()) == ["features"]


def test_assigning_parameters_or_modules_before_init_raises():
    class Early(nn.Module):
        def __init__(self, value):
            self.value = value
            super().__init__()

    with pytest.raises(AttributeError, match=r"cannot assign parameters before Module.__init__\(\) call"):
        Early(nn.Parameter(torch.ones(1)))
    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Early(nn.ReLU())
    assert Early(3).value == 3


def test_a_missing_attribute_is_named():
    with pytest.raises(AttributeError, match=r"^'Net' object has no attribute 'weight'$"):
        Net().weight  # noqa: B018
    with pytest.raises(AttributeError):
        del Net().weight
    assert not hasattr(nn.Module.__new__(nn.Module), "weight")  # not even initialized


def test_deleted_attributes_are_unregistered():
    net = Net()
    del net.head, net.seen, net.scratch
    assert list(net._modules) == ["features"]
    assert not net._buffers
    assert not net._non_persistent_buffers_set
    del net.features[0].bias
    assert names(net.named_parameters()) == ["features.0.weight"]


@pytest.mark.parametrize("register", ["register_parameter", "register_buffer", "add_module"])
def test_registration_under_a_wrong_name_raises(register):
    net = Net()
    for name, error in (("a.b", KeyError), ("", KeyError), (3, TypeError), ("forward", KeyError)):
        with pytest.raises(error):
            getattr(net, register)(name, None)
    getattr(net, register)("fine", None)
    assert net.fine is None


def test_registration_of_a_wrong_type_raises():
    net = Net()
    with pytest.raises(TypeError, match=r"cannot assign 'torch\.(cuda\.)?FloatTensor' object to parameter 'p'"):
        net.register_parameter("p", torch.ones(1))
    with pytest.raises(TypeError, match="cannot assign 'int' object to buffer 'b'"):
        net.register_buffer("b", 3)
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net.register_module("m", 3)
    with pytest.raises(KeyError, match="attribute 'head' already exists"):
        net.register_buffer("head", None)


def test_a_buffer_can_become_persistent_and_back():
    net = Net()
    assert next(iter(net.state_dict())) == "seen"
    net.register_buffer("seen", torch.ones(1), persistent=False)
    net.register_buffer("scratch", torch.ones(1))
    assert next(iter(net.state_dict())) == "scratch"


def test_dir_lists_registered_names_but_no_numbers():
    net = Net()
    assert {"features", "seen", "forward", "training"} <= set(dir(net))
    assert "0" not in dir(net.features)


def test_names_come_in_order_of_registration():
    net = Net()
    assert names(net.named_parameters()) == ["features.0.weight", "features.0.bias", "head.weight", "head.bias"]
    assert names(net.named_parameters("p", recurse=False)) == []
    assert names(net.head.named_parameters("p")) == ["p.weight", "p.bias"]
    assert names(net.named_buffers()) == ["seen", "scratch"]
    assert names(net.named_modules()) == ["", "features", "features.0", "features.1", "head"]
    assert names(net.features.named_modules(prefix="f")) == ["f", "f.0", "f.1"]
    assert names(net.named_children()) == ["features", "head"]
    assert [type(m).__name__ for m in net.children()] == ["Sequential", "Linear"]
    assert len(list(net.modules())) == 5
    assert sum(p.numel() for p in net.parameters()) == 23


def test_shared_modules_and_parameters_are_listed_once():
    act, fc = nn.ReLU(), nn.Linear(2, 2)
    net = nn.Sequential(fc, act, fc, act, nn.Linear(2, 2))
    net[4].weight = fc.weight
    assert names(net.named_children()) == ["0", "1", "4"]
    assert names(net.named_modules()) == ["", "0", "1", "4"]
    assert names(net.named_modules(remove_duplicate=False)) == ["", "0", "1", "2", "3", "4"]
    assert names(net.named_parameters()) == ["0.weight", "0.bias", "4.bias"]
    assert names(net.named_parameters(remove_duplicate=False)) == [
        "0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"
    ]  # fmt: skip
    assert names(net.named_modules(memo={fc})) == ["", "1", "4"]
    assert (len(list(net.modules())), len(list(net.modules(remove_duplicate=False)))) == (4, 6)


def test_members_are_found_by_path():
    net = Net()
    assert net.get_submodule("features.1") is net.features[1]
    assert net.get_submodule("") is net
    assert net.get_parameter("head.bias") is net.head.bias
    assert net.get_buffer("seen") is net.seen
    for get, target, message in (
        (net.get_submodule, "features.7", "Sequential has no attribute `7`"),
        (net.get_submodule, "head.weight", "`weight` is not an nn.Module"),
        (net.get_parameter, "head.gain", "Linear has no attribute `gain`"),
        (net.get_parameter, "head.in_features", "`in_features` is not an nn.Parameter"),
        (net.get_buffer, "head.weight", "`weight` is not a buffer"),
    ):
        with pytest.raises(AttributeError, match=f"^{message}$"):
            get(target)
    net.register_buffer("none", None)
    assert net.get_buffer("none") is None


def test_apply_visits_children_first():
    visited = []
    net = Net()
    assert net.apply(lambda module: visited.append(type(module).__name__)) is net
    assert visited == ["Linear", "ReLU", "Sequential", "Linear", "Net"]


def test_train_and_eval_set_the_mode_of_all_submodules():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        net.train("yes")


def test_zero_grad_and_requires_grad_affect_all_parameters():
    net = Net()
    net(torch.ones(1, 4)).sum().backward()
    grad = net.head.weight.grad
    net.zero_grad(set_to_none=False)
    assert [p.grad.abs().sum().item() for p in net.parameters()] == [0, 0, 0, 0]
    assert net.head.weight.grad is grad
    net.zero_grad()
    assert [p.grad for p in net.parameters()] == [None] * 4
    assert net.requires_grad_(False) is net
    assert not net(torch.ones(1, 4)).requires_grad


def test_zero_grad_detaches_gradients():
    layer = nn.Linear(1, 1)
    (layer(torch.ones(1, 1)) ** 2).sum().backward(create_graph=True)
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.item() == 0
    assert not layer.weight.grad.requires_grad


def test_conversions_keep_the_parameters_and_convert_gradients_and_buffers():
    net = Net()
    net.register_buffer("count", torch.tensor(0))
    weight = net.head.weight
    net(torch.ones(1, 4)).sum().backward()
    assert net.double() is net
    assert net.head.weight is weight
    assert weight.dtype == weight.grad.dtype == net.seen.dtype == torch.float64
    assert net.count.dtype == torch.int64
    net(torch.ones(1, 4, dtype=torch.float64)).sum().backward()  # gradients of the leaf have the new dtype
    assert net.half().head.bias.dtype == torch.float16
    assert net.float().head.bias.dtype == torch.float32
    assert net.type(torch.float64).count.dtype == torch.float64
    assert net.type(torch.DoubleTensor).count.dtype == net.type("torch.DoubleTensor").count.dtype == torch.float64


def test_conversions_replace_parameters_if_the_future_flag_is_set():
    future = torch.__future__
    layer = nn.Linear(2, 1)
    old, lazy = layer.weight, nn.LazyLinear(2)
    old.grad = torch.ones(1, 2)
    old.requires_grad_(False)
    future.set_overwrite_module_params_on_conversion(True)
    try:
        assert future.get_overwrite_module_params_on_conversion()
        layer.double()
        new = layer.weight
        assert new is not old
        assert (old.dtype, old.grad.dtype, new.dtype, new.grad.dtype) == 2 * (torch.float32,) + 2 * (torch.float64,)
        assert not new.requires_grad
        assert layer.bias.requires_grad
        assert lazy.double()(torch.ones(1, 3, dtype=torch.float64)).dtype == torch.float64
        future.set_swap_module_params_on_conversion(True)
        assert future.get_swap_module_params_on_conversion()
        assert layer.float().weight is new
    finally:
        future.set_overwrite_module_params_on_conversion(False)
        future.set_swap_module_params_on_conversion(False)
    assert layer.double().weight is new


def test_to_converts_dtypes_and_devices():
    net = Net()
    assert net.to(torch.float64).head.weight.dtype == torch.float64
    assert net.to("cpu", torch.float32).head.weight.dtype == torch.float32
    assert net.to(torch.zeros(1, dtype=torch.float64)).head.weight.dtype == torch.float64
    assert net.to(dtype=torch.float16, device=torch.device("cpu"), non_blocking=True).seen.dtype == torch.float16
    assert net.cpu() is net
    with pytest.raises(TypeError, match=r"only accepts floating point or complex dtypes, but got .*int64"):
        net.to(torch.int64)
    assert net.head.weight.dtype == torch.float16


def test_an_unknown_device_raises_and_converts_nothing():
    net = Net()
    before = {name: p.array for name, p in net.named_parameters()}
    with pytest.raises(RuntimeError):
        net.to("tpu", torch.float64)
    assert all(p.array is before[name] for name, p in net.named_parameters())


def test_backward_through_a_converted_module_raises():
    net = nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    y = net(x).sum()
    net.double()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_repr_shows_submodules_and_extra_repr():
    assert repr(Net()) == (
        "Net(\n"
        "  (features): Sequential(\n"
        "    (0): Linear(in_features=4, out_features=3, bias=True)\n"
        "    (1): ReLU()\n"
        "  )\n"
        "  (head): Linear(in_features=3, out_features=2, bias=True)\n"
        ")"
    )
    assert repr(nn.Sequential()) == "Sequential()"

    class Lines(nn.Module):
        def extra_repr(self):
            return "first\nsecond"

    lines = Lines()
    assert repr(lines) == "Lines(\n  first\n  second\n)"
    lines.child = None
    lines.child = nn.ReLU()
    assert repr(lines) == "Lines(\n  first\n  second\n  (child): ReLU()\n)"


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_complete_and_share_nothing(make_copy):
    net = Net()
    net.tied = nn.Linear(4, 3)
    net.tied.weight = net.features[0].weight
    net.eval()
    twin = make_copy(net)
    assert repr(twin) == repr(net)
    assert list(twin.state_dict()) == list(net.state_dict())
    assert twin.tied.weight is twin.features[0].weight
    assert twin.tied.weight is not net.tied.weight
    assert not twin.training
    x = torch.randn(2, 4)
    assert torch.equal(twin(x), net(x))
    with torch.no_grad():
        twin.head.weight.zero_()
    assert net.head.weight.abs().sum().item() > 0
    twin(x).sum().backward()
    assert net.head.bias.grad is None
    assert twin.head.bias.grad.tolist() == [2, 2]


def test_a_module_may_be_defined_by_source_without_a_module_name():
    made = {"nn": nn}
    exec("class Double(nn.Module):\n    def forward(self, x):\n        return x * 2", made)
    assert made["Double"]()(3) == 6


def test_a_module_without_forward_raises():
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward"'):
        nn.Module()(1)


def test_gradients_equal_a_computation_in_numpy():
    torch.manual_seed(0)
    net = Net()
    x = torch.randn(5, 4)
    net(x).sum().backward()
    w0, b0, w1 = net.features[0].weight.array, net.features[0].bias.array, net.head.weight.array
    hidden = x.array @ w0.T + b0
    grad_hidden = np.ones((5, 2), np.float32) @ w1 * (hidden > 0)
    np.testing.assert_allclose(net.features[0].weight.grad.array, grad_hidden.T @ x.array, rtol=1e-5)
    np.testing.assert_allclose(net.head.weight.grad.array[0], np.maximum(hidden, 0).sum(0), rtol=1e-5)


def test_named_parameters_lists_parameters_that_are_replaced_meanwhile():
    module, seen = nn.Module(), []
    for i in range(20):
        setattr(module, f"p{i}", nn.Parameter(torch.zeros(1)))
    for name, p in module.named_parameters():
        seen.append(name)
        setattr(module, name, None)
        del p
        for later in [other for other, q in module._parameters.items() if q is not None][1:]:
            setattr(module, later, nn.Parameter(torch.zeros(1)))
    assert seen == [f"p{i}" for i in range(20)]


def test_deleting_an_attribute_before_init_raises():
    class Early(nn.Module):
        def __init__(self):
            del self.x

    with pytest.raises(AttributeError, match="_parameters"):
        Early()


def test_private_names_that_libraries_use() -> None:
    """pyro compares Tensors by `_cdata`, and lists members by `_named_members`."""
    layer = nn.Linear(2, 1)
    members = [member for _, member in layer._named_members(lambda module: module._parameters.items())]
    assert [member._cdata for member in members] == [layer.weight._cdata, layer.bias._cdata]
    assert len({layer.weight._cdata, layer.weight.detach()._cdata, layer.bias._cdata}) == 3


def test_library_functions_as_class_attributes_are_not_bound_as_methods() -> None:
    class Net(nn.Module):
        act, convolve = torch.tanh, nn.functional.conv2d
        reset = nn.Linear.reset_parameters  # methods are bound

        def forward(self, x):
            return self.act(x), self.convolve(x, torch.ones(1, 1, 1, 1))

    found = Net()(torch.ones(1, 1, 1, 1))
    assert [round(x.item(), 4) for x in found] == [0.7616, 1.0]
    assert Net().reset.__self__ is not None


def test_a_subclass_extends_the_constants_of_its_layer() -> None:
    class Masked(nn.Linear):
        __constants__ = [*nn.Linear.__constants__, "mask_type"]

    assert Masked(1, 2).__constants__[-1] == "mask_type"


class Refusal(nn.Module):
    def __init__(self, message, *notes):
        super().__init__()
        self.message, self.notes = message, notes

    def forward(self, x):
        error = RuntimeError(self.message)
        for note in self.notes:
            error.add_note(note)
        raise error


@pytest.mark.parametrize(
    ("module", "note"),
    [
        (nn.GLU(), ["In module 0.0 (GLU)"]),
        (nn.Linear(4, 2), None),  # its message names the path
        (nn.Bilinear(1, 1, 1), ["In module 0.0 (Bilinear)"]),
        (Refusal("sizes (0.0, 3)"), ["In module 0.0 (Refusal)"]),  # numbers, no path
        (Refusal("no", "what to do"), ["what to do", "In module 0.0 (Refusal)"]),
        (Refusal("softmax (0.0.softmax()): no"), None),  # an operation made of others, in the module
    ],
)
def test_an_error_of_a_nested_module_names_it_once(module, note):
    with pytest.raises((RuntimeError, TypeError)) as error:
        nn.Sequential(nn.Sequential(module))(torch.ones(2, 3))
    assert getattr(error.value, "__notes__", None) == note


def test_the_error_of_a_module_that_is_in_no_other_has_no_note():
    with pytest.raises(RuntimeError) as error:
        nn.GLU()(torch.ones(2, 3))
    assert not hasattr(error.value, "__notes__")


def test_a_subclass_may_have_methods_and_attributes_of_any_private_name():
    class Probe(nn.Module):
        def __init__(self, model):
            super().__init__()
            self._hooked, self._module_path, self.seen = False, "own", []
            self.model = model
            self._add_hook(model[0])

        def _add_hook(self, layer):
            self.handle = layer.register_forward_hook(lambda module, args, output: self.seen.append(output.shape))

        def _unregister(self):
            self.handle.remove()

        _check_name = _set_child = _get_member = _add_backward_hook = lambda self: "own"

        def forward(self, x):
            return self.model(x)

    probe = Probe(Net().features)
    probe.register_forward_hook(lambda module, args, output: output + 1)
    probe.register_full_backward_hook(lambda module, grad_input, grad_output: probe.seen.append("backward"))
    x = torch.zeros(1, 4, requires_grad=True)
    probe(x).sum().backward()
    assert (probe.seen, probe._module_path) == ([(1, 3), "backward"], "own")
    probe._unregister()
    probe.extra, probe.model = nn.Parameter(torch.zeros(1)), nn.ModuleDict({"a": nn.ReLU()})
    probe.register_buffer("steps", torch.zeros(1))
    del probe.extra
    probe.model.pop("a")
    assert torch.equal(probe.get_buffer("steps"), torch.zeros(1))
    assert [*probe.state_dict()] == ["steps"]

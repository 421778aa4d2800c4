"""nn.Module's rules and words: each program here gives the same under PyTorch, or raises the same."""

import copy
import io
import pickle
import warnings
from collections import OrderedDict, namedtuple

import pytest
import torch

from .both import Programs

program = Programs()


def net(t, nn):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 3)
            self.inner = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
            self.register_buffer("count", t.zeros(1))
            self.register_buffer("hidden", t.ones(2), persistent=False)
            self.scale = nn.Parameter(t.ones(3))
            self.register_parameter("nothing", None)
            self.tied = self.fc

        def forward(self, x, *, twice=False):
            x = self.inner(self.fc(x)) * self.scale
            return x * 2 if twice else x

    return Net()


def names(found):
    return [name for name, _ in found]


# What it holds


@program
def named_everything(t, nn):
    m = net(t, nn)
    return [
        names(m.named_parameters()),
        names(m.named_parameters("p", False)),
        names(m.named_parameters(remove_duplicate=False)),
        names(m.named_buffers()),
        names(m.named_buffers("b", recurse=False)),
        names(m.named_modules()),
        names(m.named_modules(prefix="m", remove_duplicate=False)),
        names(m.named_children()),
        len(list(m.parameters())),
        len(list(m.buffers(recurse=False))),
        len(list(m.modules())),
        len(list(m.children())),
        list(m.state_dict()),
        [name for name in dir(m) if name in ("fc", "count", "scale", "inner", "nothing", "tied", "train")],
        repr(m),
    ]


@program
def memo_of_named_modules(t, nn):
    m = net(t, nn)
    return names(m.named_modules({m.inner})), names(m.named_modules({m}))


@program
def getters(t, nn):
    m = net(t, nn)
    return [
        m.get_submodule("") is m,
        m.get_submodule("inner.1") is m.inner[1],
        m.get_parameter("inner.0.bias") is m.inner[0].bias,
        m.get_buffer("inner.1.running_mean") is m.inner[1].running_mean,
    ]


@program
def get_submodule_missing(t, nn):
    return net(t, nn).get_submodule("inner.5")


@program
def get_submodule_that_is_none(t, nn):
    return net(t, nn).get_submodule("scale")


@program
def get_parameter_missing(t, nn):
    return net(t, nn).get_parameter("inner.0.x")


@program
def get_parameter_that_is_none(t, nn):
    return net(t, nn).get_parameter("count")


@program
def get_buffer_missing(t, nn):
    return net(t, nn).get_buffer("zzz")


@program
def get_buffer_that_is_none(t, nn):
    return net(t, nn).get_buffer("scale")


@program
def set_submodule(t, nn):
    m = net(t, nn)
    m.set_submodule("inner.0", nn.ReLU())
    m.set_submodule("fc", nn.Tanh())
    return repr(m)


@program
def set_submodule_new(t, nn):
    m = net(t, nn)
    m.set_submodule("inner.more", nn.ReLU())
    return repr(m)


@program
def set_submodule_strictly(t, nn):
    net(t, nn).set_submodule("inner.more", nn.ReLU(), strict=True)


@program
def set_submodule_of_nothing(t, nn):
    net(t, nn).set_submodule("", nn.ReLU())


@program
def set_submodule_to_no_module(t, nn):
    net(t, nn).set_submodule("fc", 3)


@program
def attribute_missing(t, nn):
    return net(t, nn).nope


@program
def delete_missing(t, nn):
    del net(t, nn).nope


@program
def deletes(t, nn):
    m = net(t, nn)
    del m.fc, m.count, m.scale, m.hidden
    m.other = 3
    del m.other
    return list(m.state_dict()), names(m.named_children())


# Assignment


@program
def assign_before_init(t, nn):
    class Net(nn.Module):
        def __init__(self):
            self.p = nn.Parameter(t.ones(1))

    Net()


@program
def assign_module_before_init(t, nn):
    class Net(nn.Module):
        def __init__(self):
            self.p = nn.Linear(1, 1)

    Net()


@program
def buffer_before_init(t, nn):
    class Net(nn.Module):
        def __init__(self):
            self.register_buffer("b", t.ones(1))

    Net()


@program
def parameter_before_init(t, nn):
    class Net(nn.Module):
        def __init__(self):
            self.register_parameter("b", None)

    Net()


@program
def tensor_for_parameter(t, nn):
    net(t, nn).scale = t.ones(3)


@program
def number_for_parameter(t, nn):
    net(t, nn).scale = 3


@program
def number_for_module(t, nn):
    net(t, nn).fc = 3


@program
def number_for_buffer(t, nn):
    net(t, nn).count = "x"


@program
def none_for_each(t, nn):
    m = net(t, nn)
    m.scale = m.fc = m.count = None
    return list(m.state_dict()), names(m.named_children()), m.scale, m.fc, m.count, repr(m)


@program
def replaced_by_other_kinds(t, nn):
    m = net(t, nn)
    m.x = 1
    m.x = nn.Parameter(t.ones(1))
    m.fc = nn.Parameter(t.ones(2))
    m.count = nn.ReLU()
    m.y = t.ones(2)
    m.scale = nn.Parameter(t.zeros(1))
    return list(m.state_dict()), names(m.named_children()), "y" in m.__dict__, repr(m)


@program
def parameter_for_buffer(t, nn):
    m = net(t, nn)
    m.count = nn.Parameter(t.ones(1))
    return list(m.state_dict()), names(m.named_buffers())


@program
def registrations(t, nn):
    m = net(t, nn)
    m.register_parameter("a", nn.Parameter(t.ones(1)))
    m.register_buffer("b", None)
    m.register_buffer("count", t.ones(2), persistent=False)
    m.add_module("c", None)
    m.register_module("d", nn.ReLU())
    return list(m.state_dict()), names(m.named_modules()), repr(m)


for kind, value in {"parameter": "Parameter", "buffer": "Tensor", "module": "Module"}.items():
    for label, name in {"dot": "a.b", "empty": "", "taken": "train", "number": 3}.items():

        def registered(t, nn, kind=kind, value=value, name=name):
            made = {"Parameter": nn.Parameter(t.ones(1)), "Tensor": t.ones(1), "Module": nn.ReLU()}[value]
            m = net(t, nn)
            (m.add_module if kind == "module" else getattr(m, f"register_{kind}"))(name, made)

        program[f"{kind}_named_{label}"] = registered

    def wrong(t, nn, kind=kind):
        m = net(t, nn)
        (m.add_module if kind == "module" else getattr(m, f"register_{kind}"))("new", 3)

    program[f"{kind}_of_another_type"] = wrong


@program
def tensor_registered_as_parameter(t, nn):
    net(t, nn).register_parameter("new", t.ones(1))


@program
def result_registered_as_parameter(t, nn):
    p = nn.Parameter(t.ones(1))
    net(t, nn).register_parameter("new", p * 2)


@program
def arguments_of_init(t, nn):
    class Net(nn.Module):
        pass

    Net(3)


@program
def keyword_of_init(t, nn):
    class Net(nn.Module):
        pass

    Net(x=3)


@program
def no_forward(t, nn):
    class Net(nn.Module):
        pass

    Net()(1)


@program
def call_of_super_init(t, nn):
    class Base:
        def __init__(self, **kwargs):
            self.seen = kwargs

    class Net(nn.Module, Base):
        call_super_init = True

    return Net(a=3).seen


# State


@program
def state_dict_values(t, nn):
    m = net(t, nn)
    with_vars = m.state_dict(keep_vars=True)
    into = OrderedDict()
    found = m.state_dict(destination=into, prefix="x.")
    return [
        dict(m.state_dict()),
        with_vars["scale"] is m.scale,
        m.state_dict()["scale"].requires_grad,
        list(into),
        into is found,
        type(m.state_dict()).__name__,
        dict(m.state_dict()._metadata),
    ]


@program
def state_dict_by_position(t, nn):
    return list(net(t, nn).state_dict(OrderedDict(), "p.", False))


@program
def load_strictly(t, nn):
    m = net(t, nn)
    state = m.state_dict()
    state["more"] = state.pop("scale")
    m.load_state_dict(state)


@program
def load_other_sizes(t, nn):
    m = net(t, nn)
    state = m.state_dict()
    state["scale"], state["fc.weight"] = t.ones(5), t.ones(1)
    m.load_state_dict(state)


@program
def load_not_strictly(t, nn):
    m = net(t, nn)
    state = m.state_dict()
    state["more"] = state.pop("scale")
    keys = m.load_state_dict(state, strict=False)
    return keys.missing_keys, keys.unexpected_keys, str(keys), repr(m.load_state_dict(m.state_dict()))


@program
def load_no_dict(t, nn):
    net(t, nn).load_state_dict(3)


@program
def load_no_tensor(t, nn):
    m = net(t, nn)
    m.load_state_dict({**m.state_dict(), "scale": 3.0})


@program
def load_other_dtype(t, nn):
    m = net(t, nn)
    m.load_state_dict({name: x.double() + 1 for name, x in m.state_dict().items()})
    return dict(m.state_dict())


@program
def load_by_assignment(t, nn):
    m = net(t, nn)
    state = {name: x.double() for name, x in m.state_dict().items()}
    m.load_state_dict(state, assign=True)
    return [dict(m.state_dict()), type(m.scale).__name__, m.scale.requires_grad, m.count is state["count"]]


@program
def load_keeps_identity(t, nn):
    m = net(t, nn)
    before = dict(m.named_parameters())
    m.load_state_dict(net(t, nn).state_dict())
    return [before[name] is p for name, p in m.named_parameters()]


@program
def extra_state(t, nn):
    class Net(nn.Module):
        state = 3

        def get_extra_state(self):
            return {"state": self.state}

        def set_extra_state(self, state):
            self.state = state["state"]

    m = nn.Sequential(Net())
    saved = m.state_dict()
    m[0].state = 5
    m.load_state_dict(saved)
    return list(saved), saved["0._extra_state"], m[0].state


@program
def extra_state_missing(t, nn):
    class Net(nn.Module):
        def get_extra_state(self):
            return 1

        def set_extra_state(self, state):
            pass

    Net().load_state_dict({})


@program
def extra_state_unexpected(t, nn):
    nn.ReLU().load_state_dict({"_extra_state": 3})


@program
def hooks_of_state(t, nn):
    seen = []
    m = net(t, nn)
    m.inner.register_state_dict_pre_hook(lambda module, prefix, keep: seen.append(("pre", prefix, keep)))
    m.register_state_dict_post_hook(lambda module, state, prefix, metadata: seen.append(("post", len(state), prefix)))
    m._register_state_dict_hook(lambda module, state, prefix, metadata: OrderedDict(only=state["scale"]))
    m.inner.register_load_state_dict_pre_hook(lambda module, state, prefix, *rest: seen.append(("load", prefix)))
    m._register_load_state_dict_pre_hook(lambda state, prefix, *rest: seen.append(("old", prefix, len(state))))
    m.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    state = m.state_dict()
    m.load_state_dict(state)
    return seen, list(state)


@program
def hook_of_state_that_returns(t, nn):
    m = net(t, nn)
    m.register_state_dict_post_hook(lambda module, state, prefix, metadata: state)
    m.state_dict()


@program
def overridden_loading(t, nn):
    class Old(nn.Linear):
        _version = 7

        def _load_from_state_dict(self, state, prefix, metadata, strict, missing, unexpected, errors):
            seen.append((prefix, metadata.get("version"), strict))
            if prefix + "w" in state:
                state[prefix + "weight"] = state.pop(prefix + "w")
            super()._load_from_state_dict(state, prefix, metadata, strict, missing, unexpected, errors)

        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "more"] = t.ones(1)

    seen = []
    m = nn.Sequential(Old(2, 1, bias=False))
    saved = m.state_dict()
    found = list(saved)
    del saved["0.more"]
    saved["0.w"] = saved.pop("0.weight")
    m.load_state_dict(saved)
    return found, seen


# Modes and conversions


@program
def modes(t, nn):
    m = net(t, nn)
    return [
        m.train() is m,
        m.eval() is m,
        [x.training for x in m.modules()],
        [x.training for x in m.inner.train().modules()],
        m.training,
        [p.requires_grad for p in m.requires_grad_(False).parameters()],
    ]


@program
def mode_of_another_type(t, nn):
    net(t, nn).train(1)


@program
def zero_grad(t, nn):
    m = net(t, nn)
    m(t.ones(4, 2)).sum().backward()
    m.zero_grad(set_to_none=False)
    zeros = [p.grad for p in m.parameters()]
    m.zero_grad()
    return zeros, [p.grad for p in m.parameters()]


@program
def conversions(t, nn):
    m = net(t, nn)
    m(t.ones(4, 2)).sum().backward()
    p, b = m.scale, m.count
    found = [
        m.double() is m,
        p is m.scale,
        b is m.count,
        str(p.grad.dtype),
        [str(x.dtype) for x in m.state_dict().values()],
    ]
    for convert in (m.float, m.half, lambda: m.to(t.float64), lambda: m.to("cpu"), lambda: m.to("cpu", t.float32),
                    lambda: m.to(t.ones(1).double()), lambda: m.to(dtype=t.float32), m.cpu,
                    lambda: m.to(device="cpu", dtype=t.float64, non_blocking=True), lambda: m.type(t.float32),
                    lambda: m.to(t.device("cpu"), t.float64, True)):  # fmt: skip
        convert()
        found.append([str(x.dtype) for x in m.state_dict().values()])
    return found


@program
def memory_formats(t, nn):
    m = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Linear(2, 1)).to(memory_format=t.channels_last)
    found = [[p.stride() for p in m.parameters()], m[0](t.ones(1, 2, 3, 3))]
    for convert in (nn.utils.convert_conv2d_weight_memory_format, nn.utils.convert_conv3d_weight_memory_format):
        made = convert(nn.Sequential(nn.Conv2d(2, 3, 2), nn.ConvTranspose2d(3, 2, 2)), t.channels_last)
        found.append([p.stride() for p in made.parameters()])
    return found


@program
def to_integers(t, nn):
    net(t, nn).to(t.int64)


@program
def type_converts_integers(t, nn):
    return [str(x.dtype) for x in net(t, nn).type(t.float64).state_dict().values()]


@program
def to_empty(t, nn):
    m = net(t, nn)
    p = m.scale
    return m.to_empty(device="cpu") is m, p is m.scale, [tuple(x.shape) for x in m.state_dict().values()]


@program
def apply(t, nn):
    seen = []
    m = net(t, nn)
    return m.apply(lambda module: seen.append(type(module).__name__)) is m, seen


@program
def overridden_apply(t, nn):
    class Net(nn.Linear):
        def _apply(self, fn, recurse=True):
            super()._apply(fn, recurse)
            self.seen = fn(t.ones(1))
            return self

    m = nn.Sequential(Net(1, 1)).double()
    return str(m[0].seen.dtype), str(m[0].weight.dtype)


@program
def share_memory_and_compile(t, nn):
    m = net(t, nn)
    return m.share_memory() is m


# Copies


def same_parts(t, m, other):
    return [
        list(m.state_dict()) == list(other.state_dict()),
        all(bool((a == b).all()) for a, b in zip(m.state_dict().values(), other.state_dict().values(), strict=True)),
        [a is b for a, b in zip(m.parameters(), other.parameters(), strict=True)],
        other.tied is other.fc if hasattr(other, "tied") else None,
        [p.requires_grad for p in other.parameters()],
        repr(other),
        other.training,
    ]


@program
def deepcopy(t, nn):
    m = net(t, nn).eval()
    m.fc.weight.requires_grad_(False)
    m.fc.bias.grad = t.ones(3)
    c = copy.deepcopy(m)
    return same_parts(t, m, c), c.fc.bias.grad, c.fc.bias.grad is m.fc.bias.grad, list(c.state_dict())


@program
def shallow_copy(t, nn):
    m = net(t, nn)
    c = copy.copy(m)
    c.new = nn.Parameter(t.ones(1))
    return same_parts(t, m.fc, copy.copy(m.fc)), len(list(m.parameters())), len(list(c.parameters()))


@program
def pickled(t, nn):
    m = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LSTM(3, 2, 2), nn.GRUCell(2, 1)).eval()
    return same_parts(t, m, pickle.loads(pickle.dumps(m)))


@program
def saved_whole(t, nn):
    m, file = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), io.BytesIO()
    t.save(m.state_dict(), file)
    file.seek(0)
    other = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    other.load_state_dict(t.load(file))
    return same_parts(t, m, other)


@program
def set_and_get_state(t, nn):
    class Net(nn.Linear):
        def __setstate__(self, state):
            super().__setstate__({**state, "more": 3})

    m = Net(2, 1)
    c = copy.copy(m)
    return c.more, hasattr(m, "more")


# Hooks


@program
def forward_hooks(t, nn):
    seen = []
    m = net(t, nn).eval()
    handles = [
        m.register_forward_pre_hook(lambda module, args: seen.append(("pre", len(args)))),
        m.register_forward_pre_hook(lambda module, args, kwargs: (args, {"twice": True}), with_kwargs=True),
        m.register_forward_hook(lambda module, args, out: seen.append(("post", tuple(out.shape)))),
        m.register_forward_hook(lambda module, args, kwargs, out: out + kwargs["twice"], with_kwargs=True),
        m.register_forward_pre_hook(lambda module, args: seen.append("first"), prepend=True),
        m.fc.register_forward_hook(lambda module, args, out: out * 0, always_call=True),
    ]
    counts = [len(m._forward_hooks), len(m._forward_pre_hooks), len(m.fc._forward_hooks), len(m._backward_hooks)]
    first = m(t.ones(4, 2))
    for handle in handles:
        handle.remove()
    return first, m(t.ones(4, 2)), seen, counts, len(m._forward_hooks), len(m._forward_pre_hooks)


@program
def hooks_cleared_by_hand(t, nn):
    m = nn.ReLU()
    hook = m.register_forward_hook(lambda module, args, out: out + 1)
    first = m(t.ones(1))
    assert list(m._forward_hooks) == [hook.id]
    m._forward_hooks.clear()
    return first, m(t.ones(1))


@program
def pre_hook_returns_one(t, nn):
    m = nn.ReLU()
    m.register_forward_pre_hook(lambda module, args: args[0] + 1)
    return m(t.ones(1))


@program
def pre_hook_with_kwargs_returns_wrongly(t, nn):
    m = nn.ReLU()
    m.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
    m(t.ones(1))


@program
def always_called(t, nn):
    seen = []

    class Net(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    m = Net()
    m.register_forward_hook(lambda module, args, out: seen.append(out), always_call=True)
    m.register_forward_hook(lambda module, args, out: seen.append("never"))
    try:
        m(1)
    except ValueError as error:
        return seen, str(error)


@program
def backward_hooks(t, nn):
    seen = []
    m = net(t, nn).eval()
    m.fc.register_full_backward_hook(lambda module, gin, gout: seen.extend([*gin, *gout]))
    m.fc.register_full_backward_hook(lambda module, gin, gout: (gin[0] * 2,))
    m.inner.register_full_backward_pre_hook(lambda module, gout: (gout[0] * 3,))
    x = t.arange(8.0).reshape(4, 2).requires_grad_()
    m(x).cos().sum().backward()
    return seen, x.grad, [p.grad for p in m.parameters()]


@program
def old_backward_hook(t, nn):
    seen = []
    m = nn.Linear(2, 1)
    m.register_backward_hook(lambda module, gin, gout: seen.append(gout[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's misses gradients of inputs, and says so
        m(t.ones(1, 2, requires_grad=True)).sum().backward()
    return seen


@program
def both_kinds_of_backward_hooks(t, nn):
    m = nn.Linear(2, 1)
    m.register_full_backward_hook(lambda *args: None)
    m.register_backward_hook(lambda *args: None)


@program
def backward_hooks_of_a_namedtuple(t, nn):
    Pair = namedtuple("Pair", "a b")

    class Net(nn.Module):
        def forward(self, x):
            return Pair(x * 2, x * 3)

    m = Net()
    m.register_full_backward_hook(lambda module, gin, gout: (gin[0] + 1,))
    x = t.ones(2, requires_grad=True)
    out = m(x)
    (out.a + out.b).sum().backward()
    return type(out).__name__, x.grad


@program
def hooks_are_copied(t, nn):
    m = nn.ReLU()
    m.register_forward_hook(lambda module, args, out: out + 1)
    c = copy.deepcopy(m)
    c._forward_hooks.clear()
    return m(t.ones(1)), c(t.ones(1))


@program
def global_hooks(t, nn):
    from importlib import import_module

    module = import_module(f"{nn.__name__}.modules.module") if t is torch else import_module(f"{nn.__name__}.module")
    seen = []
    handles = [
        module.register_module_forward_pre_hook(lambda m, args: seen.append(("pre", type(m).__name__))),
        module.register_module_forward_hook(lambda m, args, out: seen.append(("post", type(m).__name__))),
    ]
    nn.Sequential(nn.ReLU())(t.ones(1))
    for handle in handles:
        handle.remove()
    nn.ReLU()(t.ones(1))
    return seen


@program
def forward_assigned_to_the_instance(t, nn):
    m = nn.ReLU()
    m.forward = lambda x: x * 7
    return m(t.ones(1)), m.forward(t.ones(1))


@program
def functional_call(t, nn):
    m = net(t, nn).eval()
    m.tied = None  # with it PyTorch leaves the given parameters in the module
    other = {name: t.ones_like(p) for name, p in m.named_parameters()}
    x = t.ones(2, 2)
    first = t.func.functional_call(m, other, (x,))
    second = nn.utils.stateless.functional_call(m, other, x, {"twice": True})
    return first, second, m(x)


@program
def modules_put_between_named_ones(t, nn):
    named = nn.Sequential(OrderedDict(first=nn.Linear(1, 1)))
    named.append(nn.Tanh()).insert(1, nn.Linear(1, 1))
    return list(named.state_dict()), names(named.named_children())


@pytest.mark.parametrize("name", program)
def test_module(name):
    program.check(name)

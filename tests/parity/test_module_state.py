"""State dicts and copies of an nn.Module: each program gives PyTorch's result or error."""

import copy
import io
import pickle
from collections import OrderedDict

from .net import net
from .side_by_side import checked_programs

program, test_program_behaves_as_in_torch = checked_programs()


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
def parameters_that_go_to_meta_and_back(t, nn):
    """They are new objects, also where two modules shared one, and what a program held keeps its values."""
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2))
    m[1].weight = m[0].weight
    m[0].bias.requires_grad_(False)
    m(t.ones(3, 2)).sum().backward()
    held = m[0].weight
    found = []
    for convert in (lambda: m.double(), lambda: m.to("meta"), lambda: m.to_empty(device="cpu")):
        before = list(m.parameters())
        assert convert() is m
        found += [m[0].weight is held, m[0].weight is m[1].weight, held.device.type, held.grad.device.type]
        found += [(type(p).__name__, p.device.type, str(p.dtype)[-7:], p.requires_grad) for p in m.parameters()]
        found += [p.grad is None or (p.grad.device.type, p.grad is held.grad) for p in m.parameters()]
        found += [any(p is q for q in before) for p in m.parameters()]
    return found, held


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
def load_by_swapping(t, nn):
    flags = t.__future__
    flags.set_swap_module_params_on_conversion(True)
    try:
        seen = []
        for assign in (False, True):
            m, state = net(t, nn), net(t, nn).double().state_dict()
            m.scale.requires_grad_(False)
            before = m.state_dict(keep_vars=True)
            m.load_state_dict(state, assign=assign)
            now = m.state_dict(keep_vars=True)
            seen += [[before[name] is x, type(x).__name__, x.requires_grad, x.dtype] for name, x in now.items()]
            seen += [[x.data_ptr() == state[name].data_ptr() for name, x in now.items()], dict(m.state_dict())]
        return seen
    finally:
        flags.set_swap_module_params_on_conversion(False)


@program
def load_by_a_module_load_of_its_own(t, nn):
    class Sharing(t.Tensor):
        def module_load(self, other, assign=False):
            return other

    t.__future__.set_swap_module_params_on_conversion(True)
    try:
        m = nn.Module()
        m.x = nn.Buffer(t.ones(1).as_subclass(Sharing))
        m.load_state_dict({"x": t.tensor([3.0])})
    except RuntimeError:
        return "module_load must return a new Tensor"
    finally:
        t.__future__.set_swap_module_params_on_conversion(False)


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
def extra_state_that_makes_a_child(t, nn):
    class Grown(nn.Module):
        def __init__(self, size=0):
            super().__init__()
            self.scale = nn.Parameter(t.full((1,), float(size)))
            if size:
                self.set_extra_state(size)

        def get_extra_state(self):
            return self.fc.in_features

        def set_extra_state(self, size):
            self.fc, self.seen = nn.Linear(size, 1), self.scale.item()

    m = nn.Sequential(Grown())
    m.load_state_dict(nn.Sequential(Grown(3)).state_dict())
    return m[0].fc.weight, m[0].seen


@program
def buffer_over_an_existing_attribute(t, nn):
    m = nn.Module()
    m.steps = 5
    m.steps = nn.Buffer(t.zeros(1))


@program
def class_of_a_buffer(t, nn):
    class Image(t.Tensor):
        pass

    m = nn.Module()
    m.steps, m.later = nn.Buffer(t.zeros(1)), nn.UninitializedBuffer()
    m.later.materialize((1,))
    copied = copy.deepcopy(m)
    m.image = nn.Buffer(t.zeros(1).as_subclass(Image))
    buffers = [*m.buffers(), *copied.buffers(), m.steps.detach(), m.steps + 1, m.image * 2]
    return [(type(x).__name__, isinstance(x, nn.Buffer), hasattr(x, "persistent")) for x in buffers]


@program
def overridden_register_buffer(t, nn):
    class Recording(nn.Module):
        names = ()

        def register_buffer(self, name, tensor):
            self.names = (*self.names, name)
            super().register_buffer(name, tensor)

    m = Recording()
    m.a = nn.Buffer(t.zeros(1))
    m.a = t.ones(1)
    return m.names, m.state_dict()


@program
def materialize_with_an_integer(t, nn):
    p = nn.UninitializedParameter()
    p.materialize(3)
    return p.shape


@program
def share_memory_of_uninitialized_parameters(t, nn):
    nn.LazyLinear(2).share_memory()


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
def hooks_of_state_dicts(t, nn):
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
def load_state_dict_post_hook_of_a_submodule(t, nn):
    """A hook after loading sees the keys missing so far, and clearing them forgives only those."""
    seen, m = [], nn.Sequential(nn.Linear(1, 2), nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 1))

    def forgive(module, keys):
        seen.append(([*keys.missing_keys], [*keys.unexpected_keys], module[0].weight.tolist()))
        keys.missing_keys.clear()

    m[1].register_load_state_dict_post_hook(forgive)
    state = m.state_dict() | {"1.0.weight": t.ones(2, 2), "2.other": t.ones(1)}
    for key in ("0.bias", "1.0.bias", "2.bias"):
        del state[key]
    return m.load_state_dict(state, strict=False), seen


@program
def state_dict_post_hook_that_returns(t, nn):
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


# Copies


def same_parts(t, m, other):
    """Which parts of two modules are equal or the same objects."""
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
def saved_and_loaded(t, nn):
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

"""Modes, conversions and hooks of an nn.Module: each program gives PyTorch's result or error."""

import copy
import warnings
from collections import OrderedDict, namedtuple

from .net import names, net
from .side_by_side import checked_programs

program, test_program_behaves_as_in_torch = checked_programs()


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
def pre_hook_returns_a_single_argument(t, nn):
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
def module_to_a_copy(t, nn):
    net(t, nn).to("cpu", copy=True)


@program
def module_to_a_copy_by_position(t, nn):
    net(t, nn).to("cpu", t.float64, False, True)


@program
def deprecated_backward_hook(t, nn):
    seen = []
    m = nn.Linear(2, 1)
    m.register_backward_hook(lambda module, gin, gout: seen.append(gout[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns that some gradients of inputs are missing
        m(t.ones(1, 2, requires_grad=True)).sum().backward()
    return seen


@program
def deprecated_backward_hook_of_a_module_that_returns_a_dict(t, nn):
    class Net(nn.Linear):
        def forward(self, x):
            return {"name": "sum", "value": super().forward(x).sum()}

    seen = []
    m = Net(2, 1)
    m.register_backward_hook(lambda module, gin, gout: seen.extend(g for g in gout if g is not None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns that some gradients are missing
        result = m(t.ones(3, 2, requires_grad=True))
    (result["value"] * 2).backward()
    return seen, list(result), result["name"], m.weight.grad


@program
def deprecated_backward_hooks_are_those_of_the_last_node(t, nn):
    """They see gradients from an output that a forward hook stored, and inplace modules may have them."""
    seen, stored = [], []
    m = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True))
    for part in (m, m[1]):
        part.register_forward_hook(lambda module, args, out: stored.append(out))
        part.register_backward_hook(lambda module, gin, gout: seen.append((module is m, gin, gout)) or (gin[0] * 10,))
    x = t.ones(3, 2, requires_grad=True)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        y = m(x * 2)
    stored[0].sum().backward()
    return seen, y is stored[1], y.grad_fn.name(), x.grad, sorted(str(w.message) for w in found)


@program
def deprecated_backward_hooks_warn_of_what_they_miss(t, nn):
    class Net(nn.Module):
        def forward(self, x, kind):
            return {"both": (x * 2, x.exp()), "list": [x * 2], "one": x * 2, "none": x.detach(), "nothing": None}[kind]

    m, said = Net(), []
    m.register_backward_hook(lambda *args: said.append(len(args)))
    tensor = t.ones(2, requires_grad=True) * 1
    for call in (lambda kind: m(tensor, kind), lambda kind: m(x=tensor, kind=kind)):
        for kind in ("both", "list", "one", "none"):
            with warnings.catch_warnings(record=True) as found:
                warnings.simplefilter("always")
                call(kind)
            said += [(kind, w.category.__name__, str(w.message)) for w in found]
    return said


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
def backward_hooks_of_modules_that_are_gone(t, nn):
    class Stores(nn.Sequential):
        def forward(self, x):
            self.input, self.outputs = x, [super().forward(x)]
            return self.outputs[0]

    seen = []

    def hook(module, gin, gout):
        seen.extend((type(module).__name__, module.input, module.outputs[0] * 1, *gin, *gout))
        return (gin[0] * 2,)

    def loss(x):
        m = Stores(nn.Linear(2, 1, bias=False), nn.Tanh())
        m.register_full_backward_hook(hook)
        m[0].register_full_backward_pre_hook(lambda module, gout: (gout[0] * module.weight.sum(),))
        return m(x).sum() + m(x * 2).sum()

    x = t.ones(1, 2, requires_grad=True)
    loss(x).backward()
    return [y.detach() if isinstance(y, t.Tensor) else y for y in seen], x.grad


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

    module = import_module(f"{nn.__name__}.modules.module")
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
    m.tied = None  # with a tied module PyTorch doesn't restore the module's parameters
    other = {name: t.ones_like(p) for name, p in m.named_parameters()}
    x = t.ones(2, 2)
    first = t.func.functional_call(m, other, (x,))
    second = nn.utils.stateless.functional_call(m, other, x, {"twice": True})
    return first, second, m(x)


@program
def functional_call_of_a_module_that_holds_itself(t, nn):
    m = nn.Sequential(nn.Linear(1, 1))
    m[0].outer = m
    return t.func.functional_call(m, {"0.outer.0.weight": t.ones(1, 1)}, t.ones(1), tie_weights=False)


@program
def functional_call_with_an_extra_parameter(t, nn):
    class Counted(nn.Module):
        def forward(self):
            return len(list(self.parameters()))

    return t.func.functional_call(Counted(), {"a": nn.Parameter(t.ones(1)), "b": t.ones(1)})


@program
def append_and_insert_into_named_sequential(t, nn):
    named = nn.Sequential(OrderedDict(first=nn.Linear(1, 1)))
    named.append(nn.Tanh()).insert(1, nn.Linear(1, 1))
    return list(named.state_dict()), names(named.named_children())

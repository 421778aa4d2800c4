"""Names, registration and assignment of an nn.Module: each program gives PyTorch's result or error."""

from .net import names, net
from .side_by_side import checked_programs

program, test_program_behaves_as_in_torch = checked_programs()


# Names and getters


@program
def named_members(t, nn):
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
def named_modules_with_memo(t, nn):
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


@program
def renumbered_modules_call_no_registration_hooks(t, nn):
    seen = []
    with nn.modules.module.register_module_module_registration_hook(lambda m, name, child: seen.append(name)):
        for layers in (nn.ModuleList([nn.ReLU(), nn.Tanh()]), nn.Sequential(nn.ReLU(), nn.Tanh())):
            seen.append(layers.insert(0, nn.GELU()) is layers)  # a ModuleList returns None
            del layers[1]
            layers.append(nn.ReLU())
            layers[0] = nn.GELU()
    return seen


for kind, value in {"parameter": "Parameter", "buffer": "Tensor", "module": "Module"}.items():
    for label, name in {"dot": "a.b", "empty": "", "taken": "train", "number": 3}.items():

        def registered(t, nn, kind=kind, value=value, name=name):
            made = {"Parameter": nn.Parameter(t.ones(1)), "Tensor": t.ones(1), "Module": nn.ReLU()}[value]
            m = net(t, nn)
            (m.add_module if kind == "module" else getattr(m, f"register_{kind}"))(name, made)

        program[f"{kind}_named_{label}"] = registered

    def registered_wrong_type(t, nn, kind=kind):
        m = net(t, nn)
        (m.add_module if kind == "module" else getattr(m, f"register_{kind}"))("new", 3)

    program[f"{kind}_of_another_type"] = registered_wrong_type


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

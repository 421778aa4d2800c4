"""Forward, backward and registration hooks of modules."""

from typing import NamedTuple

import pytest

import microgad as torch
from microgad import nn


class Affine(nn.Module):
    """x · weight + shift; shift may be positional, a keyword or left out."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, 3.0]))

    def forward(self, x, shift=0.0):
        return x * self.weight + shift


def tensor(*values, grad=True):
    return torch.tensor(values, requires_grad=grad)


def test_hooks_run_in_order_around_forward():
    layer, seen = Affine(), []
    layer.register_forward_hook(lambda m, args, out: seen.append(("after", m is layer, args[0].tolist(), out.tolist())))
    layer.register_forward_pre_hook(lambda m, args: seen.append(("before 1", m is layer, args[0].tolist())))
    layer.register_forward_pre_hook(lambda m, args: seen.append("before 2"))
    layer.register_forward_pre_hook(lambda m, args: seen.append("before 0"), prepend=True)
    layer(tensor(1.0, 1.0))
    assert seen == ["before 0", ("before 1", True, [1, 1]), "before 2", ("after", True, [1, 1], [2, 3])]


def test_hooks_of_all_modules_run_before_a_modules_own():
    layer, seen, everywhere = Affine(), [], torch.nn.modules.module
    layer.register_forward_pre_hook(lambda m, args: seen.append("own before"))
    layer.register_forward_hook(lambda m, args, out: seen.append("own after"))
    layer.register_full_backward_pre_hook(lambda m, go: seen.append("own before backward"))
    layer.register_full_backward_hook(lambda m, gi, go: seen.append("own after backward"))
    with (
        everywhere.register_module_forward_pre_hook(lambda m, args: seen.append("before")),
        everywhere.register_module_forward_hook(lambda m, args, out: seen.append("after")),
        everywhere.register_module_full_backward_pre_hook(lambda m, go: seen.append("before backward")),
        everywhere.register_module_full_backward_hook(lambda m, gi, go: seen.append("after backward")),
    ):
        layer(tensor(1.0, 1.0)).sum().backward()
    times = ["before", "after", "before backward", "after backward"]
    assert seen == [words for time in times for words in (time, f"own {time}")]


def test_hooks_replace_arguments_and_results():
    layer = Affine()
    with layer.register_forward_pre_hook(lambda m, args: args[0] * 10):
        assert layer(tensor(1.0, 1.0)).tolist() == [20, 30]
    with layer.register_forward_pre_hook(lambda m, args: (args[0], 5.0)):
        assert layer(tensor(1.0, 1.0)).tolist() == [7, 8]
    with (
        layer.register_forward_hook(lambda m, args, out: out - 1),
        layer.register_forward_hook(lambda m, args, out: out * 2),
    ):
        assert layer(tensor(1.0, 1.0)).tolist() == [2, 4]
    assert layer(tensor(1.0, 1.0)).tolist() == [2, 3]


def test_hooks_with_kwargs():
    layer, seen = Affine(), []
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"shift": kwargs["shift"] + 1}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert layer(tensor(1.0, 1.0), shift=1.0).tolist() == [4, 5]
    assert seen == [{"shift": 2.0}]
    layer.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"forward pre-hook must return None or a tuple of \(new_args, new_kwargs\)"):
        layer(tensor(1.0, 1.0), shift=1.0)


def test_a_removed_hook_is_not_called():
    layer, seen = Affine(), []
    handle = layer.register_forward_hook(lambda m, args, out: seen.append(1))
    handle.remove()
    handle.remove()
    layer(tensor(1.0, 1.0))
    assert seen == []


def test_hooks_with_always_call_are_called_after_an_error_and_their_own_errors_warn():
    layer, seen = Affine(), []
    layer.register_forward_hook(lambda m, args, out: seen.append("skipped"))
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(RuntimeError):
        layer(torch.ones(7))
    assert seen == [None]
    layer.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True, always_call=True)
    with pytest.raises(RuntimeError):
        layer(torch.ones(7), shift=1.0)
    assert seen == [None, None, {"shift": 1.0}]
    layer.register_forward_hook(lambda m, args, out: 1 / 0, always_call=True)
    with pytest.warns(UserWarning, match="ZeroDivisionError"), pytest.raises(RuntimeError, match="Mul"):
        layer(torch.ones(7))


def test_an_always_called_hook_is_called_once():
    layer, seen = Affine(), []
    layer.register_forward_hook(lambda m, args, out: seen.append("first"), always_call=True)
    layer.register_forward_hook(lambda m, args, out: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        layer(tensor(1.0, 1.0))
    assert seen == ["first"]


def test_hooks_run_under_the_module_path():
    net, paths = nn.Sequential(Affine()), []
    net[0].register_forward_pre_hook(lambda m, args: paths.append((args[0] * 1).node.path))
    net[0].register_forward_hook(lambda m, args, out: paths.append((out * 1).node.path))
    net(tensor(1.0, 1.0))
    assert paths == ["0", "0"]


def test_backward_hooks_see_the_gradients_of_inputs_and_outputs():
    layer, seen = Affine(), []
    layer.register_full_backward_hook(
        lambda m, gi, go: seen.append((m is layer, gi[0].tolist(), gi[1], go[0].tolist()))
    )
    layer.register_full_backward_pre_hook(lambda m, go: seen.append(("pre", go[0].tolist())))
    x = tensor(1.0, 1.0)
    (layer(x, 0.0) * 5).sum().backward()
    assert seen == [("pre", [5, 5]), (True, [10, 15], None, [5, 5])]
    assert x.grad.tolist() == [10, 15]
    assert layer.weight.grad.tolist() == [5, 5]


def test_backward_hooks_replace_gradients():
    layer, x = Affine(), tensor(1.0, 1.0)
    with layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 100,)):
        layer(x).sum().backward()
    assert x.grad.tolist() == [200, 300]
    assert layer.weight.grad.tolist() == [1, 1]
    x.grad = layer.weight.grad = None
    with layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 100,)):
        layer(x).sum().backward()
    assert x.grad.tolist() == [200, 300]
    assert layer.weight.grad.tolist() == [100, 100]


def test_backward_hooks_of_many_inputs_and_outputs():
    class Pair(NamedTuple):
        total: torch.Tensor
        first: torch.Tensor
        note: str

    class Many(nn.Module):
        def forward(self, a, b, c, scale):
            return Pair(a * scale + b + c, a * 7, "note")

    layer, seen = Many(), []
    layer.register_full_backward_hook(
        lambda m, gi, go: seen.append([[g if g is None else g.item() for g in grads] for grads in (gi, go)])
    )
    a, b, c = tensor(1.0), tensor(1.0), tensor(1.0, grad=False)
    out = layer(a, b, c, 3.0)
    assert isinstance(out, Pair)
    assert out.note == "note"
    (out.total + 2 * out.first).sum().backward()
    assert seen == [[[3 + 14, 1, 0, None], [1, 2, None]]]
    assert (a.grad.item(), b.grad.item()) == (17, 1)


def test_backward_hooks_run_once_a_backward():
    layer, x, seen = Affine(), tensor(1.0, 1.0), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(go[0].tolist()))
    y = layer(x)
    y.sum().backward(retain_graph=True)
    (y * 2).sum().backward()
    assert seen == [[1, 1], [2, 2]]


def test_backward_hooks_of_a_module_called_twice():
    layer, seen = Affine(), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(go[0].tolist()))
    layer(layer(tensor(1.0, 1.0))).sum().backward()
    assert seen == [[1, 1], [2, 3]]


def test_warnings_about_hooks_of_a_module_within_modules_are_at_the_programs_line():
    class Listed(Affine):
        def forward(self, x):
            return [super().forward(x)]

    for register in ("register_backward_hook", "register_full_backward_hook"):
        layer = Listed()
        getattr(layer, register)(lambda *args: None)
        with pytest.warns(match="backward hooks") as warned:
            nn.Sequential(nn.Sequential(layer))(tensor(1.0, 1.0))
        assert [w.filename for w in warned] == [__file__]


def test_backward_hooks_without_an_input_that_requires_grad_warn():
    layer, seen = Affine(), []
    handle = layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    with pytest.warns(UserWarning, match="since no inputs require gradients") as warned:
        layer(torch.ones(2)).sum().backward()
    assert warned[0].filename == __file__
    assert seen == [((None,), [1, 1])]
    handle.remove()
    for changed in ((torch.ones(2),), torch.ones(2)):
        with layer.register_full_backward_hook(lambda m, gi, go, changed=changed: changed):
            y = layer(torch.ones(2)).sum()
            message = "where no input requires gradient should always return None"
            with pytest.warns(UserWarning, match="no input"), pytest.raises(RuntimeError, match=message):
                y.backward()


def test_a_removed_hook_leaves_no_entry():
    layer = Affine()
    handle = layer.register_forward_hook(lambda m, args, kwargs, out: None, with_kwargs=True, always_call=True)
    handle.remove()
    assert not any((layer._forward_hooks, layer._forward_hooks_with_kwargs, layer._forward_hooks_always_called))


def test_backward_hooks_that_return_a_wrong_number_of_gradients_raise():
    layer, x = Affine(), tensor(1.0, 1.0)
    for extra in tensor(1.0, 1.0), 1:
        with layer.register_full_backward_hook(lambda m, gi, go, extra=extra: (gi[0], extra)):
            y = layer(x).sum()
            with pytest.raises(RuntimeError, match="invalid number of grad_input, got 2, but expected 1"):
                y.backward()
    with layer.register_full_backward_hook(lambda m, gi, go: gi[0]):
        y = layer(x).sum()
        with pytest.raises(RuntimeError, match="invalid number of grad_input, got a Tensor, but expected a tuple of 1"):
            y.backward()
    with layer.register_full_backward_pre_hook(lambda m, go: ()):
        y = layer(x).sum()
        with pytest.raises(RuntimeError, match="invalid number of grad_output, got 0, but expected 1"):
            y.backward()


def test_backward_hooks_record_nothing_under_no_grad():
    layer, seen = Affine(), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(1))
    x = tensor(1.0, 1.0)
    with torch.no_grad():
        y = layer(x)
    assert y.node is None
    assert seen == []


def test_backward_hooks_see_no_tangents():
    layer, seen = Affine(), []

    def hook(module, grad_input, grad_output):
        seen.append(grad_output)
        return (grad_input[0] * 5,)

    layer.register_full_backward_hook(hook)
    _, tangent = torch.func.jvp(layer, (tensor(1.0, 1.0),), (tensor(1.0, 0.0),))
    assert (tangent.tolist(), seen) == ([2, 0], [])


def test_backward_hooks_warn_about_outputs_of_other_types():
    class Dictionary(nn.Module):
        def forward(self, x):
            return {"out": x}

    layer = Dictionary()
    layer.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.warns(UserWarning, match="output should be a Tensor or a tuple of Tensors but received <class 'dict'>"):
        layer(tensor(1.0))


def test_second_derivatives_go_through_hooks():
    layer, x, seen = Affine(), tensor(1.0, 2.0), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(gi[0].sum().item()))
    (first,) = torch.autograd.grad((layer(x) ** 3).sum(), x, create_graph=True)
    assert seen == [3 * 4 * 2 + 3 * 36 * 3]
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.tolist() == [6 * 1 * 8, 6 * 2 * 27]


def test_in_place_writes_to_inputs_and_outputs_of_hooked_modules_raise():
    relu, affine, message = nn.ReLU(inplace=True), Affine(), "BackwardHookFunction.* is a view and is being modified"
    for layer in (relu, affine):
        layer.register_full_backward_hook(lambda m, gi, go: None)
    x = tensor(-1.0, 1.0) * 1
    with pytest.raises(RuntimeError, match=message):
        relu(x)
    assert x.tolist() == [-1, 1]
    out = affine(tensor(1.0, 1.0))
    with pytest.raises(RuntimeError, match=message):
        out += 1


def test_gradients_that_a_hook_keeps_do_not_change():
    layer, kept, x = nn.Identity(), [], tensor(1.0, 1.0)
    layer.register_full_backward_hook(lambda m, gi, go: kept.extend((gi[0], go[0])))
    (layer(x) * torch.tensor([2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [2, 3]
    assert [g.tolist() for g in kept] == [[2, 3], [2, 3]]
    x.grad.zero_()
    assert [g.tolist() for g in kept] == [[2, 3], [2, 3]]


def test_gradients_that_bypass_the_outputs_call_no_hook():
    class Stores(nn.Module):
        def forward(self, x):
            self.inner = x * 2
            return self.inner * 3

    layer, seen, x = Stores(), [], tensor(1.0)
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(go[0].item()))
    layer(x).sum().backward(retain_graph=True)
    layer.inner.sum().backward()
    assert seen == [1]
    assert x.grad.item() == 8


@pytest.mark.parametrize("own_del", [False, True])
def test_hooks_of_a_module_that_is_gone_are_called(own_del):
    class Own(Affine):
        def __del__(self):
            pass

    layer, seen, x = Own() if own_del else Affine(), [], tensor(1.0, 1.0)
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(m.weight.tolist()))
    y = layer(x)
    del layer
    y.sum().backward()
    assert seen == [[2, 3]]
    assert x.grad.tolist() == [2, 3]


def test_forward_hooks_added_or_removed_during_forward_take_effect():
    layer, seen = Affine(), []

    def add_another(module, args):
        handles.append(module.register_forward_hook(lambda *_: seen.append("added"), always_call=True))

    layer.register_forward_pre_hook(add_another)
    removed = layer.register_forward_hook(lambda *_: seen.append("removed"))
    layer.register_forward_pre_hook(lambda *_: removed.remove())
    handles = []
    layer(tensor(1.0))
    assert seen == ["added"]
    handles[0].remove()
    with pytest.raises(RuntimeError):
        layer(torch.ones(3))
    assert seen == ["added", "added"]


@pytest.mark.parametrize("write", [lambda x: x.mul_(2), lambda x: x.__setitem__(0, 5.0)])
def test_backward_from_an_output_that_is_a_view_raises_after_a_write_to_its_base(write):
    layer, a = nn.Flatten(0), tensor(1.0, 1.0)
    layer.register_full_backward_hook(lambda m, gi, go: None)
    x = a * 1
    y = layer(x.reshape(1, 2))
    before = y.sum()
    write(x)
    with pytest.raises(RuntimeError, match="Output 0 of BackwardHookFunction is a view and its base"):
        y.sum().backward()
    before.backward()
    assert a.grad.tolist() == [1, 1]


@pytest.mark.parametrize("replaced", [False, True])
def test_registration_hooks_see_and_may_replace_what_modules_register(replaced):
    seen = []

    def hook(module, name, value):
        seen.append(name)
        value.seen = True
        return value if replaced else None

    hooks = torch.nn.modules.module
    with (
        hooks.register_module_parameter_registration_hook(hook),
        hooks.register_module_buffer_registration_hook(hook),
        hooks.register_module_module_registration_hook(hook),
    ):
        net = nn.Sequential(nn.BatchNorm1d(2))
        net.extra = nn.Parameter(torch.zeros(1))
    assert seen == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked", "0", "extra"]
    assert all(x.seen for x in (*net.parameters(), *net.buffers(), net[0]))
    net.after = nn.Parameter(torch.zeros(1))
    assert not hasattr(net.after, "seen")


def test_backward_hooks_may_return_lists():
    layer, x = Affine(), tensor(1.0, 1.0)
    layer.register_full_backward_pre_hook(lambda module, grad_output: [grad_output[0] * 2])
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: [grad * 3 for grad in grad_input])
    layer(x).sum().backward()
    assert x.grad.tolist() == [12, 18]
    assert layer.weight.grad.tolist() == [2, 2]

"""state_dict and load_state_dict: contents, conversions, hooks, and errors, which change nothing."""

import copy
import gc
from collections import OrderedDict

import numpy as np
import pytest

import microgad as torch
from microgad import nn


def net():
    model = nn.Sequential(OrderedDict(fc=nn.Linear(3, 2), act=nn.ReLU(), norm=nn.BatchNorm1d(2)))
    model.register_buffer("seen", torch.zeros(1))
    model.register_buffer("scratch", torch.zeros(1), persistent=False)
    return model


def snapshot(model):
    """Each parameter and buffer, its array, and a copy of the values."""
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    return {name: (t, t.array, t.array.copy()) for name, t in tensors.items() if not nn.parameter.is_lazy(t)}


def assert_unchanged(model, before):
    now = snapshot(model)
    assert list(now) == list(before)
    for name, (tensor, array, values) in before.items():
        assert now[name][0] is tensor, name
        assert now[name][1] is array, name
        np.testing.assert_array_equal(now[name][2], values, name)


def test_keys_values_and_metadata():
    model = net()
    state = model.state_dict()
    assert isinstance(state, OrderedDict)
    norm = ["norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]
    assert list(state) == ["seen", "fc.weight", "fc.bias", *norm]
    assert state["norm.num_batches_tracked"].shape == ()
    assert state["norm.num_batches_tracked"].dtype == torch.int64
    assert not state["fc.weight"].requires_grad
    assert state["fc.weight"].array is model.fc.weight.array
    assert model.state_dict(keep_vars=True)["fc.weight"] is model.fc.weight
    assert list(model.fc.state_dict(prefix="p.")) == ["p.weight", "p.bias"]
    assert [(path, known["version"]) for path, known in state._metadata.items()] == [
        ("", 1), ("fc", 1), ("act", 1), ("norm", 2)
    ]  # fmt: skip
    destination = {}
    assert model.fc.state_dict(destination=destination) is destination
    assert list(destination) == ["weight", "bias"]


def test_load_state_dict_copies_values_into_the_parameters():
    torch.manual_seed(0)
    one, other = net(), net()
    assert not torch.equal(one.fc.weight, other.fc.weight)
    weight, version = other.fc.weight, other.fc.weight._version
    assert repr(other.load_state_dict(one.state_dict())) == "<All keys matched successfully>"
    assert torch.equal(one.fc.weight, other.fc.weight)
    assert other.fc.weight is weight
    assert weight.array is not one.fc.weight.array
    assert weight.requires_grad
    assert weight._version > version


def test_loaded_values_are_converted_to_the_dtype():
    model = nn.Linear(1, 1)
    model.register_buffer("count", torch.tensor(0))
    bias = torch.tensor([0.5], dtype=torch.float64)
    model.load_state_dict({"weight": torch.tensor([[2]]), "bias": bias, "count": torch.tensor(3.0)})
    assert (model.weight.item(), model.bias.item(), model.count.item()) == (2.0, 0.5, 3)
    assert (model.weight.dtype, model.bias.dtype, model.count.dtype) == (torch.float32, torch.float32, torch.int64)


def test_backward_after_loading_raises():
    model = nn.Linear(2, 1)
    y = model(torch.ones(1, 2, requires_grad=True)).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_assign_replaces_parameters_and_keeps_requires_grad():
    model, state = net(), net().double().state_dict()
    kept = nn.Parameter(torch.zeros(2))
    state["fc.bias"] = kept
    model.fc.requires_grad_(False)
    model.load_state_dict(state, assign=True)
    assert model.fc.weight.dtype == torch.float64
    assert model.fc.weight.array is state["fc.weight"].array
    assert isinstance(model.fc.weight, nn.Parameter)
    assert model.fc.bias is kept
    assert not model.fc.weight.requires_grad
    assert not kept.requires_grad
    assert model.norm.weight.requires_grad
    assert model.norm.running_mean is state["norm.running_mean"]
    assert model.fc._parameters["weight"] is model.fc.weight


def test_a_state_dict_without_metadata_is_loaded():
    layer, state = nn.Linear(2, 1), nn.Linear(2, 1).state_dict()
    state._metadata = None
    layer.load_state_dict(state)
    assert torch.equal(layer.weight, state["weight"])


SIZES = (
    "size mismatch for fc.bias: copying a param with shape torch.Size([5]) from checkpoint, "
    "the shape in current model is torch.Size([2])."
)
NO_TENSOR = (
    'While copying the parameter named "fc.bias", expected torch.Tensor or Tensor-like object from checkpoint '
    "but received <class 'list'>"
)


def changed_state(change):
    state = net().state_dict()
    change(state)
    return state


FAILURES = {
    "missing": (
        lambda s: (s.pop("seen"), s.pop("norm.bias")),
        ['Missing key(s) in state_dict: "seen", "norm.bias". '],
    ),
    "unexpected": (
        lambda s: s.update({"gone": torch.ones(1), "fc.gain": torch.ones(1), "old.weight": torch.ones(1)}),
        ['Unexpected key(s) in state_dict: "gone", "old.weight", "fc.gain". '],
    ),
    "sizes": (lambda s: s.update({"fc.bias": torch.ones(5)}), [SIZES]),
    "all": (
        lambda s: (s.pop("seen"), s.update({"gone": torch.ones(1), "fc.bias": torch.ones(5)})),
        ['Missing key(s) in state_dict: "seen". ', 'Unexpected key(s) in state_dict: "gone". ', SIZES],
    ),
    "no tensor": (lambda s: s.update({"fc.bias": [1.0, 2.0]}), [NO_TENSOR]),
}


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_load_lists_all_errors_and_changes_nothing(kind, assign):
    change, messages = FAILURES[kind]
    model, state = net(), changed_state(change)
    before = snapshot(model)
    with pytest.raises(RuntimeError) as error:
        model.load_state_dict(state, assign=assign)
    assert str(error.value) == "\n\t".join(["Error(s) in loading state_dict for Sequential:", *messages])
    assert_unchanged(model, before)
    keys = list(state)
    with pytest.raises(RuntimeError):
        model.load_state_dict(state, assign=assign)
    assert list(state) == keys


@pytest.mark.parametrize("kind", ["sizes", "no tensor"])
def test_wrong_sizes_and_types_raise_if_not_strict_as_well(kind):
    model, state = net(), changed_state(FAILURES[kind][0])
    before = snapshot(model)
    with pytest.raises(RuntimeError):
        model.load_state_dict(state, strict=False)
    assert_unchanged(model, before)


def test_a_load_that_is_not_strict_returns_missing_and_unexpected_keys():
    model, state = net(), changed_state(lambda s: (s.pop("seen"), s.update({"gone": torch.ones(1)})))
    keys = model.load_state_dict(state, strict=False)
    assert keys == (["seen"], ["gone"])
    assert (keys.missing_keys, keys.unexpected_keys) == (["seen"], ["gone"])
    assert repr(keys) == "_IncompatibleKeys(missing_keys=['seen'], unexpected_keys=['gone'])"
    assert type(keys) is torch.nn.modules.module._IncompatibleKeys  # libraries import it from there
    assert torch.equal(model.fc.weight, state["fc.weight"])


def test_a_value_that_cannot_be_converted_changes_nothing(monkeypatch):
    state = {key: value.half() for key, value in net().state_dict().items()}
    model, to, calls = net(), torch.Tensor.to, []

    def fails_at_the_third(self, **kwargs):
        calls.append(self)
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return to(self, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", fails_at_the_third)
    before = snapshot(model)
    with pytest.raises(RuntimeError, match="out of memory"):
        model.load_state_dict(state)
    assert len(calls) == 3
    assert_unchanged(model, before)


def test_a_state_that_is_no_mapping_raises():
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        net().load_state_dict([])


def test_state_dict_hooks_are_called_and_must_not_replace_the_state():
    model, seen = nn.Linear(1, 1), []
    model.register_state_dict_pre_hook(lambda m, prefix, keep_vars: seen.append(("pre", prefix, keep_vars)))
    model.register_state_dict_post_hook(lambda m, state, prefix, metadata: state.pop(f"{prefix}bias") and None)
    outer = nn.Sequential(model)
    assert list(outer.state_dict()) == ["0.weight"]
    assert seen == [("pre", "0.", False)]
    model.register_state_dict_post_hook(lambda m, state, prefix, metadata: state)
    with pytest.raises(RuntimeError, match="post-hook must return None"):
        outer.state_dict()


def test_load_state_dict_hooks_may_rename_keys_and_remove_missing_ones():
    model, seen = nn.Sequential(nn.Linear(1, 1)), []

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        state[f"{prefix}weight"] = state.pop(f"{prefix}w")

    def move_to_front(module, state, prefix, *args):
        state.move_to_end("0.w", last=False)  # the outermost module's is an OrderedDict, whatever was given

    def forgive(module, keys):
        seen.append((module.bias.item(), module.weight.item()))
        keys.missing_keys.remove("0.bias")

    model.register_load_state_dict_pre_hook(move_to_front)
    model[0].register_load_state_dict_pre_hook(rename)
    model[0].register_load_state_dict_post_hook(forgive)
    with torch.no_grad():
        model[0].bias.fill_(7)
    keys = model.load_state_dict({"0.w": torch.tensor([[3.0]])})
    assert keys == ([], [])
    assert seen == [(7, 3)]  # the hook sees the loaded module


def test_a_load_that_fails_after_its_hooks_is_undone():
    for assign in (False, True):
        model = net()
        model.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.append("more"))
        before = snapshot(model)
        with pytest.raises(RuntimeError, match=r'Missing key.* "more"'):
            model.load_state_dict(net().state_dict(), assign=assign)
        assert_unchanged(model, before)


class Careful(nn.Linear):
    """It changes itself in every way before it refuses a negative weight."""

    largest, refuses = 0.0, False

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.largest = self.weight.max().item()
        self.weight.data = torch.zeros(3, 3)
        self.part = nn.Linear(1, 1)
        self.register_buffer("more", torch.ones(1))
        if self.refuses:
            raise ValueError("no")


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("refuses", [False, True])
def test_a_failed_load_is_undone_where_a_part_loads_in_its_own_way(assign, refuses):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.LazyLinear(2), Careful(2, 1))
    state = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2), Careful(2, 1)).state_dict()
    state = {name: x + 1 for name, x in state.items() if refuses or name != "3.bias"}
    model[3].refuses = refuses
    before = snapshot(model)
    with pytest.raises(ValueError if refuses else RuntimeError, match=r'^no$|Missing key.* "3.bias"'):
        model.load_state_dict(state, assign=assign)
    assert_unchanged(model, before)
    assert (model[3].largest, hasattr(model[3], "part")) == (0.0, False)


def test_a_module_has_no_extra_state():
    with pytest.raises(RuntimeError, match=r"Module.get_extra_state\(\) that should never be called"):
        nn.Linear(1, 1).get_extra_state()
    with pytest.raises(RuntimeError, match=r"Module.set_extra_state\(\) that should never be called"):
        nn.Linear(1, 1).set_extra_state(None)


def test_extra_state_is_saved_and_loaded():
    class Counted(nn.Linear):
        steps = 0

        def get_extra_state(self):
            return {"steps": self.steps}

        def set_extra_state(self, state):
            self.steps = state["steps"]

    model = nn.Sequential(Counted(1, 1))
    model[0].steps = 5
    state = copy.deepcopy(model.state_dict())
    assert state["0._extra_state"] == {"steps": 5}
    model[0].steps = 0
    model.load_state_dict(state)
    assert model[0].steps == 5
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match=r'Missing key.* "0._extra_state"'):
        model.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r'Unexpected key.* "0._extra_state"'):
        nn.Sequential(nn.Linear(1, 1)).load_state_dict(model.state_dict())


def test_loading_leaves_nothing_for_the_garbage_collector():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    gc.collect()
    model.load_state_dict(model.state_dict())
    assert gc.collect() == 0


def test_a_subclass_may_load_an_older_layout():
    class Renamed(nn.Linear):
        _version = 2

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            if local_metadata.get("version", 1) < 2:
                state_dict[f"{prefix}weight"] = state_dict.pop(f"{prefix}kernel")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    model = nn.Sequential(Renamed(1, 1))
    old = {"0.kernel": torch.tensor([[4.0]]), "0.bias": torch.tensor([1.0])}
    model.load_state_dict(old)
    assert model[0].weight.item() == 4
    assert list(old) == ["0.kernel", "0.bias"]
    model.load_state_dict(model.state_dict())


def test_batch_norm_loads_old_states_without_num_batches_tracked():
    model = nn.BatchNorm1d(2)
    model.num_batches_tracked.fill_(3)
    state = model.state_dict()
    del state["num_batches_tracked"]
    with pytest.raises(RuntimeError, match=r'Missing key.* "num_batches_tracked"'):
        model.load_state_dict(state)
    model.load_state_dict(dict(state))  # the dict has no version
    assert model.num_batches_tracked.item() == 3


def test_a_parameter_without_dimensions_loads_a_tensor_of_one_element():
    module = nn.Module()
    module.scale = nn.Parameter(torch.tensor(1.0))
    module.load_state_dict({"scale": torch.tensor([3.0])})
    assert module.scale.shape == ()
    assert module.scale.item() == 3
    with pytest.raises(RuntimeError, match="size mismatch"):
        module.load_state_dict({"scale": torch.tensor([3.0, 4.0])})


@pytest.mark.parametrize("strict", [True, False])
def test_a_direct_call_of_load_from_state_dict_writes_values(strict):
    layer, missing, unexpected, errors = nn.Linear(1, 1), [], [], []
    bias = layer.bias.item()
    given = {"p.weight": torch.tensor([[2.0]]), "p.other": torch.tensor(0.0)}
    layer._load_from_state_dict(given, "p.", {}, strict, missing, unexpected, errors)
    assert layer.weight.item() == 2
    assert layer.bias.item() == bias
    assert (missing, unexpected, errors) == ((["p.bias"], ["p.other"], []) if strict else ([], [], []))


def test_a_key_that_ends_with_a_dot_is_unexpected_once():
    assert nn.Sequential(nn.ReLU()).load_state_dict({"0.": 1}, strict=False).unexpected_keys == ["0."]


def test_consume_prefix_removes_the_prefix_from_keys_and_metadata():
    state = OrderedDict({"module.weight": 1, "module": 2, "modules.weight": 3})
    state._metadata = OrderedDict({"": 4, "module": 5, "module.fc": 6})
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    assert state == {"weight": 1, "module": 2, "modules.weight": 3}
    assert state._metadata == {"": 5, "fc": 6}


def test_assigning_integers_to_trainable_parameters_raises():
    model, state = net(), net().state_dict()
    before = snapshot(model)
    state["norm.weight"] = torch.ones(2, dtype=torch.int64)
    with pytest.raises(RuntimeError, match=r"loading state_dict for Sequential:\n\t.*norm.weight.*torch.int64"):
        model.load_state_dict(state, assign=True)
    assert_unchanged(model, before)
    model.requires_grad_(False)
    model.load_state_dict(state, assign=True)
    assert model.norm.weight.dtype == torch.int64


def test_a_post_hook_of_load_state_dict_that_returns_keys_raises():
    layer = nn.Linear(2, 1)
    layer.register_load_state_dict_post_hook(lambda module, keys: keys)
    with pytest.raises(AssertionError, match="in place"):
        layer.load_state_dict(layer.state_dict())


def test_an_overridden_load_from_state_dict_sees_the_loaded_values():
    class Counted(nn.Linear):
        def _load_from_state_dict(self, *args):
            super()._load_from_state_dict(*args)
            self.largest = self.weight.max().item()

    model = nn.Sequential(nn.Linear(2, 2), Counted(2, 1))
    model.load_state_dict({name: torch.full_like(x, 7) for name, x in model.state_dict().items()})
    assert model[1].largest == 7


def test_loading_looks_at_each_key_a_few_times_however_many_modules_there_are():
    looks = []

    class Key(str):
        __slots__ = ()

        def startswith(self, *prefix):
            looks.append(self)
            return super().startswith(*prefix)

    model = nn.Sequential(*[nn.Linear(1, 1) for _ in range(50)])
    assert not any(model.load_state_dict({Key(key): value for key, value in model.state_dict().items()}))
    assert len(looks) < 6 * 100


def test_a_child_whose_name_has_a_dot_is_loaded():
    def model():
        made = nn.Module()
        made.a = nn.Linear(1, 1)
        setattr(made, "a.b", nn.Linear(1, 1))
        return made

    saved, loaded = model(), model()
    loaded.load_state_dict(saved.state_dict(), strict=False)  # the keys of a.b are unexpected in a
    assert all(map(torch.equal, loaded.parameters(), saved.parameters()))

"""Saved modules and plain objects: they are restored if their classes are importable, and no code of a file is run."""

from __future__ import annotations

import argparse
import enum
import functools
import io
import pickle
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.serialization import FileError, objects
from microgad.utils.data import DataLoader, TensorDataset

from ..processes import run
from .files import reloaded, zip_of

HERE = sys.modules[__name__]


class Net(nn.Module):
    kind = "net"

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU())
        self.rnn = nn.LSTM(4, 3, bidirectional=True)
        self.act, self.norm = nn.functional.relu, nn.LayerNorm
        self.options = argparse.Namespace(scale=2.0)
        self.tied = self.body[0]

    def forward(self, x: Any) -> Any:
        return self.rnn(self.act(self.body(x)) * self.options.scale)[0]


class Plain:
    def __new__(cls) -> Any:
        raise AssertionError("no __new__ runs")

    def __init__(self) -> None:
        raise AssertionError("no __init__ runs")


def fail(cls: type) -> Any:
    raise AssertionError("no __new__ runs")


class Decorated(Plain):
    pass


Decorated.__new__ = fail


class Mapping(dict[str, int]):
    def __new__(cls) -> Any:
        return dict.__new__(cls)


class WithSetstate(nn.Module):
    def __setstate__(self, state: Any) -> None:
        raise AssertionError("no __setstate__ runs")


class WithDel(nn.Module):
    def __del__(self) -> None:
        pass


class Color(enum.Enum):
    RED = 1
    MIXED = (2, [3])

    @classmethod
    def _missing_(cls, value: object) -> Any:
        raise AssertionError("no _missing_ runs")


class Tag(enum.StrEnum):
    A = "a"


class Flags(enum.Flag):
    X, Y, Z = 1, 2, 4


class Options(types.SimpleNamespace):
    pass


class Init(types.SimpleNamespace):
    def __init__(self, **given: Any) -> None:
        super().__init__(count=len(given), **given)


def archive_of(pickled: bytes) -> io.BytesIO:
    """A file of torch.save with this pickle in it."""
    return io.BytesIO(zip_of({"archive/data.pkl": pickled, "archive/version": b"3\n"}))


def test_a_module_is_restored_with_its_attributes_and_shared_submodules() -> None:
    net = Net().eval()
    again = reloaded({"net": net, "args": argparse.Namespace(lr=0.1)}, weights_only=False)
    other = again["net"]
    assert type(other) is Net
    assert other.tied is other.body[0]
    assert other.norm is nn.LayerNorm
    assert not other.training
    assert again["args"] == argparse.Namespace(lr=0.1)
    x = torch.randn(5, 2)
    assert torch.equal(net(x), other(x))
    other(x).sum().backward()
    assert repr(other) == repr(net)


def test_a_layer_with_a_setstate_of_the_library_is_restored() -> None:
    layer, x = nn.TransformerDecoderLayer(4, 2, 8).eval(), torch.rand(3, 1, 4)
    assert torch.equal(reloaded(layer, weights_only=False)(x, x), layer(x, x))


def test_a_loss_with_options_is_restored() -> None:
    loss = nn.LinearCrossEntropyLoss(4, 3, options=nn.LinearCrossEntropyOptions(batch_chunk_size=2))
    again = reloaded(loss, weights_only=False)
    assert again.options == loss.options


def test_modules_are_loaded_only_with_weights_only_false_or_safe_globals() -> None:
    with pytest.raises(FileError, match=r"names .*Net.*weights_only=False"):
        reloaded(Net())
    with torch.serialization.safe_globals([Net, nn.Sequential, nn.Linear]):
        assert type(reloaded(nn.Sequential(nn.Linear(1, 1)))) is nn.Sequential
    assert torch.serialization.get_safe_globals() == []


def test_safe_globals_hold_in_all_threads_and_may_map_old_names() -> None:
    class Local:
        pass

    pickled = b"\x80\x02c" + f"{__name__}\n{Local.__qualname__}\n".encode() + b")\x81}X\x01\0\0\0aK\x01sb."
    old = pickled.replace(Local.__qualname__.encode(), b"Before").replace(__name__.encode(), b"their.module")
    with ThreadPoolExecutor(1) as pool, torch.serialization.safe_globals([Local, (Local, "their.module.Before")]):
        with torch.serialization.safe_globals([Local]):
            assert torch.serialization.get_safe_globals() == [Local, (Local, "their.module.Before")]
        for content in (pickled, old):
            found = pool.submit(torch.load, archive_of(content)).result()
            assert type(found) is Local
            assert vars(found) == {"a": 1}
    with pytest.raises(FileError, match="may not be loaded"):
        torch.load(archive_of(old))


def test_other_classes_need_safe_globals() -> None:
    x = object.__new__(Plain)
    x.__dict__["value"] = [1, torch.ones(2)]
    with pytest.raises(TypeError, match="Plain"):
        reloaded(x)
    x.__dict__["other"] = object.__new__(Decorated)
    with torch.serialization.safe_globals([Plain, Decorated]):
        assert reloaded(x).value[0] == 1
        assert type(reloaded(x).other) is Decorated
        file = io.BytesIO()
        torch.save(x, file)
    file.seek(0)
    with pytest.raises(FileError, match="Plain"):
        torch.load(file, weights_only=False)


@pytest.mark.parametrize("kind", [WithSetstate, WithDel])
def test_classes_whose_code_would_run_are_neither_saved_nor_loaded(kind: type) -> None:
    with pytest.raises(TypeError, match=kind.__name__):
        reloaded(kind())
    file = archive_of(b"\x80\x02c" + f"{__name__}\n{kind.__name__}\n".encode() + b")\x81}b.")
    with pytest.raises(FileError, match="no code is run"):
        torch.load(file, weights_only=False)


def subclass_with(**members: Any) -> type:
    return type("Kind", (torch.Tensor,), {"__module__": __name__, **members})


@pytest.mark.parametrize(
    "member", ["__setstate__", "__getstate__", "__reduce__", "__reduce_ex__", "__del__", "__slots__"]
)
def test_subclasses_of_tensor_whose_code_would_run_are_neither_saved_nor_loaded(
    member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = subclass_with()
    monkeypatch.setattr(HERE, "Kind", plain, raising=False)
    file = io.BytesIO()
    torch.save(torch.ones(2).as_subclass(plain), file)
    kind = subclass_with(**{member: ("slot",) if member == "__slots__" else lambda self, *args: None})
    monkeypatch.setattr(HERE, "Kind", kind)
    with pytest.raises(TypeError, match="Kind"):
        torch.save(torch.ones(2).as_subclass(kind), io.BytesIO())
    file.seek(0)
    with pytest.raises(FileError, match="no code is run"):
        torch.load(file, weights_only=False)


def test_a_subclass_of_tensor_is_made_of_a_tensor_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HERE, "Kind", subclass_with(), raising=False)
    name = f"c{__name__}\nKind\n".encode()
    rebuild = b"ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\n%b)}tR."
    for pickled in (name + b")\x81.", name + b")R.", rebuild % name, rebuild % b"cargparse\nNamespace\n"):
        with pytest.raises(FileError, match=r"Kind|OrderedDict|calls what is no function"):
            torch.load(archive_of(b"\x80\x02" + pickled), weights_only=False)


LAYER = b"c__builtin__\ngetattr\n(ctorch.nn.modules.linear\nLinear\n)\x81X\x09\0\0\0"
ATTRIBUTES = [b"__class__", b"call_impl", b"__slots__"]
PARTIAL = b"cfunctools\npartial\n(ctorch.nn\nLinear\ntR"
STATES = [  # of another function, without some parts, with parts of other types, with other attributes
    b"(ctorch.nn.functional\nrelu\n)}Nt", b"(ctorch.nn\nLinear\n)}t", b"(ctorch.nn\nLinear\n]}Nt", b"}",
    b"(ctorch.nn\nLinear\n))Nt", b"(ctorch.nn\nLinear\n)}K\x01K\x01sNt", b"(ctorch.nn\nLinear\n)}}t",
]  # fmt: skip


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"cos\nsystem\n.", "names os.system"),
        (b"cbuiltins\neval\n.", "names builtins.eval"),
        (b"csubprocess\nPopen\n)\x81.", "names subprocess.Popen"),
        (b"cantigravity\nfly_to\n.", "names antigravity"),
        (b"cmicrogad.hub\nload\n.", "names microgad.hub.load"),
        (b"ctorch\nload\n.", "names torch.load"),
        (b"ctorch.nn.modules.linear\nLinear\n(K\x01t\x81.", "with arguments"),
        (b"ctorch.nn.utils.rnn\nPackedSequence\n(K\x01t\x81.", "a PackedSequence of 1 parts, not 4"),
        (b"ctorch.return_types\nmax\n(K\x01t\x81.", "what is no class"),
        (b"ctorch.return_types\nmax\n(K\x01tR.", "made of lists"),
        (b"ccollections\ndefaultdict\n(ctorch\nSize\ntR.", "something else than Python's own types"),
        (b"ccollections\ndefaultdict\n(c__builtin__\neval\ntR.", "names __builtin__.eval"),
        (b"ctorch.nn.modules.linear\nLinear\n)R.", "calls what is no function"),
        (b"ctorch.nn.functional\nrelu\n)\x81.", "what is no class"),
        (b"ctorch.nn.modules.linear\nLinear\n)\x81]b.", "something else than attributes"),
        (b"ctorch.nn.modules.linear\nLinear\n)\x81}K\x01K\x01sb.", "something else than attributes"),
        (b"ctorch.nn.modules.linear\nLinear\n)\x81}b}b.", "gives a state to a Linear"),
        (b"c__builtin__\ngetattr\n(ctorch.nn\nLinear\nX\x04\0\0\0loadtR.", "names getattr"),
        (b"c__builtin__\ngetattr\n(ctorch._C\n_VariableFunctionsClass\nX\x04\0\0\0loadtR.", "names getattr"),
        (b"c__builtin__\ngetattr\n(ctorch._C\n_VariableFunctionsClass\nctorch\nSize\ntR.", "where a name belongs"),
        (b"c__builtin__\ngetattr\n(ctorch\nSize\n](K\x01etR.", "a list where a name belongs"),
        *((LAYER + name + b"tR.", "of a Linear, which is no method") for name in ATTRIBUTES),
        (b"ctorch\nfrom_file\n.", "names torch.from_file"),
        (b"cmicrogad.ops.creation.data\nfrom_file\n.", "from_file, which may not be loaded"),
        (b"cfunctools\npartial\n(cos\nsystem\ntR.", "names os.system"),
        (b"cfunctools\nreduce\n.", "names functools.reduce"),
        (b"cfunctools\npartial\n)R.", "calls what is no function"),
        (b"cfunctools\npartial\n)\x81.", "is made by code of its own"),
        (b"cfunctools\npartial\n(K\x01tR.", "calls what is no function"),
        (b"cfunctools\npartial\n(ctorch.nn\nLinear\nK\x01tR.", "calls what is no function"),
        *((PARTIAL + state + b"b.", "gives a partial something else than arguments") for state in STATES),
        (PARTIAL + b"(ctorch.nn\nLinear\n)}Ntb}b.", "gives a state to a partial"),
    ],
)
def test_pickles_that_call_or_name_something_else_are_rejected(pickled: bytes, message: str) -> None:
    before = set(sys.modules)
    with pytest.raises(FileError, match=message):
        torch.load(archive_of(b"\x80\x02" + pickled), weights_only=False)
    assert "antigravity" not in sys.modules
    own = ("microgad", "encodings.")  # archives load the codec of their members' names
    assert not {name for name in set(sys.modules) - before if not name.startswith(own)}


def test_a_function_that_cannot_be_imported_again_is_not_saved() -> None:
    net = Net()
    vars(net)["act"] = lambda x: x
    with pytest.raises(TypeError, match=r"obj\['act'\].*can't be found under that name") as caught:
        reloaded(net)
    assert isinstance(caught.value, pickle.PicklingError)


def test_a_loaded_module_knows_whether_it_has_hooks() -> None:
    net = nn.Linear(1, 1)
    file = io.BytesIO()
    net.register_forward_hook(nn.functional.relu)
    torch.save(net, file)
    file.seek(0)
    assert torch.load(file, weights_only=False)._has_hook_dicts
    assert not reloaded(nn.Linear(1, 1), weights_only=False)._has_hook_dicts


def test_methods_of_modules_are_restored() -> None:
    net = Net()
    vars(net).update(act=net.body.forward, options=argparse.Namespace(scale=1.0, own=net.forward))
    again = reloaded(net, weights_only=False)
    assert again.options.own.__self__ is again
    assert again.act.__self__ is again.body
    assert torch.equal(again.act(torch.eye(2)), net.act(torch.eye(2)))
    with pytest.raises(TypeError, match=r"obj is a builtins\.method"):
        reloaded(torch.Generator().manual_seed)


def test_partials_of_layers_and_functions_are_restored() -> None:
    net = Net()
    vars(net).update(norm=functools.partial(nn.LayerNorm, eps=1e-6), act=functools.partial(nn.functional.elu, alpha=2))
    again = reloaded([net, net.norm], weights_only=False)
    assert (again[1].func, again[1].keywords) == (nn.LayerNorm, {"eps": 1e-6})
    assert again[0].norm is again[1]
    assert torch.equal(again[0].eval()(torch.eye(2)), net.eval()(torch.eye(2)))
    with torch.serialization.safe_globals([functools.partial, nn.LayerNorm]):
        assert reloaded(net.norm)(3).eps == 1e-6
    with pytest.raises(TypeError, match=r"obj\[0\].*can't be found under that name"):
        reloaded(functools.partial(lambda x: x))


def test_a_pruned_module_is_restored_with_its_masks() -> None:
    layer = nn.utils.prune.l1_unstructured(nn.Linear(4, 2), "weight", 0.5)
    layer = nn.utils.prune.random_structured(layer, "weight", 1, dim=1)
    again = reloaded(layer, weights_only=False)
    with torch.no_grad():
        again.weight_orig.fill_(1)
    again(torch.ones(1, 4))
    assert torch.equal(again.weight, layer.weight_mask)
    assert not hasattr(nn.utils.prune.remove(again, "weight"), "weight_mask")


def test_modules_that_pytorch_saved_are_loaded() -> None:
    theirs = pytest.importorskip("torch")
    net = theirs.nn.Sequential(
        theirs.nn.Linear(2, 4), theirs.nn.TransformerEncoderLayer(4, 2, 8), theirs.nn.LSTM(4, 3), theirs.nn.GRU(3, 2)
    ).eval()
    file = io.BytesIO()
    theirs.save(net[:2], file)
    file.seek(0)
    ours = torch.load(file, weights_only=False)
    x = theirs.randn(3, 1, 2)
    assert type(ours[0]) is nn.Linear
    assert torch.allclose(ours(torch.from_numpy(x.numpy())), torch.from_numpy(net[:2](x).detach().numpy()), atol=1e-6)
    file = io.BytesIO()
    theirs.save(net, file)
    file.seek(0)
    assert torch.load(file, weights_only=False)[2](torch.ones(1, 4))[0].shape == (1, 3)


def test_models_that_torchvision_saved_are_loaded() -> None:
    theirs, models = pytest.importorskip("torch"), pytest.importorskip("torchvision").models
    net = models.mobilenet_v3_small(num_classes=2).eval()
    file = io.BytesIO()
    theirs.save(net, file)
    file.seek(0)
    ours, x = torch.load(file, weights_only=False), theirs.randn(1, 3, 32, 32)
    assert type(ours) is torch.models.mobilenetv3.MobileNetV3
    assert torch.allclose(ours(torch.from_numpy(x.numpy())), torch.from_numpy(net(x).detach().numpy()), atol=1e-6)


def test_pytorch_calls_modules_that_a_program_saved(tmp_path: Path) -> None:
    theirs = pytest.importorskip("torch")
    code = """if True:
        import sys, torch
        from torch import nn
        net, x = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.LSTM(4, 4)).eval(), torch.rand(3, 4)
        decoder = nn.TransformerDecoderLayer(4, 2, 8).eval()
        torch.save([[net, decoder], x, decoder(x, net(x)[0]).detach()], sys.argv[1])
    """
    done = run("-m", "microgad", "-c", code, str(tmp_path / "net.pt"))
    assert done.returncode == 0, done.stderr
    (net, decoder), x, expected = theirs.load(tmp_path / "net.pt", weights_only=False)
    assert theirs.allclose(decoder(x, net(x)[0]), expected, atol=1e-6)
    assert "_flat_weights" not in vars(torch.load(tmp_path / "net.pt", weights_only=False)[0][0][2])


def test_layers_and_models_have_pytorchs_names_in_files() -> None:
    theirs = pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    net, x = torch.models.mobilenet_v3_small(num_classes=2).eval(), torch.rand(1, 3, 32, 32)
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    found = theirs.load(file, weights_only=False)
    assert type(found).__module__ == "torchvision.models.mobilenetv3"
    assert np.allclose(found(theirs.from_numpy(x.numpy())).detach().numpy(), net(x).detach().numpy(), atol=1e-6)


def test_another_process_loads_models_that_it_has_not_imported(tmp_path: Path) -> None:
    torch.save(torch.models.squeezenet1_1(num_classes=2), tmp_path / "net.pt")
    code = "import microgad, sys; print(type(microgad.load(sys.argv[1], weights_only=False)).__name__)"
    done = run("-c", code, str(tmp_path / "net.pt"))
    assert done.stdout == "SqueezeNet\n", done.stderr


def test_loaders_and_scalers_go_on_where_they_were() -> None:
    loader = DataLoader(TensorDataset(torch.arange(5)), 2, shuffle=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
    scaler.scale(torch.ones(1))
    (loaded, other), batches = reloaded([loader, scaler], weights_only=False), []
    for each in (loader, loaded):
        torch.manual_seed(1)
        batches.append([x.tolist() for _ in range(2) for (x,) in each])
    assert batches[0] == batches[1]
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    other.scale(weight.sum()).backward()
    other.step(optimizer)
    other.update()
    assert (weight.item(), other.get_scale(), scaler.get_scale()) == (0.5, 8.0, 4.0)


def test_python_s_unpickler_reads_a_saved_namespace() -> None:
    file = io.BytesIO()
    torch.save(argparse.Namespace(a=1), file)
    pickled = file.getvalue().partition(b"\x80\x02")[2]
    assert pickle.loads(b"\x80\x02" + pickled) == argparse.Namespace(a=1)


def test_classes_of_main_need_no_safe_globals(monkeypatch: pytest.MonkeyPatch) -> None:
    main = types.ModuleType("__main__")
    exec("class Config:\n    pass", vars(main))
    monkeypatch.setitem(sys.modules, "__main__", main)
    config = main.Config()
    config.lr = 0.5
    assert reloaded(config, weights_only=False).lr == 0.5
    assert objects.find_global("__main__", "Config") is None


@pytest.mark.parametrize("x", [Color.RED, Color.MIXED, Tag.A, Flags.X | Flags.Z, [Tag.A, {Color.RED: Tag.A}]])
def test_members_of_enums_are_restored(x: Any) -> None:
    again = reloaded({"x": x}, weights_only=False)["x"]
    assert again is x or again == x
    with pytest.raises(FileError, match="may not be loaded"):
        reloaded(x)
    with torch.serialization.safe_globals([Color, Tag, Flags]):
        assert reloaded(x) == x


def test_namespaces_are_restored_with_their_attributes() -> None:
    x = types.SimpleNamespace(lr=0.5, more=types.SimpleNamespace(sizes=[1, 2]))
    assert reloaded(x, weights_only=False) == x
    with torch.serialization.safe_globals([Options, types.SimpleNamespace]):
        again = reloaded(Options(a=x))
    assert type(again) is Options
    assert again.a == x
    with torch.serialization.safe_globals([Init]), pytest.raises(TypeError, match="Init"):
        reloaded(Init(a=1))


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"Color\nK\x02\x85R.", "holds 2 as a Color, which has no such member"),
        (b"Color\nX\x03\0\0\0RED\x85R.", "holds 'RED' as a Color"),
        (b"Color\n\x88\x85R.", "holds True as a Color"),
        (b"Flags\nK\x08\x85R.", "holds 8 as a Flags"),
        (b"Color\n)R.", "calls what is no function"),
        (b"Color\nK\x01K\x02\x86R.", "calls what is no function"),
        (b"Color\n)\x81.", "is made by code of its own"),
        (b"Color\nK\x01\x85R}X\x05\0\0\0valueK\x02sb.", "gives a state to a Color"),
        (b"Init\n)R.", "calls what is no function"),
        (b"Plain\n)R.", "calls what is no function"),
        (b"Mapping\n)\x81.", "is made by code of its own"),
        (b"Options\n)R](K\x01eb.", "something else than attributes"),
    ],
)
def test_malformed_enums_and_namespaces_are_rejected(pickled: bytes, message: str) -> None:
    file = archive_of(b"\x80\x02c" + f"{__name__}\n".encode() + pickled)
    allowed = torch.serialization.safe_globals([Color, Flags, Plain, Mapping, Options, Init])
    with allowed, pytest.raises(FileError, match=message):
        torch.load(file)
    assert (Color.RED.value, list(Flags)) == (1, [Flags.X, Flags.Y, Flags.Z])


def test_pytorch_and_microgad_read_each_other_s_enums_and_namespaces() -> None:
    theirs = pytest.importorskip("torch")
    x = {"color": Color.MIXED, "flags": Flags.X | Flags.Y, "kind": Tag.A, "options": types.SimpleNamespace(n=[Tag.A])}
    for write, read in ((torch, theirs), (theirs, torch)):
        file = io.BytesIO()
        write.save(x, file)
        file.seek(0)
        assert read.load(file, weights_only=False) == x

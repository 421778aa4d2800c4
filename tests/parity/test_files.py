"""Files that one library saves and the other loads: values, structure, strides, shared memory and dtypes."""

from __future__ import annotations

import enum
import io
import pickle
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

import microgad

from ..serialization.files import records, zip_of

torch = pytest.importorskip("torch")

DTYPES = [
    "float16", "float32", "float64", "complex64", "complex128", "uint8", "uint16", "uint32", "uint64", "int8", "int16",
    "int32", "int64", "bool",
]  # fmt: skip


def state(lib):
    """The same objects made with either library."""
    w = lib.arange(12.0).reshape(3, 4)
    return {
        "views": [w, w[1:], w.t(), w[:, ::2], w[0, 1].expand(3)],
        "tied": [w, w],
        "parameter": lib.nn.Parameter(w * 2),
        "frozen": lib.nn.Parameter(lib.zeros(2), requires_grad=False),
        "leaf": lib.ones(1, dtype=lib.float64, requires_grad=True),
        "empty": lib.zeros(0, 3),
        "number": lib.tensor(5),
        "other": (lib.float32, lib.device("cpu"), lib.Size([2, 3]), None, True, -(2**70), 1e-300, 2j, "ü", b"\xff\0"),
        "nested": OrderedDict(a={1: [set(), {2}]}),
        "counted": [Counter("aab"), Counter(), bytearray(b"\xff"), bytearray()],
        "scheduler": lib.optim.lr_scheduler.MultiStepLR(lib.optim.SGD([w], 0.1), [2, 4, 4]).state_dict(),
        "small": [lib.tensor([1, 2], dtype=getattr(lib, name)) for name in ("bool", "complex64", "uint8")],
        "twice": [x for x in ((1, [2]), {3}, Counter("a"), bytearray(b"a")) for _ in range(2)],
    }


def saved(lib, obj, **options):
    """A file in memory with the saved object."""
    file = io.BytesIO()
    lib.save(obj, file, **options)
    file.seek(0)
    return file


def assert_same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        assert type(ours).__name__ == type(theirs).__name__
        assert (ours.shape, ours.stride(), ours.requires_grad) == (theirs.shape, theirs.stride(), theirs.requires_grad)
        assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
    elif isinstance(theirs, dict):
        assert type(ours) is type(theirs)
        assert list(ours) == list(theirs)
        for key in theirs:
            assert_same(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for x, y in zip(ours, theirs, strict=True):
            assert_same(x, y)
    else:
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("zip_format", [True, False])
def test_microgad_loads_torchs_files(zip_format):
    theirs = state(torch)
    ours = microgad.load(saved(torch, theirs, _use_new_zipfile_serialization=zip_format))
    assert_same(ours, theirs)
    whole, rows, *_ = ours["views"]
    whole[1, 0] = 50
    assert rows[0, 0].item() == 50
    assert rows._version == whole._version == 1
    assert ours["tied"][0] is ours["tied"][1]
    assert all(a is b for a, b in zip(ours["twice"][::2], ours["twice"][1::2], strict=True))


@pytest.mark.parametrize("zip_format", [True, False])
def test_torch_loads_microgads_files(zip_format):
    ours = state(microgad)
    file = saved(microgad, ours, _use_new_zipfile_serialization=zip_format)
    assert file.getvalue().startswith(b"PK" if zip_format else b"\x80\x02")
    theirs = torch.load(file, weights_only=True)
    assert_same(ours, theirs)
    file.seek(0)
    assert_same(microgad.load(file), theirs)
    whole, rows, *_ = theirs["views"]
    whole[1, 0] = 50
    assert rows[0, 0].item() == 50
    assert theirs["tied"][0] is theirs["tied"][1]
    assert all(a is b for a, b in zip(theirs["twice"][::2], theirs["twice"][1::2], strict=True))


@pytest.mark.parametrize("lib", [torch, microgad])
def test_tensors_of_two_dtypes_in_one_memory_are_not_saved(lib):
    x = lib.arange(3.0)
    with pytest.raises(RuntimeError, match=r"^Cannot save multiple tensors .* as different types(\n|$)"):
        saved(lib, [x, x.view(lib.int32)])
    with pytest.raises(RuntimeError, match=r"^Cannot save multiple tensors .* as different types(\n|$)"):
        saved(lib, [x.untyped_storage(), x])
    saved(lib, [x.view(lib.uint8), x.untyped_storage()])


def test_the_older_format_of_a_dtype_without_a_storage_class():
    """PyTorch writes such files, but can't load its own."""
    files = [
        saved(lib, lib.arange(3).to(lib.uint16), _use_new_zipfile_serialization=False) for lib in (torch, microgad)
    ]
    for file in files:
        assert file.getvalue().endswith(b"\6" + bytes(7) + b"\0\0\1\0\2\0")
        assert microgad.load(file).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("writer", "reader"), [(microgad, torch), (torch, microgad)])
def test_paths_ranges_dtypes_and_lazy_parameters(writer, reader):
    objects = [Path("/a/b"), PureWindowsPath("c:\\x"), range(1, 9, 2), frozenset({1, "a"}), np.dtype(">i2")]
    found = reader.load(saved(writer, objects), weights_only=False)
    assert found == objects
    assert list(map(type, found)) == list(map(type, objects))
    lazy = reader.load(saved(writer, writer.nn.LazyLinear(2).state_dict()), weights_only=False)
    assert isinstance(lazy["weight"], reader.nn.UninitializedParameter)


Step = namedtuple("Step", "state reward")
PAIRS = [(microgad, torch), (torch, microgad), (microgad, microgad)]


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.parametrize("zip_format", [True, False])
def test_namedtuples_and_packed_sequences(writer, reader, zip_format):
    x = writer.arange(6.0).reshape(2, 3)
    packed = writer.nn.utils.rnn.pack_sequence([x[0], x[1, :2]])
    objects = [x.max(0), x.topk(2), writer.linalg.qr(x), packed, Step(x, 1)]
    options = {"_use_new_zipfile_serialization": zip_format}
    with writer.serialization.safe_globals([Step]), reader.serialization.safe_globals([Step]):
        *found, loaded = reader.load(saved(writer, [*objects, objects[0]], **options), weights_only=False)
    assert loaded is found[0]
    assert repr(found) == repr(objects)
    assert [type(x).__name__ for x in found] == [type(x).__name__ for x in objects]
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match="PackedSequence"):
        reader.load(saved(writer, packed), weights_only=True)


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_other_containers_and_slices(writer, reader):
    log, empty = defaultdict(list, loss=[writer.ones(1)]), defaultdict(None, a=defaultdict(set))
    objects = [log, log, empty, deque([1, [2]], 5), deque(), slice(1, None, 2), (..., slice(None))]
    found = reader.load(saved(writer, objects), weights_only=False)
    assert repr(found) == repr(objects)
    assert found[0] is found[1]
    found[0]["more"].append(1)
    assert found[3].maxlen == 5


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storages_are_read_by_the_other_library(writer, reader):
    x = writer.arange(6.0)
    objects = {
        "x": x[2:4],
        "typed": x.storage(),
        "bytes": x.clone().untyped_storage(),
        "list": [x.to(writer.int16).storage()],
        "tuples": (x.storage(), (x.int().storage(), x.double().storage(), 3)),
    }
    found = reader.load(saved(writer, objects), weights_only=True)
    assert repr(found["typed"]) == repr(objects["typed"])
    assert repr(found["list"]) == repr(objects["list"])
    assert found["bytes"].tolist() == objects["bytes"].tolist()
    assert repr(found["tuples"]) == repr(objects["tuples"])
    found["typed"][2] = 50.0
    assert found["x"].tolist() == [50, 3]


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_empty_memory_may_have_several_dtypes(writer, reader):
    x = writer.zeros(0)
    same = writer.TypedStorage(wrap_storage=x.untyped_storage(), dtype=writer.int16)
    for objects in ([x, same], [x.storage(), same]):
        assert [len(loaded) for loaded in reader.load(saved(writer, objects))] == [0, 0]


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_tensors_without_values(writer, reader):
    x = writer.empty(2, 3, 4, device="meta", requires_grad=True)
    for written in (x, x.detach().mT, x[:0], writer.empty((), device="meta", dtype=writer.int16)):
        found = reader.load(saved(writer, [written]))[0]
        assert (found.shape, found.stride(), found.is_meta) == (written.shape, written.stride(), True)
        assert (repr(found.dtype), found.requires_grad) == (repr(written.dtype), written.requires_grad)


@pytest.mark.parametrize("writer", [torch, microgad])
@pytest.mark.parametrize("reader", [torch, microgad])
def test_files_without_an_order_of_bytes(writer, reader):
    whole = records(saved(writer, writer.tensor([1, 256])).getvalue())
    file = io.BytesIO(zip_of({name: content for name, content in whole.items() if "byteorder" not in name}))
    orders, found = reader.serialization.LoadEndianness, []
    for order in (None, orders.NATIVE, orders.LITTLE, orders.BIG):
        reader.serialization.set_default_load_endianness(order)
        try:
            assert reader.serialization.get_default_load_endianness() is order
            file.seek(0)
            found.append(reader.load(file).tolist())
        finally:
            reader.serialization.set_default_load_endianness(None)
    assert found == [[1, 256]] * 3 + [[1 << 56, 1 << 48]]
    with pytest.raises(TypeError, match="Invalid argument type in function set_default_load_endianness"):
        reader.serialization.set_default_load_endianness("little")


@pytest.mark.parametrize("writer", [torch, microgad])
def test_an_archive_may_begin_within_a_file_but_not_be_followed_by_another(writer):
    file = io.BytesIO()
    pickle.dump(3, file)
    begins = file.tell()
    writer.save(writer.ones(1), file)
    file.seek(begins)
    assert microgad.serialization._is_zipfile(file)
    assert microgad.load(file).item() == 1
    file.seek(0)
    assert (microgad.serialization._is_zipfile(file), file.tell()) == (False, 0)
    file.seek(0, 2)
    writer.save(writer.zeros(1), file)
    file.seek(begins)
    with pytest.raises(RuntimeError, match="another zip archive after the one to load"):
        microgad.load(file)


def test_conjugates_that_pytorch_has_put_off_share_memory_when_loaded():
    x, file = torch.arange(4) * (1 + 2j), io.BytesIO()
    torch.save([x.conj(), x[1:].conj()], file)
    file.seek(0)
    whole, part = microgad.load(file)
    whole[2] = 5 - 1j
    assert whole.tolist() == [0, 1 - 2j, 5 - 1j, 3 - 6j]
    assert part.tolist() == [1 - 2j, 5 - 1j, 3 - 6j]


def test_a_slice_of_a_storage_is_read_back():
    x = microgad.UntypedStorage([0, 1, 2, 3, 4, 5])[2:4]
    assert microgad.load(saved(microgad, [x]))[0].tolist() == [2, 3]
    whole = microgad.arange(6, dtype=microgad.uint8)
    found = microgad.load(saved(microgad, [whole.untyped_storage()[2:4], whole]))
    assert [x.tolist() for x in found] == [[2, 3], [0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("lib", [torch, microgad])
def test_pickles_keep_strides(lib):
    x = lib.arange(24.0).reshape(2, 3, 4)
    for view in (
        x.permute(2, 0, 1),
        x[1, 0].expand(3, 4),
        x[:0].mT,
        x[0, 0, 0],
    ):
        found = pickle.loads(pickle.dumps(view))
        assert found.stride() == view.stride()
        assert lib.equal(found, view)


def test_pickle_only_holds_the_values_of_its_tensor():
    """In PyTorch, the pickle of a view has the whole storage."""
    x = microgad.arange(1e6).reshape(1000, 1000)
    for view in (x[500].expand(9, 1000), x[:, 7], x[::2, 3:5].t()):
        pickled = pickle.dumps(view)
        assert len(pickled) < 10**4
        assert microgad.equal(pickle.loads(pickled), view)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_read_by_the_other_library(dtype):
    values = [0, 1, 1]
    ours = microgad.tensor(values).to(getattr(microgad, dtype))
    theirs = torch.tensor(values).to(getattr(torch, dtype))
    assert_same(microgad.load(saved(torch, theirs)), theirs)
    assert_same(ours, torch.load(saved(microgad, ours), weights_only=True))


@pytest.mark.parametrize(("writer", "reader"), [(torch, microgad), (microgad, torch), (microgad, microgad)])
def test_attributes_set_on_tensors_are_saved(writer, reader):
    x, half, p = writer.ones(3), writer.ones(2, dtype=writer.uint16), writer.nn.Parameter(writer.zeros(2))
    x.kind, half.kind, p.kind = "data", [1, {"a": x}], (2.5, None)
    x.requires_grad_().sum().backward()
    loaded = reader.load(saved(writer, [x, half, p, x]))
    assert [list(vars(item)) for item in loaded] == [["kind"]] * 4
    assert loaded[0] is loaded[3] is loaded[1].kind[1]["a"]
    assert (loaded[0].kind, loaded[2].kind, loaded[1].kind[0]) == ("data", (2.5, None), 1)


def test_files_can_not_replace_a_tensors_own_attributes():
    x = torch.ones(2)
    x.__dict__.update(base=1, views=[2], _post_accumulate_grad_hooks=[3], array=4, add=5, _is_param=True, kept=6)
    loaded = microgad.load(saved(torch, x))
    assert vars(loaded) == {"base": 1, "views": [2], "kept": 6}
    assert (loaded + 1).tolist() == [2, 2]


class Marked:
    """The name under which files of both libraries have a subclass of Tensor, that of the library that reads."""

    __qualname__ = "Marked"


def subclass(lib, monkeypatch):
    """Make a subclass of the library's Tensor, which is then found under the name Marked."""
    kind = type("Marked", (lib.Tensor,), {"__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "Marked", kind)
    return kind


@pytest.mark.torch_function  # else each removes the wrappers that the one before it installed
@pytest.mark.parametrize("zip_format", [True, False])
@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize(("writer", "reader"), [(torch, microgad), (microgad, torch), (microgad, microgad)])
def test_subclasses_of_tensor_are_restored(writer, reader, safe, zip_format, monkeypatch):
    kind, base = subclass(writer, monkeypatch), writer.arange(3.0)
    x, part = writer.ones(2).as_subclass(kind), base[1:].as_subclass(kind)
    x.note, number = ["kept", base], writer.uint16 if zip_format else writer.int32
    made = [x, part, writer.nn.Parameter(x), writer.ones(1, dtype=number).as_subclass(kind), x]
    file = saved(writer, made, _use_new_zipfile_serialization=zip_format)
    kind = subclass(reader, monkeypatch)
    with reader.serialization.safe_globals([kind] if safe else []):
        loaded = reader.load(file, weights_only=safe)
    assert [type(item) for item in loaded] == [kind] * 5
    assert loaded[0] is loaded[4]
    assert [isinstance(item, reader.nn.Parameter) for item in loaded[:3]] == [False, False, True]
    assert [item.requires_grad for item in loaded[:3]] == [False, False, True]
    loaded[1][0] = 9
    assert (loaded[0].note[0], loaded[0].note[1].tolist()) == ("kept", [0, 9, 2])
    with pytest.raises(pickle.UnpicklingError, match=r"test_files\.Marked"):
        reader.load(saved(writer, subclass(writer, monkeypatch)(1)))


@pytest.mark.torch_function
@pytest.mark.parametrize("lib", [torch, microgad])
def test_the_class_of_a_module_s_tensors_and_of_parameters(lib, monkeypatch):
    layer = lib.nn.Linear(1, 1)
    x = lib.ones(2, device="meta").as_subclass(subclass(lib, monkeypatch))
    layer.own, layer.more = lib.nn.Parameter(x), type("P", (lib.nn.Parameter,), {})(lib.ones(1))
    loaded = lib.load(saved(lib, layer), weights_only=False)
    assert [type(p).__name__ for p in loaded.parameters()] == ["Parameter", "Parameter", "Marked", "Parameter"]


def test_mmap_maps_the_file(tmp_path):
    path = tmp_path / "large.pt"
    torch.save({"w": torch.arange(100_000.0)}, path)
    loaded = microgad.load(path, mmap=True)
    assert isinstance(microgad.backend.owner(loaded["w"].array), np.memmap)
    loaded["w"][0] = 7
    assert torch.load(path)["w"][0] == 0
    microgad.save({"w": microgad.arange(100_000.0)}, path)
    assert loaded["w"][1].item() == 1  # from the file before it was replaced
    assert_same(microgad.load(path), torch.load(path, mmap=True))


@pytest.mark.parametrize("zip_format", [True, False])
def test_map_location_is_called_once_with_each_storage(zip_format):
    calls = []
    for lib in (microgad, torch):
        x = lib.arange(4.0)
        file = saved(lib, [x, x[1:], x.clone(), x], _use_new_zipfile_serialization=zip_format)
        called = []
        lib.load(file, lambda s, place, called=called: called.append((type(s).__name__, s.nbytes(), place)) or s)
        calls.append(called)
    assert calls[0] == calls[1]


@pytest.mark.filterwarnings("ignore:pickle_load_args only works")
@pytest.mark.parametrize("options", [{"map_locaton": "cpu"}, {"fix_imports": True}, {"errors": "strict"}])
@pytest.mark.parametrize("safe", [True, False])
def test_load_takes_the_options_that_pickle_takes(options, safe):
    """With weights_only PyTorch reads the pickle itself, and takes none of them."""
    results = []
    for lib in (microgad, torch):
        try:
            results.append(lib.load(saved(lib, 3), weights_only=safe, **options))
        except TypeError:
            results.append(TypeError)
    assert results[0] == results[1]


def test_numpy_arrays_are_read_by_the_other_library():
    obj = {
        "a": np.arange(6.0).reshape(2, 3).T,
        "number": np.float32(3),
        "text": np.array(["ab", "c"]),
        "empty": np.zeros(0),
    }
    for loaded in (
        microgad.load(saved(torch, obj)),
        microgad.load(saved(microgad, obj)),
        torch.load(saved(microgad, obj), weights_only=False),
    ):
        for name, value in obj.items():
            assert (type(loaded[name]), loaded[name].dtype) == (type(value), value.dtype)
            np.testing.assert_array_equal(loaded[name], value)


def test_training_continues_in_the_other_library(tmp_path):
    path = tmp_path / "run.pt"
    for saving, loading in ((torch, microgad), (microgad, torch)):
        saving.manual_seed(0)
        nets = [lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.ReLU(), lib.nn.Linear(4, 1)) for lib in (saving, loading)]
        optimizers = [lib.optim.Adam(net.parameters(), 0.1) for lib, net in zip((saving, loading), nets, strict=True)]

        def step(lib, net, optimizer):
            loss = (net(lib.ones(2, 3)) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        step(saving, nets[0], optimizers[0])
        saving.save({"net": nets[0].state_dict(), "optimizer": optimizers[0].state_dict()}, path)
        saved = loading.load(path)
        nets[1].load_state_dict(saved["net"])
        optimizers[1].load_state_dict(saved["optimizer"])
        for _ in range(3):
            assert step(saving, nets[0], optimizers[0]) == pytest.approx(
                step(loading, nets[1], optimizers[1]), rel=1e-5
            )


class Piped(io.BytesIO):
    def seek(self, *args):
        raise io.UnsupportedOperation("seek")


class Custom(enum.Enum):
    ONE = 1


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (lambda lib: lib.load(Piped()), "seek. You can only torch.load from a file that is seekable."),
        (lambda lib: lib.load(3), "'int' object has no attribute 'seek'. You can only torch.load from a file that is"),
        (lambda lib: lib.load(saved(lib, 1), pickle_module=pickle, weights_only=True), "Can not safely load weights"),
        (lambda lib: lib.load(saved(torch, Custom.ONE)), "Weights only load failed. "),
        (
            lambda lib: lib.load(saved(torch, Custom.ONE)),
            "Unsupported global: GLOBAL .*test_files.Custom was not an allowed",
        ),
        (lambda lib: lib.load(io.BytesIO()), None),
    ],
)
def test_errors_are_of_the_same_class_and_words(load, words):
    with pytest.raises(Exception, match=words) as theirs:
        load(torch)
    with pytest.raises(theirs.type, match=words):
        load(microgad)


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD:UserWarning")
@pytest.mark.parametrize("lib", [torch, microgad])
def test_the_environment_decides_whether_objects_are_loaded(lib, monkeypatch):
    """It is asked for weights_only only where the argument isn't given. A pickle_module allows objects, too."""
    file = saved(torch, Custom.ONE)

    def loads(**options):
        file.seek(0)
        try:
            return isinstance(lib.load(file, **options), Custom)
        except pickle.UnpicklingError:
            return False

    assert [loads(), loads(weights_only=None), loads(weights_only=False), loads(pickle_module=pickle)] == [0, 0, 1, 1]
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    assert [loads(), loads(weights_only=True)] == [1, 0]
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "yes")
    with pytest.raises(RuntimeError, match="should be set, but both were set"):
        loads()
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    assert not loads(weights_only=False)

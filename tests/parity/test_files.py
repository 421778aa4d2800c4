"""Files of PyTorch's: opened here, and written here and opened there."""

from __future__ import annotations

import io
import pickle
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

DTYPES = [
    "float16", "float32", "float64", "complex64", "complex128", "uint8", "uint16", "uint32", "uint64", "int8", "int16",
    "int32", "int64", "bool",
]  # fmt: skip


def state(lib):
    """The same objects in either library."""
    w = lib.arange(12.0).reshape(3, 4)
    return {
        "views": [w, w[1:], w.t(), w[:, ::2], w[0, 1].expand(3)],
        "tied": [w, w],
        "parameter": lib.nn.Parameter(w * 2),
        "frozen": lib.nn.Parameter(lib.zeros(2), requires_grad=False),
        "leaf": lib.ones(1, dtype=lib.float64, requires_grad=True),
        "empty": lib.zeros(0, 3),
        "number": lib.tensor(5),
        "facts": (lib.float32, lib.device("cpu"), lib.Size([2, 3]), None, True, -(2**70), 1e-300, 2j, "ü", b"\xff\0"),
        "nested": OrderedDict(a={1: [set(), {2}]}),
        "counted": [Counter("aab"), Counter(), bytearray(b"\xff"), bytearray()],
        "scheduler": lib.optim.lr_scheduler.MultiStepLR(lib.optim.SGD([w], 0.1), [2, 4, 4]).state_dict(),
        "twice": [x for x in ((1, [2]), {3}, Counter("a"), bytearray(b"a")) for _ in range(2)],
    }


def written(lib, obj, **options):
    file = io.BytesIO()
    lib.save(obj, file, **options)
    file.seek(0)
    return file


def same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        assert type(ours).__name__ == type(theirs).__name__
        assert (ours.shape, ours.stride(), ours.requires_grad) == (theirs.shape, theirs.stride(), theirs.requires_grad)
        assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
    elif isinstance(theirs, dict):
        assert type(ours) is type(theirs)
        assert list(ours) == list(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for x, y in zip(ours, theirs, strict=True):
            same(x, y)
    else:
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("zipped", [True, False])
def test_their_files(zipped):
    theirs = state(torch)
    ours = microgad.load(written(torch, theirs, _use_new_zipfile_serialization=zipped))
    same(ours, theirs)
    whole, rows, *_ = ours["views"]
    whole[1, 0] = 50
    assert rows[0, 0].item() == 50
    assert rows._version == whole._version == 1
    assert ours["tied"][0] is ours["tied"][1]
    assert all(a is b for a, b in zip(ours["twice"][::2], ours["twice"][1::2], strict=True))


def test_our_files():
    ours = state(microgad)
    theirs = torch.load(written(microgad, ours), weights_only=True)
    same(ours, theirs)
    same(microgad.load(written(microgad, ours)), theirs)
    whole, rows, *_ = theirs["views"]
    whole[1, 0] = 50
    assert rows[0, 0].item() == 50
    assert theirs["tied"][0] is theirs["tied"][1]
    assert all(a is b for a, b in zip(theirs["twice"][::2], theirs["twice"][1::2], strict=True))


@pytest.mark.parametrize(("writer", "reader"), [(microgad, torch), (torch, microgad)])
def test_settings(writer, reader):
    given = [Path("/a/b"), PureWindowsPath("c:\\x"), range(1, 9, 2), frozenset({1, "a"}), np.dtype(">i2")]
    found = reader.load(written(writer, given), weights_only=False)
    assert found == given
    assert list(map(type, found)) == list(map(type, given))
    lazy = reader.load(written(writer, writer.nn.LazyLinear(2).state_dict()), weights_only=False)
    assert isinstance(lazy["weight"], reader.nn.UninitializedParameter)


Step = namedtuple("Step", "state reward")
PAIRS = [(microgad, torch), (torch, microgad), (microgad, microgad)]


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.parametrize("zipped", [True, False])
def test_parts_that_have_names(writer, reader, zipped):
    x = writer.arange(6.0).reshape(2, 3)
    packed = writer.nn.utils.rnn.pack_sequence([x[0], x[1, :2]])
    given = [x.max(0), x.topk(2), writer.linalg.qr(x), packed, Step(x, 1)]
    options = {"_use_new_zipfile_serialization": zipped} if writer is torch else {}
    with writer.serialization.safe_globals([Step]), reader.serialization.safe_globals([Step]):
        *found, again = reader.load(written(writer, [*given, given[0]], **options), weights_only=False)
    assert again is found[0]
    assert repr(found) == repr(given)
    assert [type(x).__name__ for x in found] == [type(x).__name__ for x in given]
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match="PackedSequence"):
        reader.load(written(writer, packed), weights_only=True)


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_lists_and_dicts_of_other_kinds(writer, reader):
    log, empty = defaultdict(list, loss=[writer.ones(1)]), defaultdict(None, a=defaultdict(set))
    given = [log, log, empty, deque([1, [2]], 5), deque(), slice(1, None, 2), (..., slice(None))]
    found = reader.load(written(writer, given), weights_only=False)
    assert repr(found) == repr(given)
    assert found[0] is found[1]
    found[0]["more"].append(1)
    assert found[3].maxlen == 5


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storages(writer, reader):
    x = writer.arange(6.0)
    given = {
        "x": x[2:4],
        "typed": x.storage(),
        "bytes": x.clone().untyped_storage(),
        "list": [x.to(writer.int16).storage()],
    }
    found = reader.load(written(writer, given), weights_only=True)
    assert repr(found["typed"]) == repr(given["typed"])
    assert repr(found["list"]) == repr(given["list"])
    assert found["bytes"].tolist() == given["bytes"].tolist()
    found["typed"][2] = 50.0
    assert found["x"].tolist() == [50, 3]


def test_a_part_of_a_storage():
    x = microgad.arange(6.0).storage()[2:4]
    assert microgad.load(written(microgad, [x]))[0].tolist() == [2, 3]


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


def test_a_pickle_has_no_more_values_than_its_tensor():
    """PyTorch's has all of the memory that a view lies in."""
    x = microgad.arange(1e6).reshape(1000, 1000)
    for view in (x[500].expand(9, 1000), x[:, 7], x[::2, 3:5].t()):
        pickled = pickle.dumps(view)
        assert len(pickled) < 10**4
        assert microgad.equal(pickle.loads(pickled), view)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    values = [0, 1, 1]
    ours = microgad.tensor(values).to(getattr(microgad, dtype))
    theirs = torch.tensor(values).to(getattr(torch, dtype))
    same(microgad.load(written(torch, theirs)), theirs)
    same(ours, torch.load(written(microgad, ours), weights_only=True))


@pytest.mark.parametrize(("writer", "reader"), [(torch, microgad), (microgad, torch), (microgad, microgad)])
def test_what_was_set_on_a_tensor_comes_with_it(writer, reader):
    x, half, p = writer.ones(3), writer.ones(2, dtype=writer.uint16), writer.nn.Parameter(writer.zeros(2))
    x.kind, half.kind, p.kind = "data", [1, {"a": x}], (2.5, None)
    x.requires_grad_().sum().backward()
    again = reader.load(written(writer, [x, half, p, x]))
    assert [list(vars(item)) for item in again] == [["kind"]] * 4
    assert again[0] is again[3] is again[1].kind[1]["a"]
    assert (again[0].kind, again[2].kind, again[1].kind[0]) == ("data", (2.5, None), 1)


def test_a_file_sets_nothing_that_a_tensor_has_itself():
    x = torch.ones(2)
    x.__dict__.update(base=1, views=[2], _post_accumulate_grad_hooks=[3], array=4, add=5, _is_param=True, kept=6)
    again = microgad.load(written(torch, x))
    assert vars(again) == {"kept": 6}
    assert (again + 1).tolist() == [2, 2]


def test_memory_is_mapped(tmp_path):
    path = tmp_path / "large.pt"
    torch.save({"w": torch.arange(100_000.0)}, path)
    loaded = microgad.load(path, mmap=True)
    assert isinstance(microgad.backend.owner(loaded["w"].array), np.memmap)
    loaded["w"][0] = 7
    assert torch.load(path)["w"][0] == 0
    microgad.save({"w": microgad.arange(100_000.0)}, path)
    assert loaded["w"][1].item() == 1  # the old file's
    same(microgad.load(path), torch.load(path, mmap=True))


def test_arrays():
    obj = {
        "a": np.arange(6.0).reshape(2, 3).T,
        "number": np.float32(3),
        "text": np.array(["ab", "c"]),
        "empty": np.zeros(0),
    }
    for loaded in (
        microgad.load(written(torch, obj)),
        microgad.load(written(microgad, obj)),
        torch.load(written(microgad, obj), weights_only=False),
    ):
        for name, value in obj.items():
            assert (type(loaded[name]), loaded[name].dtype) == (type(value), value.dtype)
            np.testing.assert_array_equal(loaded[name], value)


def test_training_goes_on_in_the_other_library(tmp_path):
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

"""save and load: values are restored, no code of a file is run, and errors name the file and what is wrong with it."""

import enum
import gc
import io
import math
import os
import pickle
import sys
import weakref
import zipfile
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import microgad
from microgad import load, nn, save
from microgad.serialization import FileError

from .files import records, reloaded, saved, zip_of

DTYPES = ["float16", "float32", "float64", "complex64", "complex128", "bool"]
DTYPES += ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("missing", ["", "MAP_POPULATE", "mmap"])
def test_large_records_are_loaded_into_writable_memory(missing, monkeypatch, tmp_path):
    monkeypatch.setattr("microgad.serialization.archive.LARGE", 16)
    if missing == "mmap":
        monkeypatch.setitem(sys.modules, "mmap", None)
    elif missing:
        monkeypatch.delattr(f"mmap.{missing}", raising=False)
    x = microgad.arange(100.0).reshape(4, 25).cpu()
    save({"x": x, "view": x[1:, ::2], "y": microgad.ones(3)}, tmp_path / "x.pt")
    loaded = load(tmp_path / "x.pt")
    (tmp_path / "x.pt").unlink()
    loaded["x"] += 1
    np.testing.assert_array_equal(loaded["x"], x.numpy() + 1)
    np.testing.assert_array_equal(loaded["view"], x.numpy()[1:, ::2] + 1)


def text(x: str) -> bytes:
    """The instruction that pushes a str in a pickle."""
    return b"X" + len(x).to_bytes(4, "little") + x.encode()


def with_pickle(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file with its pickle changed."""
    entries = records(content)
    return zip_of({**entries, "archive/data.pkl": change(entries["archive/data.pkl"])})


def assert_identical(a: Any, b: Any) -> None:
    """Types and values are the same at every level; arrays are the same bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, microgad.Tensor):
        assert a.requires_grad == b.requires_grad
        assert_identical(a.array, b.array)
    elif isinstance(a, (np.ndarray, np.generic)):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    elif isinstance(a, dict):
        assert_identical(list(a.items()), list(b.items()))
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_identical(x, y)
    else:
        assert repr(a) == repr(b)  # -0.0 and 0.0 differ, and nan is nan


arrays = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))
tensors = st.builds(
    lambda array, requires_grad: microgad.from_numpy(array).requires_grad_(requires_grad and array.dtype.kind in "fc"),
    arrays, st.booleans(),
)  # fmt: skip
keys = st.text() | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False) | st.tuples(st.integers())
leaves = keys | st.floats() | st.complex_numbers() | arrays | tensors | arrays.map(lambda a: a.reshape(-1)[:1].sum())
states = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(keys, inner)
        | st.dictionaries(keys, inner).map(OrderedDict)
    ),
)


@given(states)
def test_any_state_is_restored(state: Any) -> None:
    assert_identical(reloaded(state), state)


@pytest.mark.parametrize(
    "number", [2**100, -(2**2100), -129, 70000, -0.0, math.nan, -math.inf, 5e-324, True, 1e400j, np.float64(0.1)]
)
def test_unusual_numbers_are_restored(number: Any) -> None:
    assert_identical(reloaded(number), number)


def test_shapes_and_unusual_texts_are_restored() -> None:
    state = {"shape": microgad.zeros(2, 3).shape, "text": '"\\\n\0 λ 🦆 \ud800', "names": np.array(["a", "bc"])}
    assert_identical(reloaded(state), state)


@pytest.mark.parametrize(
    "x",
    [
        Path("/a/b"), PurePosixPath("c"), PureWindowsPath("c:\\x"), range(1, 9, 2), frozenset({1, "a"}), np.dtype("f4"),
        np.dtype(">i2"), ...,
    ],
)  # fmt: skip
def test_paths_ranges_sets_and_dtypes_are_restored(x: Any) -> None:
    found, again = reloaded({"x": x, x: [x]}).values()
    assert (found, type(found)) == (x, type(x))
    assert again == [x]


def test_a_path_that_a_newer_python_saved_is_loaded() -> None:
    content = saved(Path("/a/b"))
    renamed = with_pickle(content, lambda data: data.replace(b"cpathlib\n", b"cpathlib._local\n"))
    assert load(io.BytesIO(renamed)) == Path("/a/b")


@pytest.mark.parametrize("weights_only", [True, False])
def test_lazy_parameters_are_restored_uninitialized(weights_only: bool) -> None:
    module = nn.LazyLinear(3, dtype=microgad.float64)
    file = io.BytesIO()
    save(module.state_dict() if weights_only else module, file)
    file.seek(0)
    found = load(file, weights_only=weights_only)
    weight = found["weight"] if weights_only else found.weight
    assert isinstance(weight, nn.UninitializedParameter)
    assert weight.dtype == microgad.float64
    if not weights_only:
        assert found(microgad.ones(2, 5, dtype=microgad.float64)).shape == (2, 3)


@pytest.mark.parametrize("f", [None, 3, microgad.ones(2)])
def test_an_argument_that_is_no_file_raises(f: Any) -> None:
    with pytest.raises(AttributeError, match="save: f must be a path"):
        save(1, f)
    with pytest.raises(AttributeError, match="load: f must be a path"):
        load(f)


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[::2, 1:], lambda a: a[::-1], lambda a: a[:1].repeat(0, 0)])
def test_strided_arrays_are_restored(view: Any) -> None:
    array = view(np.arange(20.0).reshape(4, 5))
    loaded = reloaded(microgad.from_numpy(array)).array
    assert loaded.flags.writeable
    np.testing.assert_array_equal(loaded, array)


def test_a_field_of_records_is_restored() -> None:
    """Its strides are no multiple of its items' size, and yet it is aligned."""
    x = microgad.zeros(3, dtype=microgad.complex64)
    x.array = np.array([(1j, 0), (2j, 0), (3j, 0)], [("z", "c8"), ("other", "f4")])["z"]
    assert reloaded(x).tolist() == [1j, 2j, 3j]


def test_an_expanded_tensor_is_restored() -> None:
    assert reloaded(microgad.ones(1).expand(3)).tolist() == [1, 1, 1]


def test_parameters_and_requires_grad_are_restored() -> None:
    p = microgad.Parameter(microgad.ones(2))
    frozen = microgad.Parameter(microgad.ones(2), requires_grad=False)
    counts = microgad.Parameter(microgad.arange(2), requires_grad=False)
    product = p * 2
    loaded = reloaded([p, frozen, counts, product])
    assert [type(x) for x in loaded] == [microgad.Parameter] * 3 + [microgad.Tensor]
    assert [x.requires_grad for x in loaded] == [True, False, False, True]
    assert loaded[3].is_leaf
    (loaded[0] * 3).sum().backward()
    assert loaded[0].grad.tolist() == [3, 3]


def test_shared_tensors_arrays_and_memory_are_restored_as_shared() -> None:
    p, array = microgad.Parameter(microgad.ones(2)), np.zeros(3)
    loaded = reloaded({"tied": [p, p], "data": p.data, "other": microgad.ones(2), "arrays": (array, array)})
    first, second = loaded["tied"]
    assert first is second
    assert loaded["arrays"][0] is loaded["arrays"][1]
    loaded["data"][0] = 5
    assert first.tolist() == [5, 1]
    assert first._version == 1
    assert loaded["other"].tolist() == [1, 1]


def test_a_state_dict_keeps_the_versions_of_its_modules(tmp_path: Path) -> None:
    class Net(microgad.nn.Module):
        _version = 3

    save({"net": Net().state_dict()}, tmp_path / "net.pt")
    assert load(tmp_path / "net.pt")["net"]._metadata == {"": {"version": 3}}


def test_an_optimizer_s_state_is_restored(tmp_path: Path) -> None:
    p = microgad.ones(3, requires_grad=True)
    optimizer = microgad.optim.Adam([p])
    p.sum().backward()
    optimizer.step()
    save({"optimizer": optimizer.state_dict(), "rng": microgad.get_rng_state(), "p": p}, tmp_path / "run.pt")
    saved = load(tmp_path / "run.pt")
    microgad.set_rng_state(saved["rng"])
    other = microgad.optim.Adam([saved["p"]])
    other.load_state_dict(saved["optimizer"])
    assert_identical(other.state_dict(), optimizer.state_dict())


def test_the_same_state_gives_the_same_bytes() -> None:
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        save({"w": microgad.arange(3), "epoch": 1}, file)
    assert files[0].getvalue() == files[1].getvalue()
    with zipfile.ZipFile(files[0]) as entries:
        assert {entry.date_time for entry in entries.infolist()} == {(1980, 1, 1, 0, 0, 0)}  # not the current time


@pytest.mark.parametrize("form", [str, Path])
def test_paths_may_be_str_or_path(tmp_path: Path, form: Any) -> None:
    save([1], form(tmp_path / "a file"))
    assert load(form(tmp_path / "a file")) == [1]
    assert os.listdir(tmp_path) == ["a file"]


def test_open_files_are_written_and_read(tmp_path: Path) -> None:
    with open(tmp_path / "run.pt", "w+b") as file:
        save([1], file)
        file.seek(0)
        assert load(file) == [1]


def test_a_file_of_several_objects_is_read_one_after_the_other(tmp_path: Path) -> None:
    """Only the format before 1.6 allows it. A saved object is on the disk, though the file is still open."""
    with open(tmp_path / "run.pt", "wb") as file:
        pickle.dump("first", file)
        for obj in ([microgad.arange(3)], {"epoch": 2}):
            save(obj, file, _use_new_zipfile_serialization=False)
        with open(tmp_path / "run.pt", "rb") as reader:
            assert pickle.load(reader) == "first"
            assert load(reader)[0].tolist() == [0, 1, 2]
            assert load(reader) == {"epoch": 2}
            with pytest.raises(EOFError, match=r"run\.pt ends here"):
                load(reader)


def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.pt"
    save({"epoch": 1}, path)

    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("microgad.serialization.archive.Writer.write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save({"epoch": 2, "w": microgad.ones(3)}, path)
    with pytest.raises(TypeError):
        save({"epoch": 2, "w": object()}, path)
    assert load(path) == {"epoch": 1}
    assert os.listdir(tmp_path) == ["run.pt"]


class FullFile(io.BytesIO):
    def write(self, data: Any) -> int:
        raise OSError("no space left")


@pytest.mark.parametrize(("file", "others"), [(io.BytesIO, {}), (io.BytesIO, {"y": object()}), (FullFile, {})])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_save_keeps_nothing_of_what_it_saved(file: Any, others: Any, zipped: bool) -> None:
    """Not until the garbage collector runs, either: it counts objects, not their bytes."""
    gc.disable()
    try:
        x = microgad.ones(3)
        watch = weakref.ref(x)
        with suppress(OSError, TypeError):
            save({"x": x, "view": [x[1:]], **others, "module": nn.Linear(1, 1)}, file(), None, 2, zipped)
        del x
        assert watch() is None
    finally:
        gc.enable()


def test_a_save_to_a_symbolic_link_writes_its_target(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "last.pt"
    link.symlink_to(tmp_path / "folder" / "run.pt")
    save([1], link)
    save([2], link)
    assert link.is_symlink()
    assert load(tmp_path / "folder" / "run.pt") == [2]


def test_a_file_that_was_opened_as_text_raises_and_so_does_the_mapping_of_an_open_file() -> None:
    with pytest.raises(TypeError, match="must be opened in binary mode"):
        load(io.StringIO("text"))
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        load(io.BytesIO(saved([])), mmap=True)


def on_a_gpu() -> io.BytesIO:
    """The file of a Tensor on a GPU."""
    return io.BytesIO(with_pickle(saved([microgad.ones(2)]), lambda x: x.replace(text("cpu"), text("cuda:0"))))


def test_an_unavailable_device_raises_unless_map_location_replaces_it() -> None:
    try:
        import cupy  # noqa: F401
    except ImportError:
        message = "^Attempting to deserialize object on a CUDA device .*needs CuPy: .*, or load with map_location='cpu'"
        with pytest.raises(RuntimeError, match=message):
            load(on_a_gpu())
        with pytest.raises(RuntimeError, match="needs CuPy"):
            load(on_a_gpu(), map_location=lambda storage, place: storage.cuda(0))
    assert load(on_a_gpu(), map_location=lambda storage, place: storage)[0].tolist() == [1, 1]
    assert load(on_a_gpu(), map_location={"cuda:0": "cpu"})[0].tolist() == [1, 1]


class Module:
    pass


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"net": Module()}, r"obj\['net'\] is a .*Module; only dicts.*modules and optimizers can be"),
        ([1, (2, {3: len})], r"obj\[1\]\[1\]\[3\] is a builtins\.builtin_function"),
        ([defaultdict(lambda: 0)], r"obj\[0\] makes what it lacks by <function .*; only Python's own types"),
        (Point(1, 2), "obj is a .*Point"),
        ({Point(1, 2): 1}, "a key of obj is a .*Point"),
        ({"w": np.array([object()])}, r"obj\['w'\] is an array of Python objects"),
        (len, "obj is a builtins.builtin_function_or_method"),
    ],
)
def test_an_object_that_cannot_be_saved_is_named(obj: Any, message: str) -> None:
    file = io.BytesIO()
    with pytest.raises(TypeError, match=f"save: {message}"):
        save(obj, file)
    assert file.getvalue() == b""


class Mode(enum.StrEnum):
    FAST = "fast"


class Names(list[str]):
    pass


class Settings:
    __slots__ = ("mode", "names", "tables")

    def __init__(self) -> None:
        self.mode, self.names, self.tables = Mode.FAST, Names("ab"), {"w": microgad.ones(2), "f": len}


class _PartsUnpickler(pickle.Unpickler):
    """Python's Unpickler, which leaves a Tensor as the tuple of its parts."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(module, name) if module in ("builtins", __name__) else lambda *parts: parts

    def persistent_load(self, key: Any) -> Any:
        return key[0]


def test_a_program_that_imports_microgad_as_torch_saves_any_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyTorch does: trainers save their settings beside the state. PyTorch can read the file."""
    monkeypatch.setattr(microgad.lazy, "running_as_torch", True)
    file = io.BytesIO()
    save([Settings()] * 2, file)
    with zipfile.ZipFile(file) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        first, second = _PartsUnpickler(archive.open(name)).load()
    assert first is second
    assert (first.mode, first.names, type(first.names)) == (Mode.FAST, ["a", "b"], Names)
    assert first.tables["w"][0] == "storage"
    assert first.tables["f"] is len
    file.seek(0)
    with pytest.raises(FileError, match="Settings"):
        load(file, weights_only=False)


def test_an_object_that_contains_itself_is_restored_and_deep_nesting_raises() -> None:
    loop: list[Any] = []
    loop.append(loop)
    loaded = reloaded(loop)
    assert loaded[0] is loaded
    nested: Any = []
    for _ in range(10_000):
        nested = [nested]
    with pytest.raises(RuntimeError, match="nested too deeply"):
        save(nested, io.BytesIO())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"the folder .*nowhere does not exist: make it first"):
        save([1], tmp_path / "nowhere" / "run.pt")


def saved_state() -> bytes:
    return saved({"w": microgad.arange(5), "b": [1.5, None]})


DAMAGED = [
    (b"", "is empty"),
    (b"hello", r"is not a file that torch\.save wrote"),
    (pickle.dumps({"w": 1}), "is a pickle, but not one of PyTorch's"),
    (saved_state()[:-30], "is damaged or cut off"),
    (saved_state()[:100], "is damaged or cut off"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGED)
def test_damaged_and_foreign_files_are_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(FileError, match=f"load: {path} {message}"):
        load(path)
    with pytest.raises(RuntimeError, match=f"load: the file {message}"):
        load(io.BytesIO(content))


def test_a_missing_file_raises_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        load(tmp_path / "none.pt")


@given(st.data())
def test_truncation_and_flipped_bits_raise_or_change_no_value(data: st.DataObject) -> None:
    """The zip format has no checksum of a few bytes, such as dates and versions; they don't affect the values."""
    content = bytearray(saved_state())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        loaded = load(io.BytesIO(bytes(content)))
    except FileError:
        return
    assert (loaded["w"].tolist(), loaded["b"]) == ([0, 1, 2, 3, 4], [1.5, None])

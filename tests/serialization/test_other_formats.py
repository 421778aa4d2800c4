"""Other file formats: PyTorch 0.1's tar, safetensors and npz are loaded, and malformed files raise a FileError."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad.serialization import FileError, safetensors, save_npz

from ..fuzz import intact_files
from ..fuzz.intact_files import global_instruction, joined, plain, tuple_of
from ..processes import run_module
from .files import rejects, zip_of

DTYPES = ["float16", "float32", "float64", "complex64", "bool", "uint8", "uint16", "uint32", "uint64"]
DTYPES += ["int8", "int16", "int32", "int64"]


on_the_host = pytest.mark.host("NumPy and PyTorch read the memory")


def tar_with(**changed: Any) -> bytes:
    """An archive of PyTorch 0.1 with some entries replaced; None leaves an entry out."""
    found = b""
    for name, parts in {**dict(intact_files.tars()[0]), **changed}.items():
        if parts is not None:
            data = parts if type(parts) is bytes else joined(parts)
            header = name.encode().ljust(124, b"\0") + b"%011o\0" % len(data) + b" " * 20 + b"0" + bytes(100)
            header = (header + b"ustar\x0000").ljust(512, b"\0")
            found += header[:148] + b"%06o\0 " % sum(header) + header[156:] + data + bytes(-len(data) % 512)
    return found + bytes(1024)


@pytest.mark.parametrize("content", [intact_files.tar(), tar_with()])
def test_a_tar_of_pytorch_0_1_is_loaded(content: bytes) -> None:
    found = torch.load(io.BytesIO(content))
    assert found["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["again"] is found["w"]
    assert found["n"].tolist() == [0, 1, 2]
    assert (found["empty"].shape, found["empty"].dtype) == ((0,), torch.float64)
    assert found["variable"].requires_grad
    found["view"][0] = 7  # a view of a view of the same memory
    assert found["w"].tolist() == [[0, 1, 2], [7, 4, 5]]
    assert found["w"]._version == 1


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")  # PyTorch's own tar, in Python 3.12 and 3.13
def test_pytorch_loads_the_same_from_a_tar(tmp_path: Path) -> None:
    theirs = pytest.importorskip("torch")
    parts = dict(intact_files.tars()[0])
    storages, tensors = joined(parts["storages"]), joined(parts["tensors"])
    without_empty = tensors.replace(joined([plain(4)]), joined([plain(3)]), 1)  # PyTorch now fails at an empty Tensor
    pickled = joined(parts["pickle"]).replace(b"23", b"22")
    (tmp_path / "old.pt").write_bytes(tar_with(tensors=without_empty, pickle=pickled, storages=storages))
    expected = theirs.load(tmp_path / "old.pt", weights_only=False)
    found = torch.load(tmp_path / "old.pt")
    assert list(found) == list(expected)
    for name in expected:
        assert found[name].tolist() == expected[name].tolist()
        assert found[name].stride() == expected[name].stride()
        assert found[name].requires_grad == expected[name].requires_grad


def storage(count: int, data: bytes, key: Any = 10, kind: str = "torch.FloatStorage") -> list[Any]:
    return [plain(1), tuple_of(key, "cpu", global_instruction(kind)), struct.pack("<q", count), data, plain([])]


def a_tensor(ndim: int, *numbers: int, storage: Any = 10) -> list[Any]:
    form = struct.pack(f"<{len(numbers) + 1}q", ndim, *numbers)
    return [plain(1), tuple_of(20, storage, global_instruction("torch.FloatTensor")), form]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pickle": b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR."}, "names os.system"),
        ({"pickle": [plain("20")[:-1], [b"Q", b"."]], "tensors": [plain(0)]}, "a reference to what is no Tensor"),
        ({"pickle": [[b"\x80\x02", b"]", b"Q", b"."]]}, "a reference to what is no Tensor"),
        ({"pickle": None}, "it holds no pickle"),
        ({"../../etc/passwd": b"x"}, "holds an entry '../../etc/passwd'"),
        ({"storages": storage(2**61, bytes(8))}, "ends within its storages"),
        ({"storages": storage(-1, bytes(8))}, "ends within its storages"),
        ({"storages": storage(2, bytes(8), kind="torch.Size")}, "a storage of no dtype"),
        ({"storages": storage(2, bytes(8), kind="os.system")}, "names os.system"),
        ({"storages": [plain(10**9)]}, "ends within its pickle"),
        ({"storages": [plain("x")]}, "doesn't say how many"),
        ({"storages": [*storage(2, bytes(8))[:-1], plain([(11, 10, -1, 2)])]}, "begins before it"),
        ({"storages": [*storage(2, bytes(8))[:-1], plain([(11, 99, 0, 2)])]}, "makes no sense"),
        ({"storages": [*storage(2, bytes(8))[:-1], plain({})]}, "a dict where a list of views belongs"),
        ({"storages": storage(4, bytes(16)), "tensors": a_tensor(1, 5, 1, 0)}, "reaches beyond its storage"),
        ({"storages": storage(4, bytes(16)), "tensors": a_tensor(1, 2, 1, 3)}, "reaches beyond its storage"),
        ({"storages": storage(4, bytes(16)), "tensors": a_tensor(1, 2, -1, 3)}, r"strides \(-1,\)"),
        ({"storages": storage(4, bytes(16)), "tensors": a_tensor(2**31 - 1)}, "ends within its storages or Tensors"),
        ({"storages": storage(4, bytes(16)), "tensors": a_tensor(2**31)}, "ends within|makes no sense|unpack"),
        ({"tensors": a_tensor(1, 2, 1, 0, storage=77)}, "a Tensor without a storage"),
    ],
)
def test_malformed_tars_are_rejected(changed: Any, message: str) -> None:
    rejects(tar_with(**changed), message)


def test_damaged_tars_are_rejected() -> None:
    content = bytearray(tar_with())
    content[2] ^= 1
    rejects(bytes(content), "checksum of an entry's header")
    for end in range(512, len(tar_with()) - 1600, 37):
        rejects(tar_with()[:end], "ends within|holds no")
    begins = tar_with()[:-1024]
    rejects(begins + begins, "two entries of the name")
    link = tar_with().replace(b"\0 0" + bytes(100) + b"ustar", b"\0 2" + bytes(100) + b"ustar", 1)
    rejects(link, "checksum of an entry's header")


def state() -> dict[str, Any]:
    tensors = {dtype: torch.arange(6).to(getattr(torch, dtype)).reshape(2, 3) for dtype in DTYPES}
    return {**tensors, "nothing": torch.zeros(0, 3), "number": torch.tensor(1.5), 'λ "\\\n\x07': torch.ones(1)}


def assert_same_tensors(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name in expected:
        assert (found[name].dtype, found[name].shape) == (expected[name].dtype, expected[name].shape)
        assert found[name].tolist() == expected[name].tolist()


@pytest.mark.parametrize("mmap", [False, True])
def test_safetensors_are_loaded_as_they_were_saved(tmp_path: Path, mmap: bool) -> None:
    path = tmp_path / "state.safetensors"
    safetensors.save_file(state(), path, {"format": "pt"})
    assert_same_tensors(torch.load(path, mmap=mmap), state())
    assert_same_tensors(torch.load(path, map_location="cpu"), state())
    assert_same_tensors(safetensors.load_file(path), state())
    assert_same_tensors(safetensors.load(path.read_bytes()), state())
    loaded = safetensors.load_file(path)["float32"]
    loaded += 1
    assert loaded[0, 0] == 1


def test_all_tensors_that_share_memory_are_named() -> None:
    x = torch.arange(10)
    with pytest.raises(RuntimeError, match=r"\[\['a', 'b', 'c'\]\]"):
        safetensors.save({"a": x, "b": x[2:4], "c": x[6:8], "d": x.clone()})


@on_the_host
def test_the_package_safetensors_writes_the_same_bytes(tmp_path: Path) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    pytorch = pytest.importorskip("torch")
    same = {name: pytorch.from_numpy(x.numpy()) for name, x in state().items()}
    for metadata in (None, {}, {"format": "pt"}):
        assert safetensors.save(state(), metadata) == theirs.save(same, metadata)
    safetensors.save_file(state(), tmp_path / "mine.safetensors")
    found = theirs.load_file(tmp_path / "mine.safetensors")
    assert {name: x.tolist() for name, x in found.items()} == {name: x.tolist() for name, x in state().items()}


def test_safe_open_reads_tensors_slices_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    safetensors.save_file({"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(2).bool()}, path, {"x": "y"})
    with safetensors.safe_open(path, framework="pt", device="cpu") as file:
        assert (file.keys(), file.offset_keys(), file.metadata()) == (["a", "b"], ["b", "a"], {"x": "y"})
        part = file.get_slice("b")
        assert (part.get_shape(), part.get_dtype()) == ([2, 3], "F32")
        assert part[1:, ::2].tolist() == [[3, 5]]
        assert part[1, 1].item() == 4
        assert file.get_tensor("a").tolist() == [True, True]
        assert list(file.get_tensors()) == ["b", "a"]
        with pytest.raises(FileError, match=r"state\.safetensors has no Tensor 'c'"):
            file.get_tensor("c")
        with pytest.raises(FileError, match="no Tensor 'c'"):
            file.get_slice("c")
    with safetensors.safe_open(path, "numpy") as file:
        assert type(file.get_tensor("a")) is np.ndarray
    with pytest.raises(FileError, match="framework is 'pt' or 'numpy', got 'tf'"):
        safetensors.safe_open(path, "tf")
    with pytest.raises(FileNotFoundError):
        safetensors.safe_open(tmp_path / "none", "pt")


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ([1], ValueError, "Expected a dict"),
        ({"a": 1}, ValueError, "Key `a` is invalid, expected torch.Tensor"),
        ({"a": torch.ones(4)[::2]}, ValueError, "'a' is a non contiguous tensor"),
        ({"a": torch.ones(2, dtype=torch.complex128)}, TypeError, "'a' is torch.complex128"),
        ({"__metadata__": torch.ones(2)}, ValueError, "__metadata__"),
    ],
)
def test_what_safetensors_cannot_store_raises(tensors: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        safetensors.save(tensors)


def test_save_refuses_shared_memory_and_save_model_stores_tied_weights_once(tmp_path: Path) -> None:
    x = torch.ones(4)
    with pytest.raises(RuntimeError, match=r"Some tensors share memory.*\[\['a', 'b'\]\]"):
        safetensors.save({"a": x, "b": x[1:3], "c": torch.ones(1)})
    assert list(safetensors.load(safetensors.save({"a": x[:2], "b": x[2:]}))) == ["a", "b"]  # adjacent, not shared
    with pytest.raises(TypeError, match="metadata has to be text"):
        safetensors.save({"a": x}, {"epoch": 1})

    def tied() -> Any:
        net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
        net[1].weight = net[0].weight
        return net

    path = tmp_path / "net.safetensors"
    net, other = tied(), tied()
    safetensors.save_model(net, path)
    with safetensors.safe_open(path, "pt") as file:
        assert (file.keys(), file.metadata()) == (["0.bias", "0.weight", "1.bias"], {"1.weight": "0.weight"})
    assert safetensors.load_model(other, path) == (set(), [])
    assert other[1].weight.tolist() == net[0].weight.tolist()
    longer = torch.nn.Sequential(*tied(), torch.nn.Linear(1, 1))
    with pytest.raises(RuntimeError, match=r'Missing key.*"2\.bias", "2\.weight"'):
        safetensors.load_model(longer, path)
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"0\.bias", "0\.weight", "1\.bias"'):
        safetensors.load_model(net[0], path)
    assert safetensors.load_model(net[0], path, strict=False)[0] == {"weight", "bias"}


def file_of(header: Any, data: bytes = bytes(8), size: int | None = None) -> bytes:
    """The bytes of a safetensors file. `size` is the length that it states for its header, by default the true one."""
    text = header if type(header) is bytes else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32") -> dict[str, Any]:
    """A Tensor's entry in a safetensors header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (file_of({"a": entry()}, size=2**31), "claims a header of 2147483648"),
        (file_of({"a": entry()}, bytes(7)), "holds 7 bytes of Tensors, but its header says 8"),
        (file_of({"a": entry()}, bytes(9)), "holds 9 bytes of Tensors"),
        (file_of({"a": entry((3,))}), r"'a' is F32 of shape \(3,\), in 8 bytes"),
        (file_of({"a": entry((2**40, 2**40, 0, 2**62), (0, 0))}, b""), "makes no sense|too big|array"),
        (file_of({"a": entry((2**61,), (0, 2**63 - 1))}), "'a' is F32"),
        (file_of({"a": entry(offsets=(8, 0))}), "in -8 bytes"),
        (file_of({"a": entry(offsets=(0, -8))}), "makes no sense"),
        (file_of({"a": entry(offsets=(0, 8.0))}), "makes no sense"),
        (file_of({"a": entry(offsets=(0, True))}), "makes no sense"),
        (file_of({"a": entry(offsets=(8, 16))}), "leaves a gap before 'a'"),
        (file_of({"a": entry(), "b": entry()}), "leaves a gap before 'b', or lays it over another"),
        (
            file_of({"a": entry((1,), (0, 4)), "b": entry((1,), (4, 8)), "c": entry((1,), (0, 4))}),
            "lays it over another",
        ),
        (file_of({"a": entry(dtype="F33")}), "makes no sense"),
        (file_of({"a": entry(dtype=["F32"])}), "makes no sense"),
        (file_of({"a": entry((4,), dtype="BF16")}), "'a' as BF16, of which NumPy has no arrays"),
        (file_of({"a": [1]}), "makes no sense"),
        (file_of({"a": entry([1] * 70 + [2])}), "makes no sense"),
        (file_of({"a": entry(), "__metadata__": {"x": 1}}), "metadata that isn't text"),
        (file_of(b'{"a":1,"a":1}'), "says something twice"),
        (file_of(b"{" + b'"a":[' * 50_000), "is no JSON"),
        (file_of(b'{"a":' + b"9" * 5000 + b"}"), "is no JSON"),
        (file_of(b'{"\xff":1}'), "is no JSON"),
        (file_of({f"t{i}": entry([0], [0, 0]) for i in range(10_000)}, b"x"), "holds 1 bytes"),
    ],
)
def test_malformed_safetensors_are_rejected(content: bytes, message: str) -> None:
    rejects(content, message)


def test_truncated_safetensors_are_rejected() -> None:
    content = safetensors.save({"a": torch.arange(5), "b": torch.ones(2)})
    for end in range(len(content)):
        with pytest.raises(FileError):
            torch.load(io.BytesIO(content[:end]))
        with pytest.raises(FileError):
            safetensors.load(content[:end])


PROGRAM = """
import torch, safetensors
from safetensors import safe_open, SafetensorError
from safetensors.torch import save_file, load_file, save_model, load_model, save, load, storage_ptr, storage_size
torch.manual_seed(0)
net = torch.nn.Linear(2, 3)
with torch.no_grad():
    net.weight[:] = torch.arange(6).reshape(3, 2)
    net.bias[:] = 1
save_file(net.state_dict(), "w.safetensors", metadata={"format": "pt"})
print({name: x.shape for name, x in load_file("w.safetensors", device="cpu").items()})
with safe_open("w.safetensors", framework="pt", device="cpu") as f:
    for key in sorted(f.keys()):
        print(key, f.get_tensor(key).sum().item(), f.get_slice(key).get_shape(), f.get_slice(key)[:1].shape)
    print(f.metadata())
save_model(net, "m.safetensors")
print(load_model(net, "m.safetensors"))
print(sorted(load(save(net.state_dict()))), safetensors.torch.load_file is load_file)
print(storage_ptr(net.weight[1:]) == storage_ptr(net.weight), storage_size(net.weight[1:]))
from safetensors.numpy import load_file as arrays
print(arrays("w.safetensors")["bias"].shape)
try:
    load_file("program.py")
except SafetensorError as error:
    print("refused")
"""


def test_programs_that_import_safetensors_print_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    ran = run_module("microgad", "program.py", folder=tmp_path)
    assert ran.stdout.endswith("(3,)\nrefused\n"), ran.stderr
    assert "microgad has all torch names" in run_module("microgad", "check", "program.py", folder=tmp_path).stdout
    pytest.importorskip("safetensors")
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as theirs:
        exec(PROGRAM, {})
    assert theirs.getvalue() == ran.stdout


@on_the_host
@pytest.mark.parametrize("mmap", [False, True])
def test_npz_is_loaded_as_it_was_saved(tmp_path: Path, mmap: bool) -> None:
    path, tensors = tmp_path / "state.npz", state()
    tensors["λ"] = tensors.pop('λ "\\\n\x07')  # without the backslash, which separates folders on some systems
    tensors |= {"a/b": torch.ones(2, 3, requires_grad=True).T, "file": torch.ones(1)}
    tensors["double"] = torch.ones(2, dtype=torch.complex128)
    save_npz(tensors, path)
    assert_same_tensors(torch.load(path, mmap=mmap), tensors)
    with np.load(path, allow_pickle=False) as theirs:
        for name in ("file", "a/b", "float16", "nothing"):
            np.testing.assert_array_equal(theirs[name], tensors[name].detach().numpy())
    assert_same_tensors(torch.load(io.BytesIO(path.read_bytes())), tensors)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_npz_files_that_numpy_wrote_are_loaded(write: Any, tmp_path: Path) -> None:
    net = torch.nn.Linear(2, 3)
    write(tmp_path / "net.npz", **net.state_dict())
    other = torch.nn.Linear(2, 3)
    other.load_state_dict(torch.load(tmp_path / "net.npz"))
    assert other.weight.tolist() == net.weight.tolist()
    arrays = {"big": np.arange(3, dtype=">i4"), "f": np.asfortranarray([[1.0, 2], [3, 4]]), "x": np.array(["a", "bc"])}
    write(tmp_path / "arrays.npz", **arrays)
    found = torch.load(tmp_path / "arrays.npz", mmap=True)
    assert found["big"].tolist() == [0, 1, 2]
    assert found["f"].tolist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(found["x"], arrays["x"])
    write(tmp_path / "nothing.npz")
    assert torch.load(tmp_path / "nothing.npz") == {}


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"a": np.array([object()])}, TypeError, "an array of object"),
        ({"a": np.zeros(2, "M8[s]")}, TypeError, "an array of datetime64"),
        ({"a": "text"}, TypeError, "got 'a': str"),
        ({1: np.ones(1)}, TypeError, "got 1: ndarray"),
        ({"../a": np.ones(1)}, ValueError, "can't be the name of a file"),
    ],
)
def test_what_npz_cannot_store_raises(state: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"save_npz: .*{message}"):
        save_npz(state, io.BytesIO())


def npz(**arrays: bytes) -> bytes:
    """The bytes of an npz file whose entries have these contents."""
    return zip_of({f"{name}.npy": content for name, content in arrays.items()})


def npy(descr: str, shape: str, data: bytes = bytes(8), order: str = "False") -> bytes:
    """The bytes of an npy file whose header has these texts."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy("'|O'", "(1,)"), "something else than numbers or text"),
        (npy("[('a', '<f4')]", "(2,)"), "something else than numbers or text"),
        (npy("__import__('os').system('true')", "(2,)"), "something else than numbers or text"),
        (npy("'<f4'", "(__import__('os').system('true'),)"), "something else than numbers or text"),
        (npy("'<f4'", "(" * 50_000), "something else|no array of NumPy's"),
        (npy("'<f4'", "(3,)"), r"shape \(3,\) and dtype float32, but 8 bytes"),
        (npy("'<f4'", "(4611686018427387904,)"), "but 8 bytes"),
        (npy("'<f4'", "(4611686018427387904, 0)", b""), "makes no sense|array"),
        (npy("'<U99999999'", "(2,)"), "but 8 bytes"),
        (npy("'<f3'", "(2,)"), "makes no sense"),
        (npy("'<f4'", "(-2,)"), "something else"),
        (npy("'<f4'", "(" + "1, " * 70 + ")"), "something else"),
        (b"\x93NUMPY\x01\x00\xff\xff", "is no array of NumPy's, or is cut off"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "is no array of NumPy's, or is cut off"),
        (b"", "is no array of NumPy's"),
        (b"hello, hello", "is no array of NumPy's"),
    ],
)
def test_malformed_npz_files_are_rejected(content: bytes, message: str) -> None:
    rejects(npz(a=content), message)


def test_a_decompression_bomb_in_an_npz_is_rejected() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.zeros(10_000_000))
    rejects(file.getvalue(), "unpacks to 80000")
    file = io.BytesIO()
    np.savez_compressed(file, a=np.zeros(1000), b=np.arange(1000))  # small entries may have any compression ratio
    assert torch.load(io.BytesIO(file.getvalue()))["a"].shape == (1000,)


def test_truncated_npz_files_are_rejected_and_flipped_bits_change_no_value() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(6), b=np.ones((2, 2), "f4"))
    content = file.getvalue()
    for end in range(len(content)):
        with pytest.raises(FileError):
            torch.load(io.BytesIO(content[:end]))
        flipped = content[:end] + bytes([content[end] ^ 1]) + content[end + 1 :]
        try:
            found = torch.load(io.BytesIO(flipped))
        except FileError:
            continue
        assert [x.tolist() for x in found.values()] == [[0, 1, 2, 3, 4, 5], [[1, 1], [1, 1]]]


def test_errors_name_the_file_that_could_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(npz(a=b"x"))
    with pytest.raises(FileError, match=f"load: {path} holds 'a.npy'"):
        torch.load(path)
    path.write_bytes(file_of({"a": entry((3,))}))
    with pytest.raises(FileError, match=f"safetensors: {path} says that 'a'"):
        safetensors.load_file(path)
    assert os.listdir(tmp_path) == ["bad.npz"]


def of_python_2(text: bytes) -> io.BytesIO:
    """A file of [text, torch.tensor([1.0]), numpy.array([200], "uint8")], as Python 2 wrote them: strings are bytes."""

    def string(data):
        return b"U" + bytes([len(data)]) + data

    storage = b"(" + string(b"storage") + b"ctorch\nFloatStorage\n" + string(b"7") + string(b"cpu") + b"K\1NtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0K\1\x85K\1\x85\x89NtR"
    dtype = b"cnumpy\ndtype\n(X\2\0\0\0u1K\0K\1tR(K\3X\1\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85X\1\0\0\0btR"
    array = empty + b"(K\1K\1\x85" + dtype + b"\x89" + string(b"\xc8") + b"tb"
    obj, keys = b"](" + string(text) + tensor + array + b"e.", b"](" + string(b"7") + b"e."
    header = b"".join(pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    return io.BytesIO(header + b"\x80\2" + obj + b"\x80\2" + keys + struct.pack("<qf", 1, 1.0))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "é"),
        ({"encoding": "utf-8"}, "é"),
        ({"encoding": "latin1"}, "Ã©"),
        ({"encoding": "bytes"}, b"\xc3\xa9"),
    ],
)
def test_strings_of_python_2_have_the_encoding_that_the_program_gives(options, expected):
    text, tensor, array = torch.load(of_python_2("é".encode()), **options)
    assert text == expected
    assert tensor.tolist() == [1.0]
    assert array.tolist() == [200]


def test_strings_of_python_2_that_are_not_utf_8_keep_their_bytes():
    text = torch.load(of_python_2(b"\xe9"))[0]
    assert text.encode("utf-8", "surrogateescape") == b"\xe9"


@pytest.mark.parametrize("spaces", range(4))
def test_tensors_of_a_mapped_safetensors_file_are_aligned_wherever_they_lie_in_it(spaces: int, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    header = json.dumps({"a": entry()}).encode() + spaces * b" "
    path.write_bytes(file_of(header, np.array([1.5, 2], "<f4").tobytes()))
    loaded = torch.load(path, mmap=True)["a"]
    assert (loaded.tolist(), loaded.data_ptr() % 4) == ([1.5, 2], 0)

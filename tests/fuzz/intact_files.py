"""Small intact files of every kind, in the parts that mutations change. PyTorch isn't needed."""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
import struct
import tarfile
import zipfile
from argparse import Namespace
from collections import OrderedDict
from typing import Any

import numpy as np

import microgad
from microgad.datasets import encode_idx
from microgad.serialization import safetensors, save_npz
from microgad.serialization.pickling import Pickler

Code = list[bytes]  # the instructions of a pickle
Parts = list[bytes | Code]  # pickles and the bytes between them
MAGIC = 0x1950A86A20F9469CFC6C


def instructions(pickled: bytes) -> Code:
    """The instructions of a pickle, or of several in a row."""
    starts = [start for _, _, start in pickletools.genops(pickled)]
    return [pickled[a:b] for a, b in zip(starts, [*starts[1:], len(pickled)], strict=True)]


def plain(x: Any) -> Code:
    """The instructions of the pickle of a plain object."""
    return instructions(pickle.dumps(x, 2))


def states() -> list[Any]:
    """The saved objects: Tensors of many dtypes, views, Parameters, arrays, and whatever a state dict may have."""
    w = microgad.arange(12.0).reshape(3, 4)
    return [
        {"w": w, "row": w[1], "column": w.T[2:], "p": microgad.Parameter(microgad.ones(2)), "n": [1.5, None, True]},
        OrderedDict(a=microgad.arange(3), b=microgad.ones(2, dtype=microgad.complex64), c=microgad.zeros(0, 2)),
        [
            microgad.zeros(2, dtype=microgad.uint16),
            np.arange(3),
            np.float64(2),
            np.array(["a", "bc"]),
            {1, 2},
            (2**70,),
        ],
        [microgad.nn.Sequential(microgad.nn.Linear(2, 1), microgad.nn.ReLU()), Namespace(lr=0.1)],
        {"size": w.shape, "device": microgad.device("cpu"), "dtype": microgad.float16, "text": "λ", "bytes": b"\xff"},
    ]


def archives() -> list[list[tuple[str, Any]]]:
    """Files in PyTorch's format since 1.6: named records, the pickle as instructions."""
    found = []
    for state in states():
        file = io.BytesIO()
        microgad.save(state, file)
        with zipfile.ZipFile(file) as entries:
            records = [(entry.filename, entries.read(entry)) for entry in entries.infolist()]
        found.append([(name, instructions(data) if name.endswith(".pkl") else data) for name, data in records])
    return found


def streams() -> list[Parts]:
    """Files in the format before 1.6: pickles, then the bytes of the storages."""
    found: list[Parts] = []
    for state in states():
        machine = Pickler()
        pickled = machine.pickle(state)
        parts: Parts = [plain(MAGIC), plain(1001), plain({"little_endian": True}), instructions(pickled)]
        parts.append(plain([str(i) for i in range(len(machine.storages))]))
        for memory in machine.storages:
            parts += [struct.pack("<q", memory.size), memory.tobytes()]
        found.append(parts)
    return found


def global_instruction(name: str) -> bytes:
    module, _, what = name.rpartition(".")
    return f"c{module}\n{what}\n".encode()


def tuple_of(*items: Any) -> Code:
    """The pickle of a tuple; items of bytes are inserted as instructions."""
    code = [b"\x80\x02", b"("]
    for item in items:
        code += [item] if type(item) is bytes else plain(item)[1:-1]
    return [*code, b"t", b"."]


def tars() -> list[list[tuple[str, Parts]]]:
    """A file in the format of PyTorch 0.1: two storages, a view of one, four Tensors, and a pickle that names them."""
    floats, longs = np.arange(6, dtype="<f4"), np.arange(3, dtype="<i8")
    storages: Parts = [
        plain(2),
        tuple_of(10, "cpu", global_instruction("torch.FloatStorage")), struct.pack("<q", 6), floats.tobytes(),
        tuple_of(11, "cpu", global_instruction("torch.LongStorage")), struct.pack("<q", 3), longs.tobytes(),
        plain([(12, 10, 2, 4)]),
    ]  # fmt: skip
    tensors: Parts = [plain(4)]
    for key, storage, kind, size, stride, offset in (
        (20, 10, "FloatTensor", (2, 3), (3, 1), 0), (21, 12, "FloatTensor", (2,), (2,), 1),
        (22, 11, "LongTensor", (3,), (1,), 0), (23, None, "DoubleTensor", (), (), 0),
    ):  # fmt: skip
        sizes = struct.pack(f"<{2 * len(size) + 1}q", *size, *stride, offset)
        tensors += [tuple_of(key, storage, global_instruction(f"torch.{kind}")), struct.pack("<q", len(size)) + sizes]
    pickled = [b"\x80\x02", b"}", b"("]
    for name, key in (("w", "20"), ("view", "21"), ("n", "22"), ("empty", "23"), ("again", "20")):
        pickled += [*plain(name)[1:-1], *plain(key)[1:-1], b"Q"]
    pickled += [*plain("variable")[1:-1], global_instruction("torch.autograd.variable.Variable"), b"("]
    pickled += [*plain("20")[1:-1], b"Q", b"t", b"R", b"(", b"\x88", b"\x89", b"N", b"t", b"b", b"u", b"."]
    info = {"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 8}}
    return [[("sys_info", [plain(info)]), ("pickle", [pickled]), ("tensors", tensors), ("storages", storages)]]


def joined(parts: Parts) -> bytes:
    """The bytes of all parts in a row."""
    return b"".join(part if type(part) is bytes else b"".join(part) for part in parts)


def tar() -> bytes:
    """A file in the format of PyTorch 0.1, written by Python's tarfile."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name, parts in tars()[0]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(joined(parts)), 0.5
            archive.addfile(entry, io.BytesIO(joined(parts)))
    return file.getvalue()


def tables() -> list[tuple[dict[str, Any], bytes]]:
    """safetensors files: the header as a dict, and the bytes of the arrays."""
    import json

    found = []
    for state in ({"w": microgad.arange(6.0).reshape(2, 3), "n": microgad.arange(2)}, {"s": microgad.ones(()).bool()}):
        data = safetensors.save(state, {"format": "pt"})
        begins = 8 + int.from_bytes(data[:8], "little")
        found.append((json.loads(data[8:begins]), data[begins:]))
    return found


def arrays() -> list[list[tuple[str, Any]]]:
    """npz files written by microgad and by NumPy, as named records."""
    state = {
        "w": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.ones((2, 2), "f4")),
        "t": np.array(["a", "bc"]),
    }
    ours, theirs = io.BytesIO(), io.BytesIO()
    save_npz(state, ours)
    np.savez_compressed(theirs, big=np.arange(4, dtype=">i4"), scalar=np.array(1j), none=np.zeros((0, 3)), **state)
    found = []
    for file in (ours, theirs):
        with zipfile.ZipFile(file) as entries:
            found.append([(entry.filename, entries.read(entry)) for entry in entries.infolist()])
    return found


def images() -> list[bytes]:
    """IDX files, plain and gzipped."""
    plain = [encode_idx(np.arange(24, dtype=kind).reshape(2, 3, 4)) for kind in ("u1", "i2", "f4")]
    return [*plain, *(gzip.compress(content, mtime=0) for content in plain)]

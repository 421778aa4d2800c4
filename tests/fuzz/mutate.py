"""Mutations of files that know the formats: instructions of pickles, records, headers, sizes, offsets; any bytes."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from . import intact_files
from .intact_files import Code, Parts, global_instruction, joined

NUMBERS = [
    0, 1, 2, 3, 4, 7, 8, 16, 63, 64, 65, 127, 128, 255, 256, 1000, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32 - 1,
    2**32, 2**40, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -8, -(2**31), -(2**63),
]  # fmt: skip
GLOBALS = [
    "os.system", "posix.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "__builtin__.eval",
    "builtins.open", "builtins.getattr", "importlib.import_module", "webbrowser.open", "pickle.loads",
    "runpy.run_path", "shutil.rmtree", "collections.OrderedDict", "collections.Counter",
    "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter", "torch.nn.parameter.Parameter", "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2", "torch.Size", "torch.device", "torch.serialization._get_layout",
    "torch.FloatStorage", "torch.LongStorage", "torch.storage.UntypedStorage", "torch.float32", "torch.bool",
    "torch.Tensor", "torch.FloatTensor", "torch.autograd.variable.Variable", "_codecs.encode", "__builtin__.complex",
    "__builtin__.set", "builtins.bytes", "builtins.bytearray", "numpy.dtype", "numpy.ndarray",
    "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
    "torch.nn.modules.linear.Linear", "torch.nn.Module", "argparse.Namespace", "microgad.nn.functional.relu",
    "torch.load", "torch.jit.load", "torch.hub.load", "microgad.load", "microgad.Tensor.__init__", "numpy.load",
]  # fmt: skip
STRINGS = [
    "", "storage", "cpu", "cuda:0", "cuda:99999999999", "meta", "0", "1", "999", "../x", "/etc/passwd", "data/0", "O",
    "f4", "V8", "f4,f4", "(2,)f4", "U999999999", "M8[ns]", "latin1", "utf-8", "torch.strided", "\ud800", "x" * 300,
    "<", ">", "|", "__class__", "__dict__", "_metadata", "1e400",
]  # fmt: skip
OPCODES = [bytes([i]) for i in b"()]}.0125NRabdegpstuQ\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98"]
NAMES = [
    "../x", "/x", "a/../../x", "a\\x", "archive/data.pkl", "data.pkl", "archive/", "archive/data/0", "", ".", "..",
    "C:/x", "w.npy", "a\0b", "x" * 5000, "archive/byteorder", "archive/data/1", "other/data.pkl", "é.npy", "w",
]  # fmt: skip
DESCRS = [
    "<f4", "<f8", ">f4", "|b1", "|O", "<U9", "<U99999999", "|S0", "<U0", "|V8", "<M8[ns]", "<f3", "<c16", "<f16",
    "f4,f4", "", "<U2147483648", "[('a', '<f4')]", "__import__('os').system('x')",
]  # fmt: skip


def pickle_number(rng: Random) -> bytes:
    n = rng.choice(NUMBERS) if rng.random() < 0.7 else rng.randrange(40)
    data = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return rng.choice([
        bytes([0x8A, len(data)]) + data, b"J" + struct.pack("<i", n if -(2**31) <= n < 2**31 else 5), b"K\x05",
        b"\x8b" + struct.pack("<i", len(data)) + data, b"M\xff\xff", b"G" + struct.pack(">d", float(n)), b"I01\n",
    ])  # fmt: skip


def pickle_text(rng: Random) -> bytes:
    data = rng.choice(STRINGS).encode("utf-8", "surrogatepass")
    short = data[:255]
    return rng.choice([
        b"X" + struct.pack("<I", len(data)) + data, b"\x8c" + bytes([len(short)]) + short,
        b"U" + bytes([len(short)]) + short,
        b"C" + bytes([len(short)]) + short, b"\x8d" + struct.pack("<Q", len(data)) + data,
        b"X" + struct.pack("<I", rng.choice(NUMBERS) & 0xFFFFFFFF) + data, b"B" + struct.pack("<I", len(data)) + data,
        b"\x8e" + struct.pack("<Q", rng.choice(NUMBERS) & (2**64 - 1)) + data,
    ])  # fmt: skip


def instruction(rng: Random) -> bytes:
    """A random instruction of a pickle."""
    kind = rng.randrange(6)
    if kind == 0:
        return pickle_number(rng)
    if kind == 1:
        return pickle_text(rng)
    if kind == 2:
        return global_instruction(rng.choice(GLOBALS))
    if kind == 3:
        return rng.choice([b"q", b"h"]) + bytes([rng.randrange(20)])
    if kind == 4:
        return rng.choice([b"j", b"r"]) + struct.pack("<I", rng.choice(NUMBERS) & 0xFFFFFFFF)
    return rng.choice(OPCODES)


def of_the_same_kind(old: bytes, rng: Random) -> bytes:
    """Another instruction of the same kind: a number for a number, a name for a name."""
    if old[:1] in b"KMJI\x8a\x8bG":
        return pickle_number(rng)
    if old[:1] in b"XU\x8cTCB":
        return pickle_text(rng)
    return global_instruction(rng.choice(GLOBALS)) if old[:1] == b"c" else instruction(rng)


# A "billion laughs" attack: nested tuples with 2**60 leaves in a few bytes, which no reader may hash, compare or print.
BILLION_LAUGHS = [b")", *[b"q\x63", b"h\x63", b"\x86"] * 60]


def copies(rng: Random) -> Code:
    """A long text, and many copies that calls make of it."""
    text = b"X" + struct.pack("<I", 3000) + b"1" * 3000
    name = global_instruction(rng.choice(["_codecs.encode", "__builtin__.bytearray", "collections.OrderedDict"]))
    call = [name, b"(", b"h\x62", b"X\x06\0\0\0latin1", b"t", b"R"]
    return [b"(", text, b"q\x62", *call * rng.choice([3, 1000]), b"t"]


def pickled(code: Code, rng: Random) -> Code:
    """A pickle with some of its instructions changed."""
    code = list(code)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        at, kind = rng.randrange(len(code)), rng.randrange(10)
        if kind < 4:
            code[at] = of_the_same_kind(code[at], rng)
        elif kind == 4:
            code.insert(at, instruction(rng))
        elif kind == 5:
            del code[at]
            code = code or [b"."]
        elif kind == 6:
            end = rng.randrange(at, min(len(code), at + 12) + 1)
            code[at:at] = code[at:end] * rng.choice([1, 2, 50])
        elif kind == 7:
            other = rng.randrange(len(code))
            code[at], code[other] = code[other], code[at]
        elif kind == 8:
            code[at:at] = BILLION_LAUGHS if rng.random() < 0.5 else copies(rng)
        else:
            deep = rng.choice([10, 400, 900, 1500])
            code[at:at] = rng.choice([[b"("] * deep, [b"]"] * deep + [b"a"] * deep, [b")"] + [b"\x85"] * deep])
    return code


def raw(data: bytes, rng: Random) -> bytes:
    """Some bytes changed, removed, inserted or copied, for any kind of file."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        if not changed:
            return bytes(changed)
        at, kind = rng.randrange(len(changed)), rng.randrange(7)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 2:
            width = rng.choice([2, 4, 8])
            number = (rng.choice(NUMBERS) & (1 << 8 * width) - 1).to_bytes(width, rng.choice(["little", "big"]))
            changed[at : at + width] = number
        elif kind == 3:
            del changed[at:]
        elif kind == 4:
            del changed[at : at + rng.choice([1, 2, 8, 64])]
        elif kind == 5:
            changed[at:at] = rng.randbytes(rng.choice([1, 4, 16]))
        else:
            other = rng.randrange(len(changed))
            changed[at:at] = changed[other : other + rng.choice([4, 32, 128])]
    return bytes(changed)


def parts(given: Parts, rng: Random) -> bytes:
    """A sequence of pickles and numbers with one of them changed."""
    changed = list(given)
    at = rng.randrange(len(changed))
    part = changed[at]
    if rng.random() < 0.1:
        changed[at:at] = changed[at : at + rng.randrange(3)]
    elif type(part) is bytes:
        if len(part) >= 8 and rng.random() < 0.7:
            begins = rng.randrange(0, len(part) - 7, 8)
            number = struct.pack("<Q", rng.choice(NUMBERS) & (2**64 - 1))
            changed[at] = part[:begins] + number + part[begins + 8 :]
        else:
            changed[at] = raw(part, rng)
    else:
        changed[at] = pickled(part, rng)
    return joined(changed)


def header_of_npy(data: bytes, rng: Random) -> bytes:
    """The header of a .npy file with another dtype, shape or length."""
    begins = 10 if data[6:7] == b"\1" else 12
    text = data[begins : begins + int.from_bytes(data[8:begins], "little")].decode("latin-1")
    kind = rng.randrange(7)
    if kind < 2:
        text = re.sub(r"'descr': '[^']*'", f"'descr': '{rng.choice(DESCRS)}'".replace("\\", ""), text)
    elif kind < 4:
        shape = ", ".join(str(rng.choice(NUMBERS)) for _ in range(rng.choice([0, 1, 2, 3, 40, 70])))
        text = re.sub(r"'shape': \([^)]*\)", lambda _: f"'shape': ({shape},)", text)
    elif kind == 4:
        text = text.replace("False", rng.choice(["True", "None", "1", "open('x', 'w')"]))
    elif kind == 5:
        text = raw(text.encode("latin-1"), rng).decode("latin-1")
    else:
        text = "(" * rng.choice([10, 3000]) + text
    length = len(text) if rng.random() < 0.9 else rng.choice(NUMBERS) & 0xFFFFFFFF
    end = data[begins + int.from_bytes(data[8:begins], "little") :]
    wide = begins - 8
    return data[:8] + (length & (1 << 8 * wide) - 1).to_bytes(wide, "little") + text.encode("latin-1") + end


def zipped(records: list[tuple[str, bytes]], rng: Random) -> bytes:
    """A zip archive, written field by field, so that each number in it can be changed."""
    out, directory = bytearray(), bytearray()
    wrong = rng.randrange(len(records) + 1) if rng.random() < 0.5 else -1  # the record with a wrong header, or the end
    for number, (name, data) in enumerate(records):
        text = name.encode("utf-8", "surrogatepass")
        method, packed = 0, data
        if rng.random() < 0.05:
            method, machine = 8, zlib.compressobj(wbits=-15)
            bomb = data + bytes(rng.choice([0, 10**5, 3 * 10**6])) if rng.random() < 0.2 else data
            packed, data = machine.compress(bomb) + machine.flush(), bomb
        local = [20, 0, method, 0, 0x21, zlib.crc32(data), len(packed), len(data), len(text), 0]
        central = [20, *local, 0, 0, 0, 0, len(out)]
        if number == wrong:
            fields = rng.choice([local, central])
            fields[rng.randrange(len(fields))] = rng.choice([*NUMBERS, len(data) + 1, 8, 12])
        out += b"PK\3\4" + fitted("HHHHHLLLHH", local) + text + packed
        extra = struct.pack("<HHQQQ", 1, 24, *(rng.choice(NUMBERS) & (2**64 - 1) for _ in range(3)))
        if rng.random() < 0.03:
            central[10], central[8], central[9] = len(extra), 2**32 - 1, 2**32 - 1
        else:
            extra = b""
        directory += b"PK\1\2" + fitted("HHHHHHLLLHHHHHLL", central) + text + extra
    end = [0, 0, len(records), len(records), len(directory), len(out), 0]
    if wrong == len(records):
        end[rng.randrange(7)] = rng.choice([*NUMBERS, 100_000])
    return bytes(out + directory) + b"PK\5\6" + fitted("HHHHLLH", end)


def fitted(form: str, numbers: list[int]) -> bytes:
    bits = {"H": 16, "L": 32}
    return struct.pack("<" + form, *(n & (1 << bits[f]) - 1 for n, f in zip(numbers, form, strict=True)))


def records(given: list[tuple[str, Any]], rng: Random) -> bytes:
    """An archive with a record changed, renamed, duplicated or removed."""
    changed = list(given)
    for _ in range(rng.choice([1, 1, 1, 2])):
        at, kind = rng.randrange(len(changed)), rng.randrange(12)
        if kind < 8:  # most often the pickle, which describes the other records
            at = next((i for i, (name, _) in enumerate(changed) if name.endswith(".pkl")), at)
        name, data = changed[at]
        if kind < 9:
            if type(data) is list:
                data = pickled(data, rng)
            else:
                data = header_of_npy(data, rng) if data[:6] == b"\x93NUMPY" and rng.random() < 0.8 else raw(data, rng)
            changed[at] = name, data
        elif kind == 9:
            changed[at] = rng.choice(NAMES), data
        elif kind == 10:
            changed.insert(rng.randrange(len(changed) + 1), (rng.choice([name, *NAMES]), data))
        elif len(changed) > 1:
            del changed[at]
    return zipped([(name, data if type(data) is bytes else b"".join(data)) for name, data in changed], rng)


def archive(rng: Random) -> bytes:
    return records(rng.choice(seeds("archives")), rng)


def stream(rng: Random) -> bytes:
    return parts(rng.choice(seeds("streams")), rng)


def npz(rng: Random) -> bytes:
    return records(rng.choice(seeds("arrays")), rng)


def tar(rng: Random) -> bytes:
    """A file of PyTorch 0.1 with a changed part or header; most checksums are right."""
    out, given = bytearray(), list(rng.choice(seeds("tars")))
    at, kind = rng.randrange(len(given)), rng.randrange(8)
    if kind == 6:
        given.insert(at, rng.choice(given))
    elif kind == 7:
        del given[at]
        at = -1
    for number, (name, content) in enumerate(given):
        data = parts(content, rng) if number == at and kind < 5 else joined(content)
        fields = [
            name.encode(), b"0000644", b"0000000", b"0000000", b"%011o" % len(data), b"00000000000", b" " * 8, b"0",
            b"", b"ustar\x0000",
        ]  # fmt: skip
        if number == at and kind == 5:
            changed = rng.choice([
                (0, rng.choice(NAMES).encode()), (4, b"%011o" % (rng.choice(NUMBERS) & (2**33 - 1))),
                (4, b"-0000000001"), (4, b"\x80" + bytes(10) + b"\x05"), (4, b"9_x"), (6, b"0000000\0"),
                (7, rng.choice([b"1", b"2", b"5", b"x", b"g", b"L", b"S", b"\0"])),
            ])  # fmt: skip
            fields[changed[0]] = changed[1]
        widths = (100, 8, 8, 8, 12, 12, 8, 1, 100, 255)
        header = b"".join(field[:width].ljust(width, b"\0") for field, width in zip(fields, widths, strict=True))
        if fields[6].isspace():
            header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
        out += header + data + bytes(-len(data) % 512)
    return bytes(out) + bytes(1024 if rng.random() < 0.9 else 0)


def table(rng: Random) -> bytes:
    """A safetensors file with another header, or another length of it."""
    header, data = rng.choice(seeds("tables"))
    header = json.loads(json.dumps(header))
    for _ in range(rng.choice([1, 1, 2])):
        inside = rng.choice([header, *(x for x in header.values() if type(x) is dict and x)])
        if not inside:
            continue
        key, kind = rng.choice(list(inside)), rng.randrange(8)
        value = inside[key]
        if kind < 4 and type(value) is list and value:
            value[rng.randrange(len(value))] = rng.choice([*NUMBERS, 1.5, None, True, "1", [1], 10**100])
        elif kind < 5:
            inside[key] = rng.choice(["F32", "BF16", "F4", "X", 1, None, [], {}, [2**62] * 3, [0] * 100, {"a": 1}])
        elif kind == 5:
            inside[rng.choice(["w", "n", "__metadata__", "dtype", "x"])] = value
        elif kind == 6:
            del inside[key]
        else:
            header = {f"{key}{i}": value for i in range(rng.choice([2, 300]))} | header
    text = json.dumps(header).encode()
    kind = rng.randrange(10)
    if kind == 0:
        text = raw(text, rng)
    elif kind == 1:
        deep = rng.choice([10, 480, 900, 960, 975, 20_000])
        text = text[:-1] + b',"x":' + b"[" * deep + b"]" * deep + b"}"
    elif kind == 2:
        text = text[:-1] + b"," + text[1:]
    elif kind == 3:
        data = raw(data, rng)
    elif kind == 4:
        text = rng.choice([b"[]", b"{}", b"null", b"1", b'"x"', b"", b"{}" * 2, b'{"__metadata__":{}}', b'{"w":[]}'])
    size = len(text) if rng.random() < 0.9 else rng.choice([*NUMBERS, len(text) + 1, len(text) - 1])
    return struct.pack("<Q", size & (2**64 - 1)) + text + data


def idx(rng: Random) -> bytes:
    """An IDX file with another header, or with trailing bytes, which gzip may have made few."""
    data = rng.choice(seeds("images"))
    packed = data[:2] == b"\x1f\x8b"
    content = bytearray(gzip.decompress(data) if packed else data)
    kind = rng.randrange(7)
    if kind == 0:
        content[rng.randrange(4)] = rng.choice([0, 1, 3, 8, 9, 0x0B, 0x0C, 0x0D, 0x0E, 64, 65, 255])
    elif kind == 1:
        at = rng.choice([4, 8, 12])
        content[at : at + 4] = struct.pack(">I", rng.choice(NUMBERS) & 0xFFFFFFFF)
    elif kind == 2:
        content += bytes(rng.choice([1, 1, 1000, 4 * 10**6]))  # as many zeros are a bomb when they are gzipped
    elif kind == 3:
        content = bytearray(raw(bytes(content), rng))
    elif kind == 4:  # an array without elements, or one that is missing
        content[4:] = struct.pack(">3I", *(rng.choice([0, 2**31, 2**32 - 1]) for _ in range(3)))
    result = gzip.compress(bytes(content), 1, mtime=0) if packed else bytes(content)
    return result * 2 if packed and kind == 5 else result


def model(rng: Random) -> bytes:
    """An ONNX model with some of its parts changed."""
    from .graphs import graph  # takes a second, as it imports onnx

    return graph(rng)


KINDS: dict[str, Callable[[Random], bytes]] = {
    "zip": archive, "stream": stream, "tar": tar, "safetensors": table, "npz": npz, "idx": idx,
}  # fmt: skip
if importlib.util.find_spec("onnx"):
    KINDS["onnx"] = model


@cache
def seeds(kind: str) -> Any:
    return getattr(intact_files, kind)()


def broken_file(kind: str, seed: int, number: int) -> bytes:
    """The broken file of a kind, seed and number, always the same."""
    rng = Random(seed << 40 | number)
    content = KINDS[kind](rng)
    return raw(content, rng) if rng.random() < 0.15 else content

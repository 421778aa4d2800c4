"""Malicious and damaged files raise a FileError. No code runs, and memory is allocated in proportion to the file."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.serialization import FileError

from .files import records, rejects, saved, zip_of

WHOLE = saved({"w": torch.arange(6.0).reshape(2, 3), "n": [1.5, None]})
RECORDS = {name.partition("/")[2]: content for name, content in records(WHOLE).items()}


def archive_with(records: dict[str, bytes]) -> bytes:
    """An archive with these records added or replaced."""
    return zip_of({f"archive/{name}": content for name, content in {**RECORDS, **records}.items()})


def with_pickle(code: bytes) -> bytes:
    return archive_with({"data.pkl": b"\x80\x02" + code})


class CallsFunction:
    """An object whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "call", [(os.system, "touch /tmp/run"), (eval, "1"), (getattr, [], "append"), (bytearray, 10**12)]
)
def test_no_code_is_run(call: Any, protocol: int) -> None:
    rejects(with_pickle(pickle.dumps(CallsFunction(*call), protocol)), "names|instruction|makes no sense|encoding")


OBJECT_ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tX\x01\x00\x00\x00btR(K\x01(K\x01t"
    b"cnumpy\ndtype\n(X\x01\x00\x00\x00OtR(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
    b"\x89C\x0812345678tb."
)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"cos\nsystem\n.", r"names os\.system, which may not be loaded"),
        (b"c__builtin__\neval\n(X\x01\x00\x00\x001tR.", "names __builtin__.eval"),
        (b"ccollections\nOrderedDict\n}b.", "gives a state to a Name"),
        (b"ccollections\nOrderedDict\n)RK\x01b.", "gives a state to a OrderedDict"),
        (b"]K\x01K\x02s.", "puts items into a list"),
        (b"}K\x01a.", "appends to a dict"),
        (b"K\x05)R.", "calls what is no function"),
        (b"ctorch\nFloatStorage\n)R.", "calls what is no function"),
        (b"ctorch.storage\nUntypedStorage\n)R.", "calls what is no function"),
        (b"K\x01Q.", "holds a reference to what is no storage"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x00K\x00)))tR.", "without a storage"),
        (b"h\x05.", "makes no sense"),
        (b"t.", "closes what it didn't open"),
        (b"(.", "leaves something open"),
        (b"}(]K\x01u.", "makes no sense: TypeError: .*unhashable"),
        (b"X\xff\xff\xff\xffabc.", "ends within its pickle"),
        (b"\x8b\xff\xff\xff\x7f.", "ends within its pickle"),
        (b"\x8b\xff\xff\xff\xff.", "ends within its pickle"),
        (b"", "ends within its pickle"),
        (b"i__main__\nX\n.", "the pickle instruction b'i'"),
        (b"cnumpy.core.multiarray\n_reconstruct\n)R.", "makes no sense"),
        (OBJECT_ARRAY, "'O', which may not be loaded"),
    ],
)
def test_forbidden_and_malformed_pickles_are_rejected(code: bytes, message: str) -> None:
    rejects(with_pickle(code), message)


def tensor_pickle(count: int, offset: int, size: bytes, stride: bytes, key: bytes = b"0") -> bytes:
    """The pickle of a Tensor on a storage that claims to have `count` elements."""
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
         b"X" + struct.pack("<I", len(key)) + key
        + b"X\x03\x00\x00\x00cpu\x8a\x08" + struct.pack("<q", count)
        + b"tQ\x8a\x08" + struct.pack("<q", offset) + size + stride + b"\x89N}tR."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7, 0, b"(K\x06t", b"(K\x01t"), "claims 7 elements of 'data/0', which has 24 bytes"),
        ((5, 0, b"(K\x05t", b"(K\x01t"), "claims 5 elements of 'data/0', which has 24 bytes"),
        ((2**61, 0, b"(K\x06t", b"(K\x01t"), "claims 2305843009213693952 elements"),
        ((-1, 0, b"(K\x06t", b"(K\x01t"), "claims -1 elements"),
        ((6, 1, b"(K\x06t", b"(K\x01t"), "reaches beyond its storage of 6 elements"),
        ((6, -1, b"(K\x02t", b"(K\x01t"), "offset -1"),
        ((6, 0, b"(K\x02t", b"(J\xff\xff\xff\xfft"), r"strides \(-1,\)"),
        ((6, 0, b"(K\x02t", b"(K\x06t"), "reaches beyond"),
        ((6, 0, b"(K\x02K\x02t", b"(K\x01t"), r"sizes \(2, 2\), strides \(1,\)"),
        ((6, 0, b"(G\x40\x00\x00\x00\x00\x00\x00\x00t", b"(K\x01t"), r"sizes \(2\.0,\)"),
        ((6, 0, b"(\x8a\x09" + bytes(8) + b"\x01t", b"(K\x00t"), "makes no sense"),
        ((6, 0, b"(K\x06t", b"(K\x01t", b"../../etc/passwd"), "has no record"),
        ((6, 0, b"(K\x06t", b"(K\x01t", b"9"), "has no record 'data/9'"),
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_rejected(arguments: Any, message: str) -> None:
    rejects(with_pickle(tensor_pickle(*arguments)), message)


def test_a_tensor_within_its_storage_is_loaded() -> None:
    assert torch.load(io.BytesIO(with_pickle(tensor_pickle(6, 1, b"(K\x02t", b"(K\x03t")))).tolist() == [1, 4]


@pytest.mark.parametrize(
    ("version", "message"),
    [(b"", "makes no sense"), (b"x", "makes no sense"), (b"0", "version '0'"), (b"11", "from 1 to 10")],
)
def test_a_version_that_is_none_or_unknown_is_rejected(version: bytes, message: str) -> None:
    rejects(archive_with({"version": version}), message)


def test_the_version_may_be_under_its_other_name() -> None:
    """PyTorch reads `.data/version`, too, and that first."""
    assert "w" in torch.load(io.BytesIO(archive_with({".data/version": b"3\n", "version": b"x"})))


@pytest.mark.parametrize("more", [b"\n", b"xxx", bytes(60_000), bytes(2**16 - 1)])
def test_bytes_after_the_archive_are_ignored(more: bytes) -> None:
    """As in PyTorch: a download may be padded."""
    loaded = torch.load(io.BytesIO(WHOLE + more))
    assert loaded["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


LAUGHS = b")" + b"qch\x63\x86" * 60  # a tuple of 2**60 parts


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"}" + LAUGHS + b"Ns.", "a key that is too large"),
        (b"c__builtin__\nset\n(](" + LAUGHS + b"etR.", "a key that is too large"),
        (b"\x8f(" + LAUGHS + b"\x90.", "a key that is too large"),
        (b"ccollections\nOrderedDict\n]]" + LAUGHS + b"aNaa\x85R.", "a key that is too large"),
        (b"ctorch.serialization\n_get_layout\n(" + LAUGHS + b"tR.", "holds the layout"),
        (b"ctorch\ndevice\n(" + LAUGHS + b"tR.", "a device without a name"),
        (b"cnumpy\ndtype\n(" + LAUGHS + b"tR.", "a dtype of the name"),
        (LAUGHS + b"X\x01\0\0\0x\x93.", "a tuple where a name belongs"),
        (tensor_pickle(6, 0, b"(" + LAUGHS + b"t", b"(K\x01t"), "a Tensor of sizes"),
        (tensor_pickle(6, 0, b"(K\x06t", b"(K\x01t").replace(b"X\x03\0\0\0cpu", LAUGHS), "without a name or a place"),
        (tensor_pickle(6, 0, b"(K\x06t", b"(K\x01t").replace(b"X\x01\0\0\x000", LAUGHS), "without a name or a place"),
    ],
)
def test_values_of_exponential_size_are_rejected(code: bytes, message: str) -> None:
    """They are small in the file, but to hash, compare or print them would take forever."""
    rejects(with_pickle(code), message)


@pytest.mark.parametrize("name", [b"_codecs\nencode", b"__builtin__\nbytearray", b"collections\nOrderedDict"])
def test_a_pickle_that_copies_a_large_value_many_times_is_rejected(name: bytes) -> None:
    call = b"c" + name + b"\n(hbX\x06\0\0\0latin1tR"
    if name.startswith(b"coll"):
        begin, call = b"](" + b"NN\x86" * 20_000 + b"e", call.replace(b"X\x06\0\0\0latin1", b"")
    else:
        begin = b"X" + struct.pack("<I", 50_000) + b"1" * 50_000
    rejects(with_pickle(b"(" + begin + b"qb" + call * 1000 + b"t."), "makes many times more of its parts than it holds")


def test_tensors_of_one_record_share_memory_whatever_index_their_cpu_has() -> None:
    code = b"".join(
        tensor_pickle(6, 0, b"(K\x06t", b"(K\x01t")[:-1].replace(b"X\x03\0\0\0cpu", b"X\x05\0\0\0cpu:%d" % i)
        for i in range(9)
    )
    loaded = torch.load(io.BytesIO(with_pickle(b"(" + code + b"t.")))
    loaded[0][0] = 9
    assert [x[0].item() for x in loaded] == [9] * 9


@pytest.mark.parametrize("name", ["../x", "/etc/x", "archive/../x", "archive\\x", "archive", "other/x"])
def test_record_names_outside_of_the_archive_s_folder_are_rejected(name: str) -> None:
    file = io.BytesIO(archive_with({}))
    with zipfile.ZipFile(file, "a") as entries:
        entries.writestr(name, b"x")
    rejects(file.getvalue(), "which is none|in several folders")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_rejected() -> None:
    file = io.BytesIO(archive_with({}))
    with zipfile.ZipFile(file, "a") as entries:
        entries.writestr("archive/data.pkl", b"\x80\x02K\x01.")
    rejects(file.getvalue(), "holds two records of the name 'archive/data.pkl'")


def test_a_zip_bomb_is_rejected() -> None:
    file = io.BytesIO(archive_with({}))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as entries:
        entries.writestr("archive/data/1", bytes(50_000_000))
    rejects(file.getvalue(), "unpacks to 50000")


def test_overlapping_records_are_rejected() -> None:
    """Many entries of the zip directory may point to one record. Together they claim more bytes than the file has."""
    content = archive_with({"data/0": bytes(5000)})
    with zipfile.ZipFile(io.BytesIO(content)) as entries:
        directory = entries.start_dir
    end = content.rindex(b"PK\5\6")
    entry = next(
        part for part in (b"PK\1\2" + rest for rest in content[directory:end].split(b"PK\1\2")[1:]) if b"data/0" in part
    )
    copies = b"".join(entry.replace(b"data/0", b"data/%c" % (65 + i)) for i in range(20))
    tail = bytearray(content[end:])
    tail[8:12] = struct.pack("<2H", *(struct.unpack("<H", tail[8:10])[0] + 20,) * 2)
    tail[12:16] = struct.pack("<L", end - directory + len(copies))
    rejects(content[:end] + copies + tail, "its records claim|has another record")


def test_an_archive_of_many_records_without_a_pickle_is_rejected() -> None:
    rejects(zip_of({f"archive/data/{i}": b"" for i in range(2000)}), "holds no data.pkl")


def test_a_wrong_checksum_is_rejected() -> None:
    content = bytearray(archive_with({}))
    place = content.index(RECORDS["data/0"])
    content[place + 5] ^= 1
    rejects(bytes(content), "the checksum of 'data/0' is wrong")


def test_mapped_tensors_are_not_read_for_the_checksum(tmp_path: Path) -> None:
    content = bytearray(archive_with({}))
    content[content.index(RECORDS["data/0"]) + 7] ^= 1
    (tmp_path / "flipped.pt").write_bytes(content)
    found = torch.load(tmp_path / "flipped.pt", mmap=True)
    assert found["w"][0, 1] != 1
    with pytest.raises(FileError, match="the checksum of 'data/0' is wrong"):
        torch.load(tmp_path / "flipped.pt")


def test_truncated_files_are_rejected() -> None:
    for end in range(len(WHOLE) - 1):
        with pytest.raises(FileError):
            torch.load(io.BytesIO(WHOLE[:end]))


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (b"}", {}),
        (b"](K\x01X\x03\x00\x00\x00cpue", [1, "cpu"]),
        (b"ctorch\nSize\nK\x01K\x06\x86\x85R", torch.Size([1, 6])),
        (b"ctorch\ndevice\nX\x03\x00\x00\x00cpu\x85R", torch.device("cpu")),
        (b"c__builtin__\nset\n](K\x01K\x06e\x85R", {1, 6}),
    ],
)
def test_sequences_of_pickle_instructions_are_loaded(code: bytes, value: Any) -> None:
    assert torch.load(io.BytesIO(with_pickle(code + b"."))) == value


@given(st.data())
def test_random_sequences_of_pickle_instructions_are_loaded_or_rejected(data: st.DataObject) -> None:
    """Each instruction may occur in a valid file. Only FileError may be raised."""
    parts = [
        b"(", b"t", b"R", b"b", b"}", b"]", b")", b"u", b"s", b"a", b"e", b"N", b"0", b"Q", b"q\x00", b"h\x00", b"\x85",
        b"\x86", b"\x88", b"K\x01", b"K\x06", b"X\x01\x00\x00\x000", b"X\x07\x00\x00\x00storage",
        b"ctorch\nFloatStorage\n", b"ctorch\nSize\n",
        b"X\x03\x00\x00\x00cpu", b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
        b"ctorch\ndevice\n", b"ctorch._utils\n_rebuild_parameter\n", b"cnumpy\ndtype\n", b"c__builtin__\nset\n",
        b"cfunctools\npartial\n", b"ctorch.nn.functional\nrelu\n", b"c__builtin__\ngetattr\n",
        b"ctorch._C\n_VariableFunctionsClass\n",
        b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n", b"c_codecs\nencode\n",
    ]  # fmt: skip
    code = b"".join(data.draw(st.lists(st.sampled_from(parts), max_size=30))) + b"."
    try:
        torch.load(io.BytesIO(with_pickle(code)), weights_only=data.draw(st.booleans()))
    except FileError:
        return


def of_old_format(keys: Any, pickled: bytes = RECORDS["data.pkl"]) -> bytes:
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
    return b"".join([*parts, pickled, pickle.dumps(keys, 2), struct.pack("<q", 6), RECORDS["data/0"]])


@pytest.mark.parametrize("keys", [[], ["1"], ["0", "1"], ("0",), [None], "0", {"0": 1}])
def test_a_file_of_the_old_format_that_lists_other_storages_than_it_uses_is_rejected(keys: Any) -> None:
    assert torch.load(io.BytesIO(of_old_format(["0"])))["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    rejects(of_old_format(keys), "holds other storages than those that its Tensors lie in")


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (b"J\xff\xff\xff\xff", "claims -1 elements of a storage"),
        (b"G@\x18" + bytes(6), r"claims 6\.0 elements of a storage"),
        (b"M\xff\xff", "its storages claim 262140"),
        (b"K\x07", "ends within its storages"),
    ],
)
def test_storages_of_the_old_format_fit_in_the_file(count: bytes, message: str) -> None:
    claim = b"q\x06K\x06tQ"
    assert claim in RECORDS["data.pkl"]
    rejects(of_old_format(["0"], RECORDS["data.pkl"].replace(claim, claim.replace(b"K\x06", count))), message)
    whole = of_old_format(["0"])
    rejects(whole[:-1], "ends within its storages")
    rejects(whole[:-32] + struct.pack("<q", 25) + whole[-24:], "ends within its storages")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (b"ctorch\nfloat32\n(K\x02t(J\xff\xff\xff\xfft\x89", r"of sizes \(2,\), strides \(-1,\)"),
        (b"ctorch\nfloat32\n(K\x02tK\x01\x89", "without a dtype or a shape"),
        (b"K\x01(K\x02t(K\x01t\x89", "without a dtype or a shape"),
        (b"ctorch\nfloat32\n(\x8a\x08\0\0\0\0\0\0\0\x10t(K\x01t\x89", "there are no addresses left"),
    ],
)
def test_a_tensor_without_values_of_no_valid_geometry(arguments: bytes, message: str) -> None:
    rejects(with_pickle(b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(" + arguments + b"tR."), message)


def test_an_unknown_order_of_bytes() -> None:
    rejects(archive_with({"byteorder": b"middle"}), "the unknown order of bytes 'middle'")

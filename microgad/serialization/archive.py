"""Zip archives, the container of PyTorch's files and of npz: a writer, and a reader that trusts nothing in a file."""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import suppress
from typing import IO, Any

import numpy as np

from ..type_aliases import Array
from .errors import FileError

ALIGNMENT = 64  # bytes: records begin at multiples of it, so that they can be mapped into memory
_LOCAL = struct.Struct("<4s5H3L2H")  # the local file header before each record
MAX_RATIO = 100  # a compressed file may unpack to this many times its size; Tensors stay below it, zip bombs don't
LARGE = 1 << 20  # bytes
_END = struct.Struct("<4s4H2LH")  # the end of central directory record
_PADDING = b"FB"  # PyTorch's id for the extra header field that pads records


class Writer:
    """Writes records into an archive, optionally all in one folder."""

    def __init__(self, file: IO[bytes], folder: str = "") -> None:
        self._zip, self._folder = zipfile.ZipFile(file, "w"), folder

    def write(self, name: str, *parts: Any) -> None:
        """Write a record: the concatenation of bytes objects or arrays of bytes."""
        entry = zipfile.ZipInfo(f"{self._folder}/{name}" if self._folder else name)
        entry.file_size = sum(map(len, parts))
        large = entry.file_size >= zipfile.ZIP64_LIMIT
        begins = self._zip.start_dir + _LOCAL.size + len(entry.filename.encode()) + 20 * large
        padding = -(begins + 4) % ALIGNMENT
        entry.extra = _PADDING + struct.pack("<H", padding) + bytes(padding)
        with self._zip.open(entry, "w", force_zip64=large) as record:
            for part in parts:
                record.write(part)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *raised: Any) -> None:
        """Write the central directory, which ends the archive."""
        self._zip.close()


def max_unpacked_size(length: int) -> int:
    """Return how many bytes a compressed file of this length may unpack to."""
    return max(MAX_RATIO * length, 2**20)


class Reader:
    """Reads the records of an archive by name.

    Before any record is read, the directory is checked: no reader can be made to allocate more memory than the file is
    long (or may unpack to), or find two records of one name. Raises FileError, which says what is wrong.
    """

    def __init__(self, file: IO[bytes]) -> None:
        file.seek(0, 2)
        self._file, self.length = file, file.tell()
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise FileError(f"is damaged or cut off: {error}") from None
        file.seek(max(0, self.length - _END.size - 0x10000))  # other bytes may follow it, as in a padded download
        _, mark, end = file.read().rpartition(b"PK\5\6")
        if len(end) < _END.size - 4 or _END.unpack(mark + end[: _END.size - 4])[4] not in (len(entries), 0xFFFF):
            raise FileError(f"ends with no list of {len(entries)} records, but these were found")
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            name = entry.filename
            if name.startswith("/") or ".." in name.split("/") or "\\" in name or not name:
                raise FileError(f"holds a record of the name {name!r}, which is none")
            if name in self._entries:
                raise FileError(f"holds two records of the name {name!r}")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
                raise FileError(f"holds {name!r} encrypted, or compressed as zip files seldom are")
            if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
                raise FileError(f"says two sizes of {name!r}: {entry.compress_size} and {entry.file_size}")
            self._entries[name] = entry
        self.first = min((entry.header_offset for entry in entries), default=0)  # where the archive begins
        total = sum(entry.compress_size for entry in entries)
        if total > self.length:
            raise FileError(f"is {self.length} bytes long, but its records claim {total}")
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > max_unpacked_size(self.length):
            raise FileError(f"is {self.length} bytes long, but unpacks to {unpacked}")

    def names(self) -> list[str]:
        """Return the names of all records."""
        return list(self._entries)

    def leave_folder(self) -> None:
        """Strip the one folder that all records of PyTorch's files are in. Raises FileError for a compressed record."""
        folders = {name.partition("/")[0] for name in self._entries}
        if len(folders) > 1:
            raise FileError(f"holds records in several folders: {', '.join(sorted(folders)[:3])}")
        for name, entry in self._entries.items():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise FileError(f"holds {name!r} compressed; records are stored as they are")
        self._entries = {name.partition("/")[2]: entry for name, entry in self._entries.items()}
        if "" in self._entries:
            raise FileError(f"holds a record of the name {folders.pop()!r}, which is none")

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def size(self, name: str) -> int:
        """Return the size of a record in bytes."""
        return self._entry(name).file_size

    def read(self, name: str) -> bytes:
        """Return a record's bytes, after checking them against the checksum."""
        return self.array(name).tobytes()

    def array(self, name: str) -> Array:
        """Return a record's bytes as a new array, after checking them against the checksum."""
        entry = self._entry(name)
        self._file.seek(self.begins(name))
        if entry.compress_type == zipfile.ZIP_DEFLATED:
            data = _inflated(self._file.read(entry.compress_size), entry.file_size, name)
        else:
            data = read_array(self._file, entry.file_size, name)
        if zlib.crc32(data) != entry.CRC:
            raise FileError(f"is damaged: the checksum of {name!r} is wrong")
        return data

    def mapped(self, name: str) -> Any:
        """Return a record's bytes as an array mapped from the file, copy-on-write; compressed records are read.

        Mapped bytes aren't checked against the checksum: that would read them all, and not only what is used.
        """
        if self._entry(name).compress_type != zipfile.ZIP_STORED:
            return self.array(name)
        begins, size = self.begins(name), self.size(name)
        data = np.memmap(self._file, np.uint8, "c", begins, size) if size else np.empty(0, np.uint8)
        return data.view(np.ndarray)

    def begins(self, name: str) -> int:
        """Return where in the file a record's bytes begin. Its local header has to agree with the directory."""
        entry = self._entry(name)
        self._file.seek(entry.header_offset)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
            raise FileError(f"has no record where {name!r} should begin")
        *_, length, extra = _LOCAL.unpack(header)
        if self._file.read(length) != entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437"):
            raise FileError(f"has another record where {name!r} should begin")
        begins = entry.header_offset + _LOCAL.size + length + extra
        if begins + entry.compress_size > self.length:
            raise FileError(f"ends within {name!r}")
        return begins

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self._entries:
            raise FileError(f"has no record {name!r}")
        return self._entries[name]


def empty_bytes(nbytes: int) -> Array:
    """Allocate an array of bytes to read into. For large ones, asking for all pages at once halves the time."""
    if nbytes >= LARGE:
        with suppress(ImportError, AttributeError, OSError):  # on other systems than Linux
            import mmap

            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
            return np.frombuffer(mmap.mmap(-1, nbytes, flags), np.uint8)
    return np.empty(nbytes, np.uint8)


def read_array(file: IO[bytes], nbytes: int, name: str) -> Array:
    """Read bytes from a file's current position into a new array."""
    data = empty_bytes(nbytes)
    if not hasattr(file, "readinto"):
        read = file.read(nbytes)
        done = len(read)
        data[:done] = np.frombuffer(read, np.uint8)
    else:
        done = 0
        while done < nbytes and (got := file.readinto(memoryview(data)[done:])):
            done += got
    if done != nbytes:
        raise FileError(f"ends within {name!r}")
    return data


def _inflated(packed: bytes, nbytes: int, name: str) -> Any:
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = machine.decompress(packed, nbytes + 1)
    except zlib.error as error:
        raise FileError(f"is damaged: {name!r} can't be unpacked: {error}") from None
    if len(data) != nbytes:
        raise FileError(f"says that {name!r} has {nbytes} bytes, but it unpacks to others")
    return np.frombuffer(bytearray(data), np.uint8)

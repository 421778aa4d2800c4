"""The zip archives of PyTorch's files: records that are stored as they are, each aligned, each with its checksum."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import IO, Any

import numpy as np

from .errors import FileError

ALIGNMENT = 64  # bytes: where a record begins, so that it can be mapped into memory
_LOCAL = struct.Struct("<4s5H3L2H")  # a zip's header before each record
_PADDING = b"FB"  # PyTorch's name for a header's extra field of no meaning


class Writer:
    """Writes records into an archive, all in a folder of one name."""

    def __init__(self, file: IO[bytes], folder: str) -> None:
        self._zip, self._folder = zipfile.ZipFile(file, "w"), folder

    def write(self, name: str, data: Any) -> None:
        """A record: bytes, or an array of them."""
        entry = zipfile.ZipInfo(f"{self._folder}/{name}")
        entry.file_size = len(data)
        large = len(data) >= zipfile.ZIP64_LIMIT
        begins = self._zip.start_dir + _LOCAL.size + len(entry.filename.encode()) + 20 * large
        padding = -(begins + 4) % ALIGNMENT
        entry.extra = _PADDING + struct.pack("<H", padding) + bytes(padding)
        with self._zip.open(entry, "w", force_zip64=large) as record:
            record.write(data)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *raised: Any) -> None:
        """Write the list of records, which ends the archive."""
        self._zip.close()


class Reader:
    """The records of an archive, by their names in it, the first folder left out.

    Before a record is read everything is checked that could make a reader allocate more than the file is long, or read
    one thing under two names. Raises FileError, which says what is wrong.
    """

    def __init__(self, file: IO[bytes]) -> None:
        file.seek(0, 2)
        self._file, self._length = file, file.tell()
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise FileError(f"is damaged or cut off: {error}") from None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        folders = set()
        for entry in entries:
            folder, _, name = entry.filename.partition("/")
            parts = entry.filename.split("/")
            if entry.filename.startswith("/") or ".." in parts or "\\" in entry.filename or not name:
                raise FileError(f"holds a record of the name {entry.filename!r}, which is none")
            if name in self._entries:
                raise FileError(f"holds two records of the name {name!r}")
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise FileError(f"holds {name!r} compressed or encrypted; records are stored as they are")
            if entry.compress_size != entry.file_size:
                raise FileError(f"says two sizes of {name!r}: {entry.compress_size} and {entry.file_size}")
            self._entries[name] = entry
            folders.add(folder)
        if len(folders) > 1:
            raise FileError(f"holds records in several folders: {', '.join(sorted(folders)[:3])}")
        total = sum(entry.file_size for entry in entries)
        if total > self._length:
            raise FileError(f"is {self._length} bytes long, but its records claim {total}")

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def size(self, name: str) -> int:
        """The bytes of a record."""
        return self._entry(name).file_size

    def read(self, name: str) -> bytes:
        """A record's bytes, checked."""
        return self.array(name).tobytes()

    def array(self, name: str) -> Any:
        """A record's bytes as an array of its own memory, checked."""
        entry = self._entry(name)
        self._file.seek(self.begins(name))
        data = np.empty(entry.file_size, np.uint8)
        if _read_into(self._file, data) != entry.file_size:
            raise FileError(f"ends within {name!r}")
        self._check(name, data)
        return data

    def mapped(self, name: str) -> Any:
        """The same, mapped from the file on disk; what is written into it stays in memory."""
        begins, size = self.begins(name), self.size(name)
        data = np.memmap(self._file, np.uint8, "c", begins, size) if size else np.empty(0, np.uint8)
        self._check(name, data)
        return data.view(np.ndarray)

    def begins(self, name: str) -> int:
        """Where in the file a record's bytes begin, by its own header, which has to agree with the list."""
        entry = self._entry(name)
        self._file.seek(entry.header_offset)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
            raise FileError(f"has no record where {name!r} should begin")
        *_, length, extra = _LOCAL.unpack(header)
        if self._file.read(length) != entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437"):
            raise FileError(f"has another record where {name!r} should begin")
        begins = entry.header_offset + _LOCAL.size + length + extra
        if begins + entry.file_size > self._length:
            raise FileError(f"ends within {name!r}")
        return begins

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self._entries:
            raise FileError(f"has no record {name!r}")
        return self._entries[name]

    def _check(self, name: str, data: Any) -> None:
        if zlib.crc32(data) != self._entries[name].CRC:
            raise FileError(f"is damaged: the checksum of {name!r} is wrong")


def _read_into(file: IO[bytes], data: Any) -> int:
    if hasattr(file, "readinto"):
        done = 0
        while done < data.size:
            got = file.readinto(memoryview(data)[done:])
            if not got:
                break
            done += got
        return done
    read = file.read(data.size)
    data[: len(read)] = np.frombuffer(read, np.uint8)
    return len(read)

"""datasets.utils: checksums, downloads from addresses of files, archives, lists of folders, and checked strings."""

import bz2
import gzip
import hashlib
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from microgad.datasets import utils

CONTENT = b"some pixels"
MD5 = hashlib.md5(CONTENT).hexdigest()


def packed(folder, name):
    """Write a file `a` of the content, packed as the suffix says, and return its path."""
    plain, path = folder / "a", folder / name
    plain.write_bytes(CONTENT)
    if ".tar" in name or ".t" in name:
        with tarfile.open(path, "w:" + {"gz": "gz", "tgz": "gz", "bz2": "bz2", "xz": "xz"}.get(name[3:][-3:], "")) as f:
            f.add(plain, "a")
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as f:
            f.write(plain, "a")
    else:
        compress = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[name.split(".")[-1]]
        path.write_bytes(compress(CONTENT))
    plain.unlink()
    return path


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz", "b.tgz", "b.tar.xz", "b.tbz2", "b.zip", "a.gz", "a.bz2", "a.xz"])
def test_archives_are_extracted_by_their_suffix(tmp_path, name):
    path, there = packed(tmp_path, name), tmp_path / "there"
    there.mkdir()
    utils.download_and_extract_archive(path.as_uri(), tmp_path / "got", there, remove_finished=True)
    assert (there / "a").read_bytes() == CONTENT
    assert not (tmp_path / "got" / name).exists()
    found = utils.extract_archive(str(path))
    assert found == str(tmp_path / "a" if name.startswith("a") else tmp_path)
    assert isinstance(utils.extract_archive(path, there), Path)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_files_are_downloaded_once_and_checked(tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    address, got = (tmp_path / "a").as_uri(), tmp_path / "got"
    utils.download_url(address, got, md5=MD5)
    (tmp_path / "a").write_bytes(b"other pixels")
    utils.download_url(address, str(got), md5=MD5)  # is there already
    assert utils.check_integrity(got / "a", MD5)
    assert utils.check_md5(got / "a", MD5, chunk_size=3)
    with pytest.raises(RuntimeError, match="MD5"):
        utils.download_url(address, got, "b", MD5)
    assert not utils.check_integrity(got / "b")
    with pytest.raises(OSError, match="a"):
        utils.download_url(address + "a", got)
    with pytest.raises(RuntimeError, match="suffix"):
        utils.extract_archive(got / "a")


def test_files_and_folders_are_listed(tmp_path):
    (tmp_path / "b.png").mkdir()
    for name in ("a.png", "c.jpg", "d.txt"):
        (tmp_path / name).touch()
    assert utils.list_dir(tmp_path) == ["b.png"]
    assert utils.list_dir(str(tmp_path), prefix=True) == [str(tmp_path / "b.png")]
    assert sorted(utils.list_files(tmp_path, (".png", ".jpg"))) == ["a.png", "c.jpg"]
    assert utils.list_files(tmp_path, "txt", prefix=True) == [str(tmp_path / "d.txt")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "split", ("a", "b")), "Unknown value 'x' for argument split. Valid values are {'a', 'b'}."),
        (("x", "split", ("a",), "no"), "no"),
        ((1, "split"), "Expected type str for argument split, but got type <class 'int'>."),
        ((1,), "Expected type str, but got type <class 'int'>."),
    ],
)
def test_strings_are_checked_with_torchvisions_messages(arguments, message):
    assert utils.verify_str_arg("a", "split", ("a", "b")) == utils.verify_str_arg("a") == "a"
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
        utils.verify_str_arg(*arguments)
    assert str(caught.value) == message
    vision = pytest.importorskip("torchvision.datasets.utils")
    with pytest.raises(ValueError) as expected:  # noqa: PT011
        vision.verify_str_arg(*arguments)
    assert str(expected.value) == message

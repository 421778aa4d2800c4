"""CIFAR10 and CIFAR100: pickles are read without running anything in them; files are checked and downloaded."""

import gzip
import hashlib
import io
import pickle
import struct
import sys
import tarfile

import numpy as np
import pytest

from microgad.datasets import CIFAR10, CIFAR100, DataError
from microgad.transforms import ToTensor

from .files import write_files

RNG = np.random.default_rng(0)


def text(value):
    """The pickle code of a str of Python 2."""
    data = value if isinstance(value, bytes) else value.encode()
    return (b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<i", len(data))) + data


def array(values):
    """The pickle code of an array of uint8 in Python 2."""
    shape = b"".join(b"J" + struct.pack("<i", n) for n in values.shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85" + text("b") + b"tR(K\1("
        + shape + b"tcnumpy\ndtype\n" + b"(" + text("u1") + b"K\0K\1tR(K\3" + text("|") + b"NNNJ\xff\xff\xff\xff"
        + b"J\xff\xff\xff\xffK\0tb\x89" + text(values.tobytes()) + b"tb"
    )  # fmt: skip


def numbers(values):
    return b"](" + b"".join(b"K" + bytes([x]) for x in values) + b"e"


def names(values):
    return b"](" + b"".join(map(text, values)) + b"e"


def pickled(**items):
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in items.items()) + b"u."


def batch(n, classes, key="labels"):
    images = RNG.integers(0, 256, (n, 3072), np.uint8)
    labels = [int(x) for x in RNG.integers(0, classes, n)]
    return images, labels, pickled(batch_label=text("of one"), data=array(images), **{key: numbers(labels)})


TRAIN = [batch(3, 10) for _ in range(5)]
TEST = batch(4, 10)
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
META = pickled(num_cases_per_batch=b"M\x10\x27", label_names=names(CLASSES), num_vis=b"M\x00\x0c")
FILES = {
    **{f"data_batch_{i + 1}": content for i, (*_, content) in enumerate(TRAIN)},
    "test_batch": TEST[2],
    "batches.meta": META,
}


def md5(data):
    return hashlib.md5(data).hexdigest()


def archive(files, folder="cifar-10-batches-py"):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def small(files=FILES, packed=b"", url="http://127.0.0.1:9/cifar.tar.gz"):
    """A subclass of CIFAR10 for which these are the official files."""

    class Small(CIFAR10):
        train_list = [[name, md5(files[name])] for name in files if name.startswith("data")]
        test_list = [["test_batch", md5(files["test_batch"])]]
        meta = {**CIFAR10.meta, "md5": md5(files["batches.meta"])}
        filename, tgz_md5 = "cifar.tar.gz", md5(packed)

    Small.url = url
    return Small


def test_the_pickles_of_these_tests_are_valid():
    found = pickle.loads(TEST[2], encoding="latin1")
    np.testing.assert_array_equal(found["data"], TEST[0])
    assert found["labels"] == TEST[1]


def test_images_targets_and_classes(tmp_path):
    write_files(tmp_path / "cifar-10-batches-py", FILES)
    train, test = small()(tmp_path), small()(tmp_path, train=False)
    images = np.concatenate([images for images, *_ in TRAIN]).reshape(15, 3, 32, 32).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(train.data, images)
    assert train.targets == [label for _, labels, _ in TRAIN for label in labels]
    assert (len(train), len(test), test.class_to_idx["dog"]) == (15, 4, 5)
    assert repr(test) == (f"Dataset Small\n    Number of datapoints: 4\n    Root location: {tmp_path}\n    Split: Test")


@pytest.mark.parametrize("pillow", [True, False])
def test_items_are_images_and_labels(tmp_path, pillow, monkeypatch):
    if pillow:
        pytest.importorskip("PIL")
    else:
        monkeypatch.setitem(sys.modules, "PIL.Image", None)
    write_files(tmp_path / "cifar-10-batches-py", FILES)
    plain, made = (small()(tmp_path, False, transform) for transform in (None, ToTensor()))
    image, target = plain[1]
    assert target == TEST[1][1]
    np.testing.assert_array_equal(np.array(image), plain.data[1])
    np.testing.assert_array_equal(made[1][0].numpy(), plain.data[1].transpose(2, 0, 1) / np.float32(255))


def test_cifar100_is_read(tmp_path):
    images, labels, content = batch(2, 100, "fine_labels")
    files = {"train": content, "test": content, "meta": pickled(fine_label_names=names(["apple", "bear"]))}

    class Small(CIFAR100):
        train_list = test_list = [["train", md5(content)]]
        meta = {**CIFAR100.meta, "md5": md5(files["meta"])}

    write_files(tmp_path / "cifar-100-python", files)
    found = Small(tmp_path)
    assert (found.targets, found.classes) == (labels, ["apple", "bear"])
    np.testing.assert_array_equal(found.data[1].transpose(2, 0, 1).ravel(), images[1])


@pytest.mark.parametrize("name", FILES)
def test_missing_and_damaged_files_are_named(tmp_path, name):
    folder = tmp_path / "cifar-10-batches-py"
    write_files(folder, {other: content for other, content in FILES.items() if other != name})
    with pytest.raises(RuntimeError, match=f"{name} isn't there"):
        small()(tmp_path)
    write_files(folder, {name: FILES[name][:-2] + b"x."})
    with pytest.raises(ValueError, match=f"{name} has MD5 .*, expected"):
        small()(tmp_path)


INVALID = {
    "os.system": b"\x80\x02cos\nsystem\nU\x04exitR.",
    "builtins.eval": b"\x80\x02cbuiltins\neval\nU\x011\x85R.",
    "a list": b"\x80\x02].",
    "an array of objects": pickled(data=array(TEST[0]).replace(text("u1"), text("O8")), labels=numbers(TEST[1])),
    "too large an array": pickled(data=array(TEST[0]).replace(struct.pack("<i", 3072), struct.pack("<i", 1 << 30))),
    "fewer labels": pickled(data=array(TEST[0]), labels=numbers(TEST[1][1:])),
    "no images": pickled(data=numbers([1]), labels=numbers([1])),
    "labels that aren't numbers": pickled(data=array(TEST[0]), labels=names("abcd")),
    "a reference": b"\x80\x02U\x01aQ.",
    "a truncated pickle": TEST[2][: len(TEST[2]) // 2],
}


@pytest.mark.parametrize("content", INVALID.values(), ids=INVALID)
def test_invalid_pickles_are_refused_and_run_nothing(tmp_path, content):
    files = {**FILES, "test_batch": content}
    write_files(tmp_path / "cifar-10-batches-py", files)
    with pytest.raises(DataError, match="test_batch"):
        small(files)(tmp_path, train=False)


@pytest.fixture
def serve_archive(serve):
    return lambda content: serve({"cifar.tar.gz": content})[0] + "cifar.tar.gz"


def test_download_extracts_only_the_official_files(tmp_path, serve_archive):
    packed = archive({**FILES, "../../climbing": b"!"})
    kind = small(packed=packed, url=serve_archive(packed))
    assert len(kind(tmp_path / "a", download=True)) == 15
    assert sorted(path.name for path in (tmp_path / "a" / "cifar-10-batches-py").iterdir()) == sorted(FILES)
    assert not list(tmp_path.rglob("climbing"))
    assert len(kind(tmp_path / "a", train=False, download=True)) == 4


def test_invalid_downloads_are_refused(tmp_path, serve_archive):
    packed = archive({name: FILES[name] for name in list(FILES)[:3]})
    with pytest.raises(DataError, match=r"has MD5 .*, expected"):
        small(packed=b"other", url=serve_archive(packed))(tmp_path / "a", download=True)
    with pytest.raises(DataError, match="data_batch_4"):
        small(packed=packed, url=serve_archive(packed))(tmp_path / "b", download=True)
    cut = gzip.decompress(archive(FILES))[:20000]
    with pytest.raises(DataError, match=r"cifar\.tar\.gz: "):
        small(packed=cut, url=serve_archive(cut))(tmp_path / "c", download=True)

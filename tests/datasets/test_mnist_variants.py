"""FashionMNIST, KMNIST, EMNIST and QMNIST: the names and contents of their files, and downloads."""

import gzip
import hashlib
import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest

from microgad.datasets import EMNIST, KMNIST, MNIST, QMNIST, DataError, FashionMNIST, encode_idx, read_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.arange(6, dtype=np.uint8)


def write_files(folder, images, labels, content=(IMAGES, LABELS), pack=gzip.compress, end=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in zip((images, labels), content, strict=True):
        (folder / f"{name}{end}").write_bytes(pack(encode_idx(values)))


@pytest.mark.parametrize("kind", [FashionMNIST, KMNIST])
def test_data_sets_with_the_file_names_of_mnist(tmp_path, kind):
    write_files(tmp_path / kind.__name__ / "raw", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    found = kind(tmp_path, train=False)
    np.testing.assert_array_equal(found.data.numpy(), IMAGES)
    assert [found[i][1] for i in range(6)] == LABELS.tolist()
    assert repr(found).startswith(f"Dataset {kind.__name__}\n    Number of datapoints: 6\n")
    with pytest.raises(RuntimeError, match=r"Dataset not found: train-images.*download=True to fetch them$"):
        kind(tmp_path)
    with pytest.raises(DataError, match="only contains a subset of MNIST"):
        kind.subset()


def test_the_splits_of_emnist(tmp_path):
    write_files(
        tmp_path / "EMNIST" / "raw", "emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte"
    )
    found = EMNIST(tmp_path, "letters")
    assert (len(found.classes), found.classes[1], found.class_to_idx["z"], len(found)) == (27, "a", 26, 6)
    assert [len(EMNIST.classes_split_dict[split]) for split in EMNIST.splits] == [62, 47, 47, 27, 10, 10]
    with pytest.raises(ValueError, match="Unknown value 'mni' for argument split"):
        EMNIST(tmp_path, "mni")
    with pytest.raises(RuntimeError, match="emnist-digits-test-images-idx3-ubyte"):
        EMNIST(tmp_path, split="digits", train=False)


def test_download_of_emnist_extracts_only_its_files(tmp_path, monkeypatch):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, values in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
            archive.writestr(f"gzip/emnist-mnist-test-{name}-ubyte.gz", gzip.compress(encode_idx(values)))
        archive.writestr("../climbing.txt", "!")
        archive.writestr("gzip/../../emnist-climbing.gz", "!")

    def fetch(name, md5, mirrors, folder):
        assert (name, md5, mirrors) == ("gzip.zip", EMNIST.md5, [EMNIST.url.removesuffix("/gzip.zip")])
        Path(folder, name).write_bytes(packed.getvalue())

    monkeypatch.setattr("microgad.datasets.mnist_variants.fetch", fetch)
    assert len(EMNIST(tmp_path, "mnist", train=False, download=True)) == 6
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "EMNIST" / "raw"}
    assert not (tmp_path / "EMNIST" / "raw" / "gzip.zip").exists()
    packed = io.BytesIO(b"no archive")
    with pytest.raises(DataError, match=r"gzip\.zip: File is not a zip file"):
        EMNIST(tmp_path / "b", "mnist", download=True)


def test_the_subsets_of_qmnist(tmp_path):
    facts = np.stack([LABELS.astype(np.int32) + 10 * (i > 0) for i in range(8)], 1)
    raw = tmp_path / "QMNIST" / "raw"
    write_files(raw, "qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int", (IMAGES, facts))
    write_files(raw, "xnist-images-idx3-ubyte", "xnist-labels-idx2-int", (IMAGES, facts), lzma.compress, ".xz")
    found = QMNIST(tmp_path, train=False)
    assert (found.what, found[3][1], tuple(found.targets.shape)) == ("test", 3, (6, 8))
    assert QMNIST(tmp_path, "nist", compat=False)[2][1].tolist() == facts[2].tolist()
    assert len(QMNIST(tmp_path, "test50k")) == 0
    assert repr(QMNIST(tmp_path, "test10k")).endswith("Split: test10k")
    with pytest.raises(ValueError, match="Unknown value 'x' for argument what"):
        QMNIST(tmp_path, "x")


def test_a_truncated_xz_stream_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(lzma.compress(encode_idx(IMAGES))[:-20])
    with pytest.raises(DataError, match="x: the xz stream is cut off"):
        read_idx(tmp_path / "x")


def test_checksums_have_the_length_of_md5():
    kinds = (MNIST, FashionMNIST, KMNIST)
    pairs = [pair for kind in kinds for pair in kind.resources] + [p for pairs in QMNIST.files.values() for p in pairs]
    assert all(len(md5) == hashlib.md5().digest_size * 2 for _, md5 in pairs)

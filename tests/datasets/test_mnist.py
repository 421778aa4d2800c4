"""MNIST: the shipped subset, files in all layouts, damaged files, and downloads from a local server."""

import gzip
import hashlib
import importlib.util
import io
import os
import pickle
import socket
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import microgad.datasets
from microgad.datasets import MNIST, DataError, encode_idx, read_idx
from microgad.transforms import ToTensor

from .files import write_files

SHIPPED = Path(microgad.datasets.__file__).parent / "data"
SCRIPT = Path(__file__).parents[2] / "scripts" / "make_mnist_subset.py"
TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def contents(count, seed):
    """Random images and labels as the contents of IDX files."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 28, 28), np.uint8)
    return encode_idx(images), encode_idx(np.arange(count, dtype=np.uint8) % 10)


FILES = dict(zip(TRAIN + TEST, contents(12, seed=0) + contents(5, seed=1), strict=True))
PACKED = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in FILES.items()}


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# The subset


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        (TRAIN[0], "276107be590759c3f0926df722c4de39cdda1227591a1ecd47a184690a8ebf06"),
        (TRAIN[1], "68a5c4f7f395a30b3c9c1866520c6eee961a3d0347446a56e17e4f65c8dfbbc6"),
        (TEST[0], "08212e895b958225f959f761e33da53e35faa44cebc75e329dcaa7b477fbddc0"),
        (TEST[1], "a8455fc3bf4f53a12fd7fac83ac10b16241e37d6ab97bdfad5c2ebdffb543bea"),
    ],
)
def test_the_shipped_files_are_those_of_the_script(name, digest):
    packed = (SHIPPED / f"{name}.gz").read_bytes()
    assert packed[3:8] == b"\0" * 5  # no name, no time
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == digest


def test_the_shipped_files_are_small():
    assert listing(SHIPPED) == sorted(f"{name}.gz" for name in TRAIN + TEST)
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 2_000_000


@pytest.mark.parametrize(("names", "per_class"), [(TRAIN, 600), (TEST, 100)])
def test_the_subset_is_balanced_and_has_no_image_twice(names, per_class):
    images, labels = (read_idx(SHIPPED / f"{name}.gz") for name in names)
    assert images.shape == (10 * per_class, 28, 28)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [per_class] * 10
    assert len(np.unique(images, axis=0)) == len(images)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_mnist_subset", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_selects_evenly_from_each_class(script):
    labels = np.array([0, 1, 0, 1, 0, 0, 1, 1, 1])
    assert script.select(labels, 2).tolist() == [0, 1, 4, 6]
    assert script.select(labels, 4).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_the_script_refuses_files_that_are_not_mnist(script, tmp_path):
    write_files(tmp_path, FILES)
    with pytest.raises(SystemExit, match="train-images-idx3-ubyte is not MNIST's own file: MD5"):
        script.read_official(tmp_path, TRAIN[0])


@pytest.mark.parametrize(("train", "count"), [(True, 6000), (False, 1000)])
def test_subset_loads_the_shipped_files(train, count):
    subset = MNIST.subset(train=train)
    images, labels = (read_idx(SHIPPED / f"{name}.gz") for name in (TRAIN if train else TEST))
    assert len(subset) == count
    assert subset.train is train
    np.testing.assert_array_equal(subset.data.numpy(), images)
    np.testing.assert_array_equal(subset.targets.numpy(), labels)


# Items, attributes, repr


@pytest.fixture(params=["pillow", "none"])
def pillow(request, monkeypatch):
    """Run the test with Pillow and, as "none", without it."""
    if request.param == "none":
        monkeypatch.setitem(sys.modules, "PIL.Image", None)
    else:
        pytest.importorskip("PIL")
    return request.param


def test_items_are_images_and_ints(pillow):
    subset = MNIST.subset(train=False)
    assert subset.data.numpy().dtype == np.uint8
    assert subset.targets.numpy().dtype == np.int64
    image, target = subset[-1]
    assert type(image).__module__ == ("PIL.Image" if pillow == "pillow" else "microgad.tensor")
    assert isinstance(target, int)
    np.testing.assert_array_equal(np.array(image), subset.data.numpy()[999])
    assert target == subset.targets.numpy()[999]
    assert sum(1 for _ in subset) == 1000
    with pytest.raises(IndexError):
        subset[1000]


def test_transforms_get_a_copy_of_the_image_and_an_int(pillow):
    def blank(image):
        if pillow == "pillow":
            assert (image.mode, image.size) == ("L", (28, 28))
            image.paste(0, (0, 0, 28, 28))
        else:
            assert isinstance(image, np.ndarray)
            assert (image.dtype, image.shape) == (np.uint8, (28, 28))
            image[:] = 0
        return "image"

    subset = MNIST.subset(train=False, transform=blank, target_transform=lambda target: -target)
    assert subset[0] == ("image", -7)
    assert subset.data.numpy()[0].any()


def test_values_are_the_same_with_pillow_and_without(pillow):
    subset = MNIST.subset(train=False, transform=ToTensor())
    np.testing.assert_array_equal(subset[3][0].numpy()[0], subset.data.numpy()[3] / np.float32(255))


def test_data_and_targets_may_be_assigned():
    subset = MNIST.subset(train=False)
    subset.data, subset.targets = subset.data[10:12], subset.targets[10:12]
    assert len(subset) == 2
    assert subset[1][1] == MNIST.subset(train=False)[11][1]


def test_targets_may_become_a_list():
    dataset = MNIST.subset(train=False)
    dataset.targets = [9 - n for n in dataset.targets.tolist()]
    assert dataset[0][1] == 2


@pytest.mark.parametrize(("before", "now"), [("train_labels", "targets"), ("test_data", "data")])
def test_attributes_have_their_old_names_too(before, now):
    dataset = MNIST.subset(train=False)
    with pytest.warns(UserWarning, match=f"{before} has been renamed {now}"):
        assert getattr(dataset, before) is getattr(dataset, now)


def test_a_subclass_may_load_and_keep_the_data_itself(tmp_path):
    class Scaled(MNIST):
        def _load_data(self):
            data, targets = super()._load_data()
            return data.unsqueeze(1).float().div(255), targets

    write_files(tmp_path / "Scaled" / "raw", FILES)
    found = Scaled(tmp_path)
    assert found._check_exists()
    assert found.data.shape == (12, 1, 28, 28)
    processed = os.path.join(found.processed_folder, found.training_file)
    assert processed == str(tmp_path / "Scaled" / "processed" / "training.pt")
    assert found._format_transform_repr(ToTensor(), "With: ") == ["With: ToTensor()"]


def test_a_dataset_can_be_pickled():
    subset = pickle.loads(pickle.dumps(MNIST.subset(train=False)))
    np.testing.assert_array_equal(subset.data.numpy(), MNIST.subset(train=False).data.numpy())


def test_names_are_those_of_torchvision():
    assert MNIST.resources[0] == ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873")
    assert [name for name, _ in MNIST.resources] == [f"{name}.gz" for name in TRAIN + TEST]
    assert MNIST.subset(train=False).class_to_idx["9 - nine"] == 9
    assert len(MNIST.classes) == 10


def test_repr_is_that_of_torchvision(tmp_path):
    class Two:
        def __repr__(self):
            return "Two(\n    lines\n)"

    write_files(tmp_path / "MNIST" / "raw", FILES)
    assert repr(MNIST(tmp_path)) == (
        f"Dataset MNIST\n    Number of datapoints: 12\n    Root location: {tmp_path}\n    Split: Train"
    )
    assert repr(MNIST(tmp_path, False, Two(), Two())) == (
        f"Dataset MNIST\n    Number of datapoints: 5\n    Root location: {tmp_path}\n    Split: Test\n"
        "    StandardTransform\n"
        "Transform: Two(\n               lines\n           )\n"
        "Target transform: Two(\n                      lines\n                  )"
    )


# Files


@pytest.mark.parametrize("files", [FILES, PACKED], ids=["unpacked", "gzipped"])
@pytest.mark.parametrize("where", ["MNIST/raw", "."])
@pytest.mark.parametrize(("train", "names"), [(True, TRAIN), (False, TEST)])
def test_files_are_found_in_every_layout(tmp_path, files, where, train, names):
    write_files(tmp_path / where, files)
    found = MNIST(str(tmp_path), train=train)
    assert encode_idx(found.data.numpy()) == FILES[names[0]]
    assert os.path.samefile(found.raw_folder, tmp_path / where)


def test_files_of_one_split_are_enough(tmp_path):
    write_files(tmp_path, {name: FILES[name] for name in TEST})
    assert len(MNIST(tmp_path, train=False)) == 5


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_files(tmp_path / "sets", FILES)
    assert len(MNIST("~/sets")) == 12


def test_missing_files_say_where_to_put_them(tmp_path):
    write_files(tmp_path, {TRAIN[0]: FILES[TRAIN[0]]})  # images without labels
    with pytest.raises(RuntimeError, match="Dataset not found") as caught:
        MNIST(tmp_path)
    for part in (*TRAIN, str(tmp_path / "MNIST" / "raw"), "download=True", "MNIST.subset(train=True)"):
        assert part in str(caught.value)
    assert listing(tmp_path) == [TRAIN[0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (TRAIN[0], FILES[TRAIN[0]][:-1], "1 bytes are missing.*download=True"),
        (f"{TRAIN[0]}.gz", PACKED[f"{TRAIN[0]}.gz"][:-20], "gzip stream is cut off.*download=True"),
        (TRAIN[0], FILES[TRAIN[1]], r"holds uint8 \(12,\), images are uint8 \(N, height, width\)"),
        (TRAIN[1], encode_idx(np.zeros(12, np.float32)), r"holds float32 \(12,\), labels are integers"),
        (TRAIN[1], FILES[TEST[1]], "holds 12 images, but .*train-labels-idx1-ubyte 5 labels"),
        (TRAIN[1], encode_idx(np.arange(12, dtype=np.uint8)), "labels from 0 to 11, but there are 10 classes"),
        (TRAIN[1], encode_idx(np.full(12, -1, np.int8)), "labels from -1 to -1, but there are 10 classes"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    plain = name.removesuffix(".gz")
    write_files(tmp_path, {other: data for other, data in FILES.items() if other != plain} | {name: content})
    with pytest.raises(ValueError, match=message) as caught:
        MNIST(tmp_path)
    assert str(tmp_path / name) in str(caught.value)


def test_an_unpacked_file_of_the_official_size_must_have_the_official_content(tmp_path):
    class Small(MNIST):
        unpacked = {TRAIN[0]: (len(FILES[TRAIN[0]]), hashlib.md5(FILES[TRAIN[0]]).hexdigest())}

    write_files(tmp_path, FILES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Small(tmp_path)
    flipped = bytearray(FILES[TRAIN[0]])
    flipped[-1] ^= 1
    write_files(tmp_path, {TRAIN[0]: flipped})
    with pytest.warns(UserWarning, match=r"train-images-idx3-ubyte: has the size .* but not its contents") as seen:
        Small(tmp_path)
    assert seen[0].filename == __file__  # the line that created the data set


def test_a_subclass_may_have_other_classes(tmp_path):
    class Letters(MNIST):
        classes = list("abcdefghijklmnopqrstuvwxyz")

    images, labels = np.zeros((3, 32, 20), np.uint8), np.array([0, 25, 13], np.int32)
    write_files(tmp_path / "Letters" / "raw", {TRAIN[0]: encode_idx(images), TRAIN[1]: encode_idx(labels)})
    letters = Letters(tmp_path)
    assert letters.data.numpy().shape == (3, 32, 20)
    assert letters[1][1] == 25
    assert repr(letters).startswith("Dataset Letters\n")


# Downloads


@pytest.fixture
def refused():
    """An address that refuses connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"  # bound, but not listening


def small_mnist(*addresses):
    class Small(MNIST):
        mirrors = list(addresses)
        resources = [(name, hashlib.md5(packed).hexdigest()) for name, packed in PACKED.items()]
        unpacked = {}

    return Small


def test_download_fetches_all_files_once(tmp_path, serve):
    address, requests = serve(PACKED)
    small = small_mnist(address)
    assert len(small(tmp_path, download=True)) == 12
    assert listing(tmp_path) == sorted(f"Small/raw/{name}" for name in PACKED)
    assert requests == [f"/files/{name}" for name in PACKED]
    assert len(small(tmp_path, train=False, download=True)) == 5
    assert len(requests) == 4


def test_download_fetches_only_missing_files(tmp_path, serve):
    address, requests = serve(PACKED)
    write_files(tmp_path, FILES)
    assert len(small_mnist(address)(tmp_path, download=True)) == 12
    write_files(tmp_path / "b" / "Small" / "raw", {TRAIN[0]: FILES[TRAIN[0]]})
    assert len(small_mnist(address)(tmp_path / "b", download=True)) == 12
    assert requests == [f"/files/{name}" for name in list(PACKED)[1:]]


def test_download_fetches_nothing_for_a_complete_split(tmp_path):
    write_files(tmp_path, {name: FILES[name] for name in TEST})
    assert len(small_mnist()(tmp_path, train=False, download=True)) == 5


def test_the_next_mirror_is_tried_after_each_kind_of_failure(tmp_path, serve, refused):
    first = next(iter(PACKED))
    empty, requests_of_empty = serve({})
    corrupt, requests_of_corrupt = serve({**PACKED, first: PACKED[first][:-1] + b"!"})
    good, requests_of_good = serve(PACKED)
    small = small_mnist(refused, "no address", empty, corrupt, good)
    assert len(small(tmp_path, download=True)) == 12
    assert listing(tmp_path) == sorted(f"Small/raw/{name}" for name in PACKED)
    assert len(requests_of_empty) == len(requests_of_corrupt) == 4
    assert requests_of_good == [f"/files/{first}"]


def test_an_incomplete_download_is_refused(tmp_path, serve):
    address, _ = serve(PACKED, short=1)
    with pytest.raises(DataError, match=r"the download .* has MD5 .*, expected|IncompleteRead"):
        small_mnist(address)(tmp_path, download=True)
    assert listing(tmp_path) == []


def test_if_every_mirror_fails_the_error_says_what_to_do(tmp_path, serve, refused):
    first = next(iter(PACKED))
    corrupt, _ = serve(dict.fromkeys(PACKED, b"<html>"))
    with pytest.raises(RuntimeError) as caught:
        small_mnist(refused, corrupt)(tmp_path, download=True)
    message = str(caught.value)
    assert f"{first} could not be downloaded" in message
    assert f"{refused}{first}: <urlopen error" in message
    assert "refused" in message
    assert f"{corrupt}{first}: the download (6 bytes) has MD5" in message
    for part in (*PACKED, str(tmp_path / "Small" / "raw"), "Without a network", "MNIST.subset(train=True)"):
        assert part in message
    assert listing(tmp_path) == []


def test_files_downloaded_before_a_failure_are_kept(tmp_path, serve):
    first, *others = PACKED
    address, _ = serve({first: PACKED[first]})
    with pytest.raises(DataError, match=rf"put {', '.join(others)} \(gzipped or unpacked\)"):
        small_mnist(address)(tmp_path, download=True)
    assert listing(tmp_path) == [f"Small/raw/{first}"]


def test_the_error_without_mirrors(tmp_path):
    with pytest.raises(DataError, match="Tried nothing: no mirrors are listed"):
        small_mnist()(tmp_path, download=True)


def test_an_interrupted_download_leaves_nothing(tmp_path, serve, monkeypatch):
    class Interrupting(io.StringIO):
        def write(self, text):
            if "%" in text:
                raise KeyboardInterrupt
            return super().write(text)

    address, _ = serve(PACKED)
    monkeypatch.setattr(sys, "stderr", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        small_mnist(address)(tmp_path, download=True)
    assert listing(tmp_path) == []


def test_the_progress_of_downloads_is_printed_in_lines(tmp_path, serve, capsys):
    address, _ = serve(PACKED)
    small_mnist(address)(tmp_path, download=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "%" not in line] == [f"downloading {address}{name} (0.0 MB)" for name in PACKED]
    assert lines.count("  100%") == 4

"""ImageFolder, DatasetFolder and FakeData."""

import os

import numpy as np
import pytest

import microgad
from microgad.datasets import DatasetFolder, FakeData, ImageFolder, VisionDataset
from microgad.datasets.folder import make_dataset
from microgad.transforms import ToTensor

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(["b/2.png", "b/1.PNG", "a/deep/er/3.jpeg", "a/notes.txt", "c/x.bmp"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / name).write_text("no image")
        else:
            Image.new("L" if i else "RGBA", (4, 3), i * 40).save(tmp_path / name)
    return tmp_path


def test_image_folder_sorts_images_and_converts_them_to_rgb(folder):
    found = ImageFolder(folder)
    assert (found.classes, found.class_to_idx) == (["a", "b", "c"], {"a": 0, "b": 1, "c": 2})
    samples = [(os.path.relpath(path, folder).replace(os.sep, "/"), target) for path, target in found.samples]
    assert samples == [("a/deep/er/3.jpeg", 0), ("b/1.PNG", 1), ("b/2.png", 1), ("c/x.bmp", 2)]
    assert found.targets == [0, 1, 1, 2]
    assert found.imgs is found.samples
    assert [found[i][0].mode for i in range(len(found))] == ["RGB"] * 4
    assert found[1][0].getpixel((0, 0)) == (40, 40, 40)


def test_transforms_and_is_valid_file(folder):
    images = ImageFolder(folder, ToTensor(), lambda target: -target, is_valid_file=lambda path: path.endswith("png"),
                       allow_empty=True)  # fmt: skip
    image, target = images[0]
    assert (tuple(image.shape), target, len(images)) == ((3, 3, 4), -1, 1)
    with pytest.raises(FileNotFoundError, match=r"no valid file for the classes a, c\. $"):
        ImageFolder(folder, is_valid_file=lambda path: path.endswith("png"))
    with pytest.raises(FileNotFoundError, match=r"classes a, c\. Supported extensions are: \.PNG, \.png$"):
        DatasetFolder(folder, open, (".PNG", ".png"))


def test_dataset_folder_with_a_custom_loader_in_batches(folder):
    found = DatasetFolder(folder, lambda path: microgad.tensor(os.path.getsize(path)), ".txt", allow_empty=True)
    (sizes, targets), *_ = microgad.utils.data.DataLoader(found, batch_size=4)
    assert (sizes.tolist(), targets.tolist()) == ([8], [0])


def test_invalid_folders_and_arguments_are_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        ImageFolder(folder / "c")
    for options in ({}, {"extensions": ".png", "is_valid_file": bool}):
        with pytest.raises(ValueError, match="Both extensions and is_valid_file"):
            make_dataset(folder, **options)
    with pytest.raises(ValueError, match="must have at least one entry"):
        make_dataset(folder, {}, ".png")
    with pytest.raises(ValueError, match="class_to_idx"):
        DatasetFolder.make_dataset(folder, None, ".png")
    with pytest.raises(ValueError, match="Only transforms or"):
        VisionDataset(folder, transforms=max, transform=abs)


def test_fake_data_does_not_change_the_random_state():
    microgad.manual_seed(3)
    found = FakeData(4, (3, 5, 6), 7, ToTensor(), random_offset=2)
    before = microgad.get_rng_state()
    a, b = found[1], found[1]
    assert microgad.get_rng_state().equal(before)
    np.testing.assert_array_equal(a[0].numpy(), b[0].numpy())
    assert type(a[1]) is int
    with pytest.raises(IndexError):
        found[4]
    assert repr(FakeData(3)) == "Dataset FakeData\n    Number of datapoints: 3"

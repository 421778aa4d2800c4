"""CIFAR-10 and CIFAR-100: 32 × 32 photographs. Their files are pickles, which are read without executing code."""

from __future__ import annotations

import os
import tarfile
from typing import Any, ClassVar, NoReturn

import numpy as np

from ..serialization.errors import FileError
from ..serialization.reading import INVALID
from ..serialization.unpickling import Unpickler
from ..serialization.writing import atomic_write
from .download import fetch
from .idx import DataError
from .utils import calculate_md5
from .vision import Transform, VisionDataset


def _refuse_reference(*facts: Any) -> NoReturn:
    raise FileError("holds a reference, which files of data sets don't have")


class CIFAR10(VisionDataset):
    """CIFAR-10: 32 × 32 photographs of ten kinds of things (Krizhevsky, 2009).

    The files lie in ``root/cifar-10-batches-py``, as with torchvision. Their MD5 is checked, and they are read by an
    unpickler that only knows lists, dicts, strings and arrays, so no code in them is executed.

    Args:
        root: the folder.
        train: the training set (50,000 images) or the test set (10,000).
        transform: called with each image, a PIL image; without Pillow a (32, 32, 3) uint8 NumPy array.
        target_transform: called with each target, an int.
        download: fetch the archive first, unless all files are intact.

    Attributes:
        data: (N, 32, 32, 3) uint8 NumPy array.
        targets: list of int.
        classes, class_to_idx: the names of the classes, and the index of each name.

    Raises:
        DataError (a RuntimeError and a ValueError): files that are missing or damaged; a failed download.

    Source: torchvision.datasets.CIFAR10.

    >>> torch.datasets.CIFAR10("nowhere")
    Traceback (most recent call last):
    microgad.datasets.idx.DataError: Dataset not found or corrupted: nowhere/cifar-10-batches-py/data_batch_1 ...
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: ClassVar[list[list[str]]] = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list: ClassVar[list[list[str]]] = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta: ClassVar[dict[str, str]] = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if trouble := self._find_problem():
            raise DataError(f"Dataset not found or corrupted: {trouble}. You can use download=True to download it")
        images, self.targets = [], []
        for name, _ in self.train_list if train else self.test_list:
            found, labels = self._batch(name)
            images.append(found)
            self.targets += labels
        self.data = np.concatenate(images).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self.classes = self._class_names()
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._apply_transforms(self._to_image(self.data[index], "RGB"), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Return the last line of the repr: the split."""
        return f"Split: {'Train' if self.train else 'Test'}"

    def download(self) -> None:
        """Download the archive and extract the files, unless all files are intact.

        Raises:
            DataError: the archive could not be downloaded, is damaged, or lacks one of the files.
        """
        if not self._find_problem():
            return
        folder = os.path.join(self.root, self.base_folder)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(self.root, self.filename)
        if not (os.path.isfile(path) and calculate_md5(path) == self.tgz_md5):
            fetch(self.filename, self.tgz_md5, [self.url.rpartition("/")[0]], self.root)
        try:
            with tarfile.open(path) as archive:
                # Only the expected names are extracted, whatever else the archive contains.
                for name, _ in self._files():
                    packed = archive.extractfile(f"{self.base_folder}/{name}")
                    if packed is None:
                        raise KeyError(f"{name} is no file")
                    with atomic_write(os.path.join(folder, name)) as file:
                        file.write(packed.read())
        except (tarfile.TarError, KeyError, EOFError, OSError) as error:
            raise DataError(f"{path}: {error}. Delete the file and get it again") from None

    def _files(self) -> list[list[str]]:
        return [*self.train_list, *self.test_list, [self.meta["filename"], self.meta["md5"]]]

    def _find_problem(self) -> str:
        """Describe the first file that is missing or damaged; return an empty string if all files are intact."""
        for name, md5 in self._files():
            path = os.path.join(self.root, self.base_folder, name)
            if not os.path.isfile(path):
                return f"{path} isn't there"
            if (found := calculate_md5(path)) != md5:
                return f"{path} has MD5 {found}, expected {md5}"
        return ""

    def _read(self, name: str) -> dict[str, Any]:
        path = os.path.join(self.root, self.base_folder, name)
        with open(path, "rb") as file:
            content = file.read()
        try:
            found = Unpickler(content, _refuse_reference).load()
        except INVALID as error:
            raise DataError(f"{path}: {error or type(error).__name__}") from None
        if type(found) is not dict:
            raise DataError(f"{path}: holds a {type(found).__name__}, expected a dict")
        return found

    def _class_names(self) -> list[str]:
        """Read and check the names of the classes."""
        found = self._read(self.meta["filename"]).get(self.meta["key"])
        if type(found) is not list or not all(type(name) is str for name in found):
            raise DataError(f"{self.meta['filename']}: holds no names: {self.meta['key']!r} is expected to be a list")
        return found

    def _batch(self, name: str) -> tuple[Any, list[int]]:
        """Read and check the images (N, 3072) and labels of a file."""
        found = self._read(name)
        images, labels = found.get("data"), found.get("labels", found.get("fine_labels"))
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (3072,):
            raise DataError(f"{name}: holds no images: 'data' is expected to be uint8 (N, 3072)")
        if type(labels) is not list or len(labels) != len(images) or not all(type(x) is int for x in labels):
            raise DataError(f"{name}: holds {len(images)} images, but not as many labels")
        return images, labels


class CIFAR100(CIFAR10):
    """CIFAR-100: 32 × 32 photographs of a hundred kinds of things, in CIFAR10's format (Krizhevsky, 2009).

    The files lie in ``root/cifar-100-python``; arguments, attributes and errors are CIFAR10's.
    Source: torchvision.datasets.CIFAR100.

    >>> torch.datasets.CIFAR100("nowhere")
    Traceback (most recent call last):
    microgad.datasets.idx.DataError: Dataset not found or corrupted: nowhere/cifar-100-python/train isn't there. ...
    """

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}

"""MNIST: 28 x 28 images of handwritten digits, with torchvision's arguments."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors.notices import warn
from ..ops.creation import from_numpy
from ..tensor import Tensor
from .download import fetch
from .idx import DataError, read_idx
from .utils import calculate_md5
from .vision import Transform, VisionDataset

SHIPPED = os.path.join(os.path.dirname(__file__), "data")


def _old_name(before: str, now: str) -> Any:
    """Make a property for an attribute under its old name."""

    def get(self: Any) -> Any:
        warn(f"{before} has been renamed {now}")
        return getattr(self, now)

    return property(get)


class MNIST(VisionDataset):
    """The MNIST database of handwritten digits: LeCun, Cortes and Burges (1998). Source: torchvision.datasets.MNIST.

    The files lie in ``root/MNIST/raw``, as with torchvision, or directly in `root`, gzipped or not. Data of your own in
    the same format works too. `MNIST.subset` has 7,000 of the images and needs no files.

    Args:
        root: the folder.
        train: the training set (60,000 images) or the test set (10,000).
        transform: called with each image, a PIL image; without Pillow a (28, 28) uint8 NumPy array; e.g. `ToTensor()`.
        target_transform: called with each target, an int.
        download: first download missing files from `mirrors` to ``root/MNIST/raw``.

    Attributes:
        data: (N, 28, 28) uint8 Tensor.
        targets: (N,) int64 Tensor.
        classes, class_to_idx: the names of the classes, and the index of each name.

    Indexing gives `(image, target)` after the transforms; without transforms these are a PIL image (without Pillow a
    (28, 28) uint8 Tensor) and an int.

    Raises:
        DataError (a RuntimeError and a ValueError): files are missing, damaged or inconsistent, or a download failed.
            Gzipped files are checked by their own checksum, downloaded ones by `resources`. Uncompressed files have no
            checksum: a warning tells if one has the official size but not the official contents.

    >>> from microgad.datasets import MNIST
    >>> test = MNIST.subset(train=False)
    >>> len(test), tuple(test.data.shape), test.classes[3]
    (1000, (1000, 28, 28), '3 - three')
    >>> image, target = test[0]
    >>> image.size, target
    ((28, 28), 7)
    """

    _has_subset = True  # whether the package contains a subset
    _label: ClassVar[tuple[int, ...]] = ()  # the shape of a label, whose first number is the class
    mirrors: ClassVar[list[str]] = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    training_file, test_file = "training.pt", "test.pt"  # of old versions of torchvision, in `processed_folder`
    # The gzipped files and their MD5.
    resources: ClassVar[list[tuple[str, str]]] = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    # The uncompressed files: their sizes in bytes and their MD5.
    unpacked: ClassVar[dict[str, tuple[int, str]]] = {
        "train-images-idx3-ubyte": (47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
        "train-labels-idx1-ubyte": (60_008, "a25bea736e30d166cdddb491f175f624"),
        "t10k-images-idx3-ubyte": (7_840_016, "2646ac647ad5339dbf082846283269ea"),
        "t10k-labels-idx1-ubyte": (10_008, "27ae3e4e09519cfbb04c329615203637"),
    }
    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
        "9 - nine",
    ]  # fmt: skip

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
        self.data, self.targets = self._load_data()

    @classmethod
    def subset(cls, train: bool = True, transform: Transform = None, target_transform: Transform = None) -> Self:
        """Return the part of MNIST in microgad's package: 600 training or 100 test images of each digit.

        >>> from microgad.datasets import MNIST
        >>> MNIST.subset().data.shape[0]
        6000
        """
        if not cls._has_subset:
            raise DataError(f"{cls.__name__}: microgad only contains a subset of MNIST")
        return cls(SHIPPED, train, transform, target_transform)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = self._to_image(self.data.numpy()[index], "L")
        targets = self.targets  # programs may replace it by a list
        return self._apply_transforms(image, int((targets.numpy() if isinstance(targets, Tensor) else targets)[index]))

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Return the last lines of the repr: the split."""
        return f"Split: {'Train' if self.train else 'Test'}"

    train_data, test_data = _old_name("train_data", "data"), _old_name("test_data", "data")
    train_labels, test_labels = _old_name("train_labels", "targets"), _old_name("test_labels", "targets")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The index of each name in `classes`."""
        return {name: number for number, name in enumerate(self.classes)}

    @property
    def raw_folder(self) -> str:
        """The folder of the files: ``root/MNIST/raw``, or `root` if only it has both files of this split."""
        nested = os.path.join(self.root, type(self).__name__, "raw")
        return self.root if self._is_complete(self.root) and not self._is_complete(nested) else nested

    @property
    def processed_folder(self) -> str:
        """``root/MNIST/processed``, which old versions of torchvision used; a subclass may keep files there."""
        return os.path.join(self.root, type(self).__name__, "processed")

    def _check_exists(self) -> bool:
        return self._is_complete(self.raw_folder)

    def _load_data(self) -> tuple[Tensor, Tensor]:
        """Return `data` and `targets`, as subclasses do that override it."""
        images, labels = self._load()
        return from_numpy(images), from_numpy(labels)

    def download(self) -> None:
        """Download all missing files, unless this split is complete.

        Raises:
            DataError: no mirror had a file; files downloaded before it stay.
        """
        folder = self.raw_folder
        if self._check_exists():
            return
        os.makedirs(folder, exist_ok=True)
        missing = [(name, md5) for name, md5 in self.resources if _find(folder, os.path.splitext(name)[0]) is None]
        for at, (name, md5) in enumerate(missing):
            try:
                fetch(name, md5, self.mirrors, folder)
            except DataError as error:
                names = ", ".join(name for name, _ in missing[at:])
                put = f"put {names} (gzipped or unpacked) into {folder!r} by hand"
                raise DataError(f"{error}\nWithout a network: {put}{self._hint()}") from None

    def _hint(self) -> str:
        """Return the hint for error messages about what works without files."""
        return f"; or use MNIST.subset(train={self.train}), which ships with microgad" if self._has_subset else ""

    def _file_names(self) -> tuple[str, str]:
        """Return the file names of the images and labels of this split."""
        split = "train" if self.train else "t10k"
        return f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"

    def _is_complete(self, folder: str) -> bool:
        return all(_find(folder, name) is not None for name in self._file_names())

    def _load(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Read and check the images (N, H, W) and labels (N,)."""
        folder = self.raw_folder
        paths = [path for name in self._file_names() if (path := _find(folder, name)) is not None]
        if len(paths) < 2:
            names = " and ".join(self._file_names())
            raise DataError(
                f"Dataset not found: {names} (or the same with .gz) lie neither in {folder!r} nor in {self.root!r}. "
                f"Put them there, or use download=True to fetch them{self._hint()}"
            )
        images, labels = self._read(paths[0]), self._read(paths[1])
        if images.dtype != np.uint8 or images.ndim != 3:
            raise DataError(f"{paths[0]}: holds {images.dtype} {images.shape}, images are uint8 (N, height, width)")
        if labels.dtype.kind not in "iu" or labels.ndim == 0 or labels.shape[1:] != self._label:
            wanted = ("N", *self._label)
            raise DataError(f"{paths[1]}: holds {labels.dtype} {labels.shape}, labels are integers {wanted}")
        if len(images) != len(labels):
            raise DataError(
                f"{paths[0]} holds {len(images)} images, but {paths[1]} {len(labels)} labels: "
                "they don't belong together, replace one of them"
            )
        found = labels[:, 0] if self._label else labels
        if len(found) and not 0 <= found.min() <= found.max() < len(self.classes):
            raise DataError(
                f"{paths[1]}: labels from {found.min()} to {found.max()}, but there are {len(self.classes)} classes. "
                f"For a set with other classes, subclass {type(self).__name__} and list them in `classes`"
            )
        return images, labels.astype(np.int64)

    def _read(self, path: str) -> NDArray[Any]:
        array = read_idx(path)
        size, md5 = self.unpacked.get(os.path.basename(path), (None, None))
        if os.path.getsize(path) == size:
            found = calculate_md5(path)
            if found != md5:
                warn(
                    f"{path}: has the size of the official file, but not its contents (MD5 {found}, expected {md5}). "
                    "Unless it is meant to differ, delete it and use download=True"
                )
        return array


def _find(folder: str, name: str) -> str | None:
    """Return the path of the IDX file `name` in `folder`, uncompressed if possible, or None."""
    plain = os.path.join(folder, name)
    return next((path for path in (plain, f"{plain}.gz", f"{plain}.xz") if os.path.isfile(path)), None)

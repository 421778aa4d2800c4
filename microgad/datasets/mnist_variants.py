"""Data sets in MNIST's format: FashionMNIST, KMNIST, EMNIST, QMNIST."""

from __future__ import annotations

import os
import string
import zipfile
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..serialization.writing import atomic_write
from .download import fetch
from .idx import DataError
from .mnist import MNIST
from .utils import verify_str_arg

_IDX = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def _gzipped(*md5: str) -> list[tuple[str, str]]:
    return [(f"{name}.gz", checksum) for name, checksum in zip(_IDX, md5, strict=True)]


class _Variant(MNIST):
    """Base of the other data sets in MNIST's format, of which the package has no part."""

    _has_subset = False
    unpacked = {}


class FashionMNIST(_Variant):
    """Images of clothes, 28 × 28, in MNIST's format, with its arguments, attributes and errors.

    Xiao, Rasul, Vollgraf (2017). Source: torchvision.datasets.FashionMNIST.

    >>> torch.datasets.FashionMNIST.classes[9]
    'Ankle boot'
    """

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = _gzipped(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )
    classes = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip


class KMNIST(_Variant):
    """Images of ten hiragana, 28 × 28, in MNIST's format, with its arguments, attributes and errors.

    Clanuwat et al. (2018). Source: torchvision.datasets.KMNIST.

    >>> torch.datasets.KMNIST.classes[:3]
    ['o', 'ki', 'su']
    """

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = _gzipped(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    )
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


# Letters that look like their capitals. Both are one class in the splits of merged classes.
_MERGED = set("cijklmopsuvwxyz")
_ALL = sorted(string.digits + string.ascii_letters)
_FEWER = sorted(set(_ALL) - _MERGED)


class EMNIST(_Variant):
    """Images of handwritten digits and letters, 28 × 28, in MNIST's format. They are transposed, as in EMNIST's files.

    Args:
        root: the folder; the files lie in ``root/EMNIST/raw``, gzipped or not.
        split: "byclass", "bymerge", "balanced", "letters", "digits" or "mnist".
        others: as for MNIST. `download` gets one archive of all splits.

    Raises ValueError for unknown splits, otherwise as MNIST. Cohen et al. (2017).
    Source: torchvision.datasets.EMNIST.

    >>> torch.datasets.EMNIST.classes_split_dict["letters"][:3]
    ['N/A', 'a', 'b']
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict: ClassVar[dict[str, list[str]]] = {
        "byclass": _ALL,
        "bymerge": _FEWER,
        "balanced": _FEWER,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: str | os.PathLike[str], split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.classes = self.classes_split_dict[split]  # type: ignore[misc]
        super().__init__(root, **kwargs)

    def _file_names(self) -> tuple[str, str]:
        prefix = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"

    def download(self) -> None:
        """Download the archive and extract the gzipped files of all splits, unless this split is complete.

        Raises:
            DataError: the archive could not be downloaded or is damaged.
        """
        folder = self.raw_folder
        if self._is_complete(folder):
            return
        os.makedirs(folder, exist_ok=True)
        address, _, archive = self.url.rpartition("/")
        fetch(archive, self.md5, [address], folder)
        path = os.path.join(folder, archive)
        try:
            with zipfile.ZipFile(path) as packed:
                for entry in packed.namelist():
                    name = entry.rpartition("/")[2]
                    if name.startswith("emnist-") and name.endswith(".gz"):
                        with atomic_write(os.path.join(folder, name)) as file:
                            file.write(packed.read(entry))
        except zipfile.BadZipFile as error:
            raise DataError(f"{path}: {error}. Delete the file and get it again") from None
        os.remove(path)


class QMNIST(_Variant):
    """MNIST with the complete test set of 60,000 images, and information on the writers, in MNIST's format.

    Args:
        root: the folder; the files lie in ``root/QMNIST/raw``.
        what: "train", "test", "test10k" (MNIST's own), "test50k" or "nist" (all of them).
        compat: targets are ints; if False, they are (8,) int64 Tensors that begin with the class.
        train: selects "train" or "test" if `what` isn't given.
        others: as for MNIST.

    Raises ValueError for unknown `what`, otherwise as MNIST. Yadav, Bottou (2019).
    Source: torchvision.datasets.QMNIST.

    >>> torch.datasets.QMNIST.subsets["test10k"]
    'test'
    """

    mirrors = ["https://raw.githubusercontent.com/facebookresearch/qmnist/master/"]
    _label = (8,)
    subsets = {"train": "train", "test": "test", "test10k": "test", "test50k": "test", "nist": "nist"}
    files: ClassVar[dict[str, list[tuple[str, str]]]] = {
        "train": [
            ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            ("xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            ("xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        what: str | None = None,
        compat: bool = True,
        train: bool = True,
        **kwargs: Any,
    ) -> None:
        self.what = verify_str_arg(what or ("train" if train else "test"), "what", tuple(self.subsets))
        self.compat = compat
        self.resources = self.files[self.subsets[self.what]]  # type: ignore[misc]
        super().__init__(root, train, **kwargs)

    def _file_names(self) -> tuple[str, str]:
        images, labels = (os.path.splitext(name)[0] for name, _ in self.files[self.subsets[self.what]])
        return images, labels

    def _load(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        images, labels = super()._load()
        part = {"test10k": slice(10_000), "test50k": slice(10_000, None)}.get(self.what, slice(None))
        return images[part].copy(), labels[part].copy()

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = self._to_image(self.data.numpy()[index], "L"), self.targets[index]
        return self._apply_transforms(image, int(target[0].item()) if self.compat else target)

    def extra_repr(self) -> str:
        """Return the last line of the repr: the part of the data set."""
        return f"Split: {self.what}"

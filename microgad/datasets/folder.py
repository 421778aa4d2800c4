"""Data sets of files in folders, with one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ArgumentError, MicrogadError
from ..transforms.images import pillow
from .vision import Transform, VisionDataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
Samples = list[tuple[str, int]]


class EmptyFolderError(MicrogadError, FileNotFoundError):
    """Raised if a folder has no class folders, or a class folder has no files."""


def has_file_allowed_extension(filename: str, extensions: str | Sequence[str]) -> bool:
    """Whether a file name ends in one of the extensions, ignoring case.

    Source: torchvision.datasets.folder.has_file_allowed_extension.

    >>> torch.datasets.folder.has_file_allowed_extension("a.PNG", (".png",))
    True
    """
    return filename.lower().endswith(extensions if isinstance(extensions, str) else tuple(extensions))


def is_image_file(filename: str) -> bool:
    """Whether a file name has the extension of an image. Source: torchvision.datasets.folder.is_image_file.

    >>> torch.datasets.folder.is_image_file("a.txt")
    False
    """
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
    """Return the sorted subfolders and the index of each. Raises FileNotFoundError if there are none.

    Source: torchvision.datasets.folder.find_classes.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.mkdir(f"{folder}/cats")
    ...     torch.datasets.folder.find_classes(folder)
    (['cats'], {'cats': 0})
    """
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise EmptyFolderError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: number for number, name in enumerate(classes)}


def make_dataset(
    directory: str | os.PathLike[str],
    class_to_idx: dict[str, int] | None = None,
    extensions: str | Sequence[str] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> Samples:
    """List (path, class) of each file with one of the extensions, or that is valid, in sorted order and in subfolders.

    Raises ValueError if neither or both of extensions and is_valid_file are given, and FileNotFoundError for classes
    without files unless allow_empty.
    Source: torchvision.datasets.folder.make_dataset.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.mkdir(f"{folder}/cats")
    ...     open(f"{folder}/cats/1.txt", "w").close()
    ...     found = torch.datasets.folder.make_dataset(folder, extensions=".txt")
    >>> [(os.path.basename(path), number) for path, number in found]
    [('1.txt', 0)]
    """
    directory = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    if not class_to_idx:
        raise ArgumentError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ArgumentError("Both extensions and is_valid_file cannot be None or not None at the same time")
    valid = is_valid_file or (lambda path: has_file_allowed_extension(path, extensions or ()))
    samples: Samples = []
    empty = []
    for name in sorted(class_to_idx):
        before = len(samples)
        for root, _, files in sorted(os.walk(os.path.join(directory, name), followlinks=True)):
            paths = (os.path.join(root, file) for file in sorted(files))
            samples += [(path, class_to_idx[name]) for path in paths if valid(path)]
        if len(samples) == before:
            empty.append(name)
    if empty and not allow_empty:
        message = f"Found no valid file for the classes {', '.join(empty)}. "
        if extensions is not None:
            known = (extensions,) if isinstance(extensions, str) else extensions
            message += f"Supported extensions are: {', '.join(known)}"
        raise EmptyFolderError(message)
    return samples


def pil_loader(path: str | os.PathLike[str]) -> Any:
    """Load an image file in RGB. Raises ImportError without Pillow. Source: torchvision.datasets.folder.pil_loader.

    >>> import os, tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (3, 2)).save(f"{folder}/1.png")
    ...     torch.datasets.folder.pil_loader(f"{folder}/1.png").mode
    'RGB'
    """
    with open(path, "rb") as file:
        return pillow().open(file).convert("RGB")


default_loader = pil_loader


class DatasetFolder(VisionDataset):
    """Samples in files: root/class/name.ext, or deeper, each opened by `loader(path)`.

    Args:
        root: the folder.
        loader: a function from path to sample.
        extensions or is_valid_file: selects the files by the end of their names or by a function of the path.
        transform, target_transform: called with a sample, and with its class.
        allow_empty: allow classes without files.

    Attributes: classes, class_to_idx, samples (path, class), targets.
    Raises FileNotFoundError if there are no classes or a class has no samples, and ValueError as make_dataset does.
    Source: torchvision.datasets.DatasetFolder.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.mkdir(f"{folder}/odd")
    ...     np.save(f"{folder}/odd/1.npy", np.array([1, 3]))
    ...     found = torch.datasets.DatasetFolder(folder, np.load, (".npy",))
    ...     found[0]
    (array([1, 3]), 0)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], Any],
        extensions: Sequence[str] | None = None,
        transform: Transform = None,
        target_transform: Transform = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.loader, self.extensions = loader, extensions
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(
        directory: str | os.PathLike[str],
        class_to_idx: dict[str, int],
        extensions: Sequence[str] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> Samples:
        """List the samples; a subclass may override this."""
        if class_to_idx is None:
            raise ArgumentError("The class_to_idx parameter cannot be None.")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """List the classes; a subclass may override this."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self._apply_transforms(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images in files: root/class/name.png, or deeper, as PIL images in RGB.

    Args:
        root: the folder.
        transform, target_transform: called with an image, and with its class.
        loader: a function from path to image.
        is_valid_file: selects the image files by a function of the path; the default is by extension.
        allow_empty: allow classes without images.

    Attributes: those of DatasetFolder, and imgs, which equals samples. Raises as DatasetFolder does, and ImportError
    without Pillow. Source: torchvision.datasets.ImageFolder.

    >>> import os, tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.mkdir(f"{folder}/grey")
    ...     Image.new("RGB", (3, 2), "grey").save(f"{folder}/grey/1.png")
    ...     image, target = torch.datasets.ImageFolder(folder, torch.transforms.ToTensor())[0]
    >>> image.shape, target
    (torch.Size([3, 2, 3]), 0)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Transform = None,
        target_transform: Transform = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples

"""Make the subset of MNIST inside microgad's package from MNIST's four files.

    python scripts/make_mnist_subset.py --source FOLDER

FOLDER holds the files, gzipped or not. 600 training and 100 test images of each class are taken at equal distances over
the whole file (the i-th of k is the class's image number ⌊i·n/k⌋), so that early and late writers are included. They
keep the file's order. Nothing is random and the gzip headers contain no time, so a second run writes the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgad.datasets import MNIST, encode_idx, read_idx

PER_CLASS = {"train": 600, "t10k": 100}
SHIPPED = Path(__file__).parents[1] / "microgad" / "datasets" / "data"


def select(labels: NDArray[Any], per_class: int) -> NDArray[np.intp]:
    """Return the ascending positions of `per_class` labels of each class, at equal distances within the class.

    >>> select(np.array([0, 1, 0, 1, 0, 0, 1, 1]), 2)
    array([0, 1, 4, 6])
    """
    chosen = []
    for label in np.unique(labels):
        positions = np.flatnonzero(labels == label)
        chosen.append(positions[np.arange(per_class) * len(positions) // per_class])
    return np.sort(np.concatenate(chosen))


def read_official(folder: Path, name: str) -> NDArray[Any]:
    """Return the array in MNIST's file `name`, gzipped or not, after a check that it is the official one."""
    path = folder / name if (folder / name).exists() else folder / f"{name}.gz"
    array = read_idx(path)
    found, expected = hashlib.md5(encode_idx(array)).hexdigest(), MNIST.unpacked[name][1]
    if found != expected:
        raise SystemExit(f"{path} is not MNIST's own file: MD5 of its contents {found}, expected {expected}")
    return array


def pack(array: NDArray[Any]) -> bytes:
    """Write `array` as gzipped IDX, without name and time in the header, so that the bytes are always the same."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(encode_idx(array))
    return packed.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the part of MNIST that ships inside microgad.")
    parser.add_argument("--source", type=Path, required=True, help="folder with MNIST's own four files")
    source = parser.parse_args().source

    files = {}
    for split, per_class in PER_CLASS.items():
        images = read_official(source, f"{split}-images-idx3-ubyte")
        labels = read_official(source, f"{split}-labels-idx1-ubyte")
        chosen = select(labels, per_class)
        files[f"{split}-images-idx3-ubyte.gz"] = pack(images[chosen])
        files[f"{split}-labels-idx1-ubyte.gz"] = pack(labels[chosen])

    SHIPPED.mkdir(exist_ok=True)
    for name, content in files.items():
        (SHIPPED / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
    print(f"in all: {sum(map(len, files.values())):,} bytes")


if __name__ == "__main__":
    main()

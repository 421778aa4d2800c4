"""Writes surface.json, the list of what CuPy has, from an installed CuPy, which can be imported without a GPU.

python -P tests/strictarray/read_surface.py
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import cupy
import numpy

MODULES = ("", "linalg", "fft", "lib.stride_tricks")


def find(root: object, path: str) -> object:
    for name in path.split(".") if path else ():
        root = getattr(root, name, None)
    return root


def functions(path: str) -> dict[str, list[str]]:
    """Names of the functions that CuPy and NumPy both have, with the names of CuPy's parameters."""
    ours, theirs = find(cupy, path), find(numpy, path)
    found = {}
    for name in dir(theirs):
        function = getattr(ours, name, None)
        if name.startswith("_") or isinstance(function, (type, cupy.ufunc)) or not callable(function):
            continue
        try:
            signature = inspect.signature(function)
        except ValueError:  # written in C
            signature = inspect.signature(getattr(theirs, name))
        found[name] = ["**" if p.kind is p.VAR_KEYWORD else p.name for p in signature.parameters.values()]
    return found


def main() -> None:
    ufuncs = {name: f.types for name, f in vars(cupy).items() if isinstance(f, cupy.ufunc) and hasattr(numpy, name)}
    surface = {
        "version": cupy.__version__,
        "functions": {path: functions(path) for path in MODULES},
        "ufuncs": ufuncs,
        "attributes": [name for name in dir(cupy.ndarray) if not name.startswith("_")],
    }
    text = json.dumps(surface, indent=0, sort_keys=True)
    text = re.sub(r"\[([^]]*)\]", lambda found: f"[{' '.join(found[1].split())}]", text)  # a function a line
    Path(__file__).with_name("surface.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

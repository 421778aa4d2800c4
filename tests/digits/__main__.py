"""Compute the digits, and write them."""

import numpy as np

from . import ARGUMENTS, FILE
from .oracle import EXACT, arguments, results

columns: dict[str, list[np.ndarray]] = {"at": [], "nearest": [], "rest": []}
for name in EXACT:
    at = arguments(name)
    columns["at"].append(np.concatenate([at, np.full((ARGUMENTS - len(at), at.shape[1]), np.nan)]))
    for part, values in zip(("nearest", "rest"), results(name, at), strict=True):
        columns[part].append(values)
sizes = [len(part) for part in columns["rest"]]
arrays = {name: np.concatenate(parts, -1) for name, parts in columns.items()}
np.savez_compressed(FILE, names=list(EXACT), sizes=sizes, **arrays)

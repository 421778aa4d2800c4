"""Train several variants of a model from the same seeds, to compare them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import ArgumentError
from ..errors.own_arguments import checked
from ..ops.random import manual_seed
from .comparison import Comparison, Run
from .history import Path
from .loop import fit
from .progress import Progress, as_progress
from .step import TrainingDiverged


@checked
def compare(
    variants: Mapping[str, Callable[[], Mapping[str, Any]]], seeds: Iterable[int] = (0,), *,
    folder: Path | None = None, resume: bool = False, progress: Progress | bool = True, **shared: Any,
) -> Comparison:  # fmt: skip
    """Train each variant from each seed with `fit`.

    A variant is a function that returns arguments for `fit`, at least "model" and "optimizer". It is called after
    `manual_seed(seed)`. `shared` are further arguments for all variants. A checkpoint of each run is saved in `folder`,
    which is created. With `resume`, finished runs are skipped, and an interrupted one continues. Raises ValueError if
    the files of two variants would have the same name, and the errors of `fit`.

    >>> x = torch.linspace(-1, 1, 64).reshape(64, 1)
    >>> data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x * x), batch_size=16, shuffle=True)
    >>> def with_rate(lr):
    ...     def make():
    ...         model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    ...         return {"model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=lr)}
    ...     return make
    >>> comparison = torch.training.compare(
    ...     {"slow": with_rate(0.001), "fast": with_rate(0.01)}, seeds=(0, 1),
    ...     data=data, loss=F.mse_loss, epochs=5, held_out=(x, x * x), progress=False,
    ... )
    >>> slow, fast = comparison.histories().values()
    >>> len(slow), fast[0]["held_out_loss"][-1] < slow[0]["held_out_loss"][-1]
    (2, True)
    """
    if resume and folder is None:
        raise ArgumentError("compare: resume needs folder, where the checkpoints are")
    seeds = list(seeds)
    shown = as_progress(progress)
    width = max(map(len, variants), default=0)
    runs = Comparison()
    if folder is not None:
        if len({_file_name(name) for name in variants}) < len(variants):
            raise ArgumentError("compare: two variants' names differ in nothing that a file's name can hold")
        os.makedirs(folder, exist_ok=True)
    for seed in seeds:
        for name, make in variants.items():
            shown.label = f"{name:{width}}  seed {seed}"
            manual_seed(seed)
            arguments = {**shared, **make()}
            path = None if folder is None else os.path.join(folder, f"{_file_name(name)}-seed{seed}.ckpt")
            try:
                history = fit(**arguments, checkpoint=path, resume=resume, progress=shown)
            except TrainingDiverged as error:
                raise error.at(f"{name}, seed {seed}", "", error.history) from None
            runs.append(Run(name, seed, history, arguments["model"]))
    return runs


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)

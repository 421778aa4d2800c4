"""DistributedSampler: each of several processes iterates over its own share of a dataset."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ... import generator as draws
from ...generator import Generator
from .sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Yields every num_replicas-th index, beginning at `rank`, in an order that depends on `seed` and the epoch.

    All shares have the same length: the first indices are repeated, or with `drop_last` the last ones are left out.
    Call `set_epoch(epoch)` before each pass; otherwise all passes have the same order.

    num_replicas and rank must be given, or RuntimeError is raised; in PyTorch they may come from torch.distributed. A
    rank outside of [0, num_replicas) raises ValueError. Source: torch.utils.data.DistributedSampler.

    >>> sampler = torch.utils.data.DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False)
    >>> list(sampler)
    [1, 3, 0]
    """

    def __init__(
        self, dataset: Any, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
        seed: int = 0, drop_last: bool = False,
    ) -> None:  # fmt: skip
        if num_replicas is None or rank is None:
            raise RuntimeError("Requires distributed package to be available, or num_replicas and rank to be given")
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        n = len(dataset)
        self.num_samples = n // num_replicas if drop_last else math.ceil(n / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        indices = list(range(len(self.dataset)))
        if self.shuffle:
            source = Generator().manual_seed(self.seed + self.epoch)
            indices = draws.randperm(len(indices), generator=source).tolist()
        if indices and len(indices) < self.total_size:
            indices *= math.ceil(self.total_size / len(indices))
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next pass, on which its order depends."""
        self.epoch = epoch

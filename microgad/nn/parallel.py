"""DataParallel and DistributedDataParallel, which here call the wrapped module on one device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .modules.module import Module

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


class DataParallel(Module):
    """A wrapper that calls its attribute `module` on one device, that of the arguments.

    device_ids, output_device and dim have no effect, as in PyTorch without a GPU.
    Source: torch.nn.DataParallel.

    >>> net = nn.DataParallel(nn.Linear(2, 3))
    >>> net(torch.zeros(1, 2)).shape, list(net.state_dict())
    (torch.Size([1, 3]), ['module.weight', 'module.bias'])
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(DataParallel):
    """A wrapper of its attribute `module` in a single process, without other processes' gradients to average.

    Options about the communication of gradients have no effect. Source: torch.nn.parallel.DistributedDataParallel.

    >>> net = nn.parallel.DistributedDataParallel(nn.Linear(2, 3))
    >>> with net.no_sync():
    ...     net(torch.zeros(1, 2)).sum().backward()
    >>> net.module.bias.grad
    tensor([1., 1., 1.])
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0, **options: Any
    ) -> None:
        super().__init__(module, device_ids, output_device, dim)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Context manager without effect: gradients are never averaged."""
        yield


def data_parallel(
    module: Module, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
    module_kwargs: Any = None,
) -> Any:  # fmt: skip
    """Call the module on one device. Source: torch.nn.parallel.data_parallel.

    >>> nn.parallel.data_parallel(nn.Linear(2, 3), torch.zeros(1, 2)).shape
    torch.Size([1, 3])
    """
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))

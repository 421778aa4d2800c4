"""What programs wrap a model in to use several GPUs: here it is called as it is."""

from __future__ import annotations

from typing import Any

from .module import Module


class DataParallel(Module):
    """The module, under the name "module"; it is called on one device, the arguments' own.

    device_ids, output_device and dim have no effect, as in PyTorch where there is no GPU.
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

"""What programs take from torchvision.models._utils: a network's layers by name, and widths that hardware likes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from .. import nn
from ..errors import ArgumentError
from ..nn import Module
from ..tensor import Tensor
from .blocks import make_divisible as _make_divisible

__all__ = ["IntermediateLayerGetter", "_make_divisible"]


class IntermediateLayerGetter(nn.ModuleDict):
    """A model's children, which must be called in the order of their names, up to the last that is asked for.

    `return_layers` has, for each child whose result is wanted, the name that it gets; ValueError where one isn't there.
    Source: torchvision.models._utils.IntermediateLayerGetter.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> layers = torch.models._utils.IntermediateLayerGetter(net, {"0": "wide", "1": "kept"})
    >>> len(layers), {name: x.shape for name, x in layers(torch.ones(4, 2)).items()}
    (2, {'wide': torch.Size([4, 3]), 'kept': torch.Size([4, 3])})
    """

    _version = 2

    def __init__(self, model: Module, return_layers: Mapping[str, str]) -> None:
        children = OrderedDict(model.named_children())
        if not {*return_layers} <= {*children}:
            raise ArgumentError("return_layers are not present in model")
        names = list(children)
        last = max((names.index(name) for name in return_layers), default=len(names) - 1)
        super().__init__(OrderedDict((name, children[name]) for name in names[: last + 1]))
        self.return_layers = return_layers

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        found = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                found[self.return_layers[name]] = x
        return found

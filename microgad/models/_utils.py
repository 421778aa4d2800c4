"""Names that programs import from torchvision.models._utils."""

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
    """Return the results of some children of a model, whose children must be called in the order of registration.

    `return_layers` maps the names of these children to the names of their results. Raises ValueError for an unknown
    child. Source: torchvision.models._utils.IntermediateLayerGetter.

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

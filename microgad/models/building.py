"""What the models share: functions that build them, and refuse weights that would have to be downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import UnsupportedError
from ..nn import BatchNorm2d, Conv2d, GroupNorm, Module, init

M = TypeVar("M", bound=Module)

BUILDERS: dict[str, Callable[..., Any]] = {}


def builder(build: Callable[..., M]) -> Callable[..., M]:
    """A public function that builds a model, from one that takes the rest of the options."""

    def built(weights: Any = None, progress: bool = True, **options: Any) -> M:
        weights = options.pop("pretrained", None) or weights
        if weights:
            raise UnsupportedError(
                f"{build.__name__}: weights={weights!r} would be downloaded, which microgad doesn't do: download the "
                "file, and load_state_dict(torch.load(file))"
            )
        return build(**options)

    built.__name__ = built.__qualname__ = build.__name__
    built.__doc__, built.__module__ = build.__doc__, build.__module__
    BUILDERS[build.__name__] = built
    return built


def by_kaiming(model: Module, mode: str, nonlinearity: str = "leaky_relu") -> None:
    """Draw weights of convolutions as He et al. (2015) do; normalization begins with weight 1, biases with 0."""
    for module in model.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode=mode, nonlinearity=nonlinearity)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, (BatchNorm2d, GroupNorm)):
            init.ones_(module.get_parameter("weight"))
            init.zeros_(module.get_parameter("bias"))


def get_model(name: str, **options: Any) -> Any:
    """A model by the name of its function. ValueError where there is none. Source: torchvision.models.get_model.

    >>> torch.models.get_model("resnet18", num_classes=10).fc
    Linear(in_features=512, out_features=10, bias=True)
    """
    if name.lower() not in BUILDERS:
        raise ValueError(f"Unknown model {name}; known are {', '.join(list_models())}")
    return BUILDERS[name.lower()](**options)


def list_models() -> list[str]:
    """The names that get_model knows. Source: torchvision.models.list_models.

    >>> torch.models.list_models()[:3]
    ['alexnet', 'densenet121', 'densenet161']
    """
    return sorted(BUILDERS)

"""What the models share: functions that build them, and refuse weights that would have to be downloaded."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from ..nn import BatchNorm2d, Conv2d, GroupNorm, Linear, Module, init
from .weights import WeightsEnum, of_model

M = TypeVar("M", bound=Module)
M_co = TypeVar("M_co", bound=Module, covariant=True)


class Builder(Protocol[M_co]):
    """How a function that builds a model is called; the options are the model's."""

    __name__: str

    def __call__(self, weights: Any = None, progress: bool = True, **options: Any) -> M_co: ...


BUILDERS: dict[str, Callable[..., Any]] = {}


def builder(build: Callable[..., M], settled: Callable[[WeightsEnum], dict[str, Any]] = lambda _: {}) -> Builder[M]:
    """A public function that builds a model, from one that takes the rest of the options.

    Weights are of 1000 classes, and may settle further options. True, as of `pretrained`, are the first ones.
    """

    def built(weights: Any = None, progress: bool = True, **options: Any) -> M:
        weights = options.pop("pretrained", None) or weights
        if not weights:
            return build(**options)
        known = of_model(build.__name__)
        if weights is True and "IMAGENET1K_V1" not in known.__members__:
            raise ValueError(f"No weights available for model {build.__name__}")
        found = known["IMAGENET1K_V1"] if weights is True else known.verify(weights)
        for name, value in {"num_classes": 1000, **settled(found)}.items():
            if options.setdefault(name, value) != value:
                raise ValueError(f"The parameter '{name}' expected value {value} but got {options[name]} instead.")
        state = found.get_state_dict()
        model = build(**options)
        model.load_state_dict(state)
        return model

    built.__name__ = built.__qualname__ = build.__name__
    built.__doc__, built.__module__ = build.__doc__, build.__module__
    BUILDERS[build.__name__] = built
    return built


def named(
    name: str, says: str, build: Callable[..., M], settled: Callable[[WeightsEnum], dict[str, Any]] = lambda _: {}
) -> Builder[M]:
    """The builder of one of a family: `builder`, of what has no name and no words of its own."""
    build.__name__, build.__doc__ = name, f"{says}, drawn anew. Source: torchvision.models.{name}."
    return builder(build, settled)


def require_stages(name: str, stages: Any, kind: type) -> None:
    """Raise ValueError where there are none, TypeError where they are no sequence of a kind."""
    if not stages:
        raise ValueError(f"The {name} should not be empty")
    if not isinstance(stages, Sequence) or not all(isinstance(stage, kind) for stage in stages):
        raise TypeError(f"The {name} should be List[{kind.__name__}]")


def by_kaiming(
    model: Module, mode: str, nonlinearity: str = "leaky_relu", linear: Callable[[Linear], Any] | None = None
) -> None:
    """Draw weights of convolutions as He et al. (2015) do; normalization begins with weight 1, biases with 0.

    `linear` draws those of a linear layer; without it these stay as they are.
    """
    for module in model.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode=mode, nonlinearity=nonlinearity)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, (BatchNorm2d, GroupNorm)):
            init.ones_(module.get_parameter("weight"))
            init.zeros_(module.get_parameter("bias"))
        elif linear is not None and isinstance(module, Linear):
            linear(module)
            if module.bias is not None:
                init.zeros_(module.bias)


def narrow(layer: Linear) -> None:
    """Draw a linear layer's weights near 0."""
    init.normal_(layer.weight, 0, 0.01)


def get_model_builder(name: str) -> Callable[..., Any]:
    """A model's function. ValueError where there is none. Source: torchvision.models.get_model_builder.

    >>> torch.models.get_model_builder("ResNet18").__name__
    'resnet18'
    """
    if name.lower() not in BUILDERS:
        raise ValueError(f"Unknown model {name}; known are {', '.join(list_models())}")
    return BUILDERS[name.lower()]


def get_model(name: str, **options: Any) -> Any:
    """A model by the name of its function. ValueError where there is none. Source: torchvision.models.get_model.

    >>> torch.models.get_model("resnet18", num_classes=10).fc
    Linear(in_features=512, out_features=10, bias=True)
    """
    return get_model_builder(name)(**options)


def list_models(module: Any = None, include: Any = None, exclude: Any = None) -> list[str]:
    """The names that get_model knows, or some: of a module, and by patterns. Source: torchvision.models.list_models.

    >>> torch.models.list_models(include="resnet*", exclude=["*1", "*2"])
    ['resnet18', 'resnet34', 'resnet50']
    """

    def listed(patterns: Any, name: str) -> bool:
        return any(fnmatch.fnmatch(name, p) for p in ([patterns] if isinstance(patterns, str) else patterns))

    names = [name for name, build in BUILDERS.items() if module is None or build.__module__.startswith(module.__name__)]
    names = [name for name in names if not include or listed(include, name)]
    return sorted(name for name in names if not exclude or not listed(exclude, name))

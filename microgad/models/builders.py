"""Functions that build models by name, load their weights, and initialize their layers."""

from __future__ import annotations

import fnmatch
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ..nn import BatchNorm2d, Conv2d, GroupNorm, Linear, Module, init
from .weights import WeightsEnum, weights_of_model

M = TypeVar("M", bound=Module)
M_co = TypeVar("M_co", bound=Module, covariant=True)


class Builder(Protocol[M_co]):
    """The signature of a function that builds a model."""

    __name__: str

    def __call__(self, weights: Any = None, progress: bool = True, **options: Any) -> M_co:
        """Build the model: float images (N, 3, H, W) -> logits (N, num_classes), 1000 by default.

        `weights` are a member of the model's WeightsEnum, or its name, for weights whose file is in the cache; None
        draws them. The options are those of the model's class. `progress` has no effect. Raises ValueError for options
        that contradict the weights, NotImplementedError if the file isn't there.
        """


_DEPRECATED = "deprecated since 0.13 and may be removed in the future"
BUILDERS: dict[str, Callable[..., Any]] = {}


def builder(
    build: Callable[..., M],
    options_of: Callable[[WeightsEnum], dict[str, Any]] = lambda _: {},
    usual: Mapping[str, Any] | None = None,
    loaded: Callable[[M, dict[str, Any]], Any] = lambda *_: None,
) -> Builder[M]:
    """Make the public function that builds a model, with `weights`, from `build`, which takes only the options.

    Weights imply 1000 classes, the options `options_of(weights)` and, unless they are given, `usual`. After their
    loading, `loaded(model, options)` is called with the given options.
    """

    def built(*, weights: Any = None, progress: bool = True, **options: Any) -> M:
        if weights is None:
            return build(**options)
        found = weights_of_model(build.__name__).verify(weights)
        given = dict(options)
        for name, value in {"num_classes": 1000, **options_of(found)}.items():
            if options.setdefault(name, value) != value:
                raise ValueError(f"The parameter '{name}' expected value {value} but got {options[name]} instead.")
        state = found.get_state_dict()
        model = build(**{**(usual or {}), **options})
        model.load_state_dict(state)
        loaded(model, given)
        return model

    built.__name__ = built.__qualname__ = build.__name__
    summary, _, source = (build.__doc__ or "").partition(". Source:")
    built.__doc__ = (
        f"{summary}: float images (N, 3, H, W) -> logits (N, num_classes), 1000 by default.\n\n"
        "Raises KeyError or TypeError for weights of other models, ValueError for options that contradict the weights, "
        f"NotImplementedError\nif their file isn't cached. Source:{source}"
    )
    built.__module__ = build.__module__
    BUILDERS[build.__name__] = _with_old_arguments(built)
    return BUILDERS[build.__name__]


def _with_old_arguments(built: Callable[..., M]) -> Callable[..., M]:
    """Take positional arguments, too, and `pretrained` or `weights` that mean the first version, or none if false.

    As torchvision, warn of both at a line of its own: the default filter then shows each warning once.
    """

    @functools.wraps(built)
    def wrapper(*positional: Any, **options: Any) -> M:
        if names := ("weights", "progress")[: len(positional)]:
            said = f"Using {' and '.join(map(repr, names))} as positional parameter(s) is {_DEPRECATED}. "
            warnings.warn(said + "Please use keyword parameter(s) instead.", stacklevel=1)
            options.update(zip(names, positional, strict=False))
        old = "pretrained" in options and "weights" not in options
        given = options["pretrained"] if old else options.get("weights")
        if not old and (given is None or (isinstance(given, (WeightsEnum, str)) and given != "legacy")):
            return built(*positional[2:], **options)
        first = weights_of_model(built.__name__).__members__.get("IMAGENET1K_V1") if given else None
        options.pop("pretrained", None)
        if given and first is None:
            raise ValueError(f"No weights available for model {built.__name__}")
        if old:
            said = f"The parameter 'pretrained' is {_DEPRECATED}, please use 'weights' instead."
            warnings.warn(said, stacklevel=1)
        said = (
            f"Arguments other than a weight enum or `None` for 'weights' are {_DEPRECATED}. The current behavior is "
            f"equivalent to passing `weights={first}`."
        )
        latest = f" You can also use `weights={type(first).__name__}.DEFAULT` to get the most up-to-date weights."
        warnings.warn(said + latest if given else said, stacklevel=1)
        return built(**options | {"weights": first})

    return wrapper


def variant(
    name: str,
    description: str,
    build: Callable[..., M],
    options_of: Callable[..., dict[str, Any]] = lambda _: {},
    **loading: Any,
) -> Builder[M]:
    """Make the builder of one model of a family, with a name and a docstring for `build`."""
    build.__name__ = name
    build.__doc__ = f"Build {description}. Source: torchvision.models.{name}."
    return builder(build, options_of, **loading)


def require_stages(name: str, stages: Any, kind: type) -> None:
    """Raise ValueError for empty stages, TypeError unless they are a sequence of `kind`."""
    if not stages:
        raise ValueError(f"The {name} should not be empty")
    if not isinstance(stages, Sequence) or not all(isinstance(stage, kind) for stage in stages):
        raise TypeError(f"The {name} should be List[{kind.__name__}]")


def init_kaiming(
    model: Module, mode: init.FanMode, nonlinearity: init.Nonlinearity = "leaky_relu",
    linear: Callable[[Linear], Any] | None = None,
) -> None:  # fmt: skip
    """Initialize convolutions as He et al. (2015), normalization weights with 1 and biases with 0.

    `linear` initializes linear layers; without it they stay as they are.
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


def init_layers(model: Module, kinds: Any, draw: Callable[..., Any]) -> None:
    """Draw the weights of layers of these kinds with a standard deviation of 0.02, and set their biases to 0."""
    for module in model.modules():
        if isinstance(module, kinds):
            draw(module.weight, std=0.02)
            if module.bias is not None:
                init.zeros_(module.bias)


def init_transformer_mlp(mlp: Module) -> None:
    """Draw the weights of linear layers as Glorot and Bengio (2010), and their biases near 0."""
    for module in mlp.modules():
        if isinstance(module, Linear):
            init.xavier_uniform_(module.weight)
            init.normal_(module.get_parameter("bias"), std=1e-6)


def init_small_normal(layer: Linear) -> None:
    """Draw the weights of a linear layer near 0."""
    init.normal_(layer.weight, 0, 0.01)


def get_model_builder(name: str) -> Callable[..., Any]:
    """Return the builder of a model. Raises ValueError if unknown. Source: torchvision.models.get_model_builder.

    >>> torch.models.get_model_builder("ResNet18").__name__
    'resnet18'
    """
    if name.lower() not in BUILDERS:
        raise ValueError(f"Unknown model {name}; known are {', '.join(list_models())}")
    return BUILDERS[name.lower()]


def get_model(name: str, **options: Any) -> Any:
    """Build a model by name. Raises ValueError for an unknown name. Source: torchvision.models.get_model.

    >>> torch.models.get_model("resnet18", num_classes=10).fc
    Linear(in_features=512, out_features=10, bias=True)
    """
    return get_model_builder(name)(**options)


def list_models(module: Any = None, include: Any = None, exclude: Any = None) -> list[str]:
    """List the names for get_model, filtered by module and by patterns. Source: torchvision.models.list_models.

    >>> torch.models.list_models(include="resnet*", exclude=["*1", "*2"])
    ['resnet18', 'resnet34', 'resnet50']
    """

    def listed(patterns: Any, name: str) -> bool:
        return any(fnmatch.fnmatch(name, p) for p in ([patterns] if isinstance(patterns, str) else patterns))

    names = [name for name, build in BUILDERS.items() if module is None or build.__module__.startswith(module.__name__)]
    names = [name for name in names if not include or listed(include, name)]
    return sorted(name for name in names if not exclude or not listed(exclude, name))

"""The settings of all of torchvision's models: sizes, rates of dropout, normalization."""

import functools
import inspect
import sys

import pytest

from microgad import models

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torchvision.models")

# Families whose builders take nothing of their own are left out, and VGG: test_models.py compares their layers.
FAMILIES = ["ConvNeXt", "DenseNet", "EfficientNet", "MNASNet", "MaxVit", "MobileNetV3", "RegNet", "ResNet",
            "ShuffleNetV2", "SqueezeNet", "SwinTransformer", "VisionTransformer"]  # fmt: skip


class Settings(Exception):
    """Raised in place of building a network."""


def plain(x):
    if isinstance(x, functools.partial):
        return plain([x.func, x.args, x.keywords])
    if isinstance(x, (list, tuple)):
        return [plain(y) for y in x]
    if hasattr(x, "__dict__") and not callable(x):
        x = vars(x)
    if isinstance(x, dict):
        return {name: plain(y) for name, y in x.items() if name != "conv_stem_configs"}  # which microgad doesn't have
    return x.__name__ if callable(x) else x


def settings(networks, name, family):
    """The arguments, with defaults, that a builder gives to its family's class."""
    signature = inspect.signature(getattr(networks, family))

    def called(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        raise Settings(plain(bound.arguments))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[getattr(networks, family).__module__], family, called)
        with pytest.raises(Settings) as raised:
            getattr(networks, name)()
    return raised.value.args[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_settings_are_torchvisions(family):
    module = sys.modules[getattr(models, family).__module__]
    names = models.list_models(module)
    assert names
    for name in names:
        assert settings(models, name, family) == settings(theirs, name, family), name

"""torchvision's networks: the same names, shapes, initial values from one seed, and outputs."""

import contextlib
import functools
import math
import pickle
import re
import warnings

import numpy as np
import pytest

import microgad
from microgad import models

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torchvision.models")

SMALL = {"num_classes": 7}
# Networks that are cheap to run, and the height and width of their inputs.
RUN_NETWORKS = [
    ("resnet18", 32),
    ("mobilenet_v2", 32),
    ("squeezenet1_1", 64),
    ("densenet121", 32),
    ("mobilenet_v3_small", 32),
    ("shufflenet_v2_x0_5", 64),
    ("efficientnet_b0", 32),
    ("googlenet", 32),
    ("mnasnet0_5", 32),
    ("regnet_y_400mf", 32),
]
BUILT_NETWORKS = ["resnet50", "squeezenet1_0", "resnext50_32x4d", "wide_resnet50_2", "densenet169", "resnet34",
         "mobilenet_v3_large", "shufflenet_v2_x1_5", "efficientnet_b2", "efficientnet_v2_s",
         "mnasnet1_3", "swin_t", "swin_b", "swin_v2_s", "maxvit_t"]  # fmt: skip


def shapes(net):
    return {name: tuple(x.shape) for name, x in net.state_dict().items()}


def seed_both():
    microgad.manual_seed(1)
    torch.manual_seed(1)


def assert_same_state(mine, other):
    assert list(mine.state_dict()) == list(other.state_dict())
    for (name, a), b in zip(mine.state_dict().items(), other.state_dict().values(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-6, atol=1e-8, err_msg=name)


@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
@pytest.mark.parametrize(("name", "side"), RUN_NETWORKS)
def test_initial_values_and_outputs_are_torchvisions(name, side):
    seed_both()
    mine = getattr(models, name)(**SMALL)
    other = getattr(theirs, name)(**SMALL)
    assert_same_state(mine, other)
    assert repr(mine) == repr(other)
    assert microgad.get_rng_state().array.tobytes() == torch.get_rng_state().numpy().tobytes()
    mine.load_state_dict({k: microgad.tensor(v.numpy()) for k, v in other.state_dict().items()})
    x, found = np.random.default_rng(0).standard_normal((2, 3, side, side)), []
    for library, net in ((microgad, mine), (torch, other)):
        for layer in net.modules():  # by the initial running means, outputs would be near 0, whatever the image
            layer.training = isinstance(layer, library.nn.BatchNorm2d)
        found.append(net.double()(library.tensor(x)).detach().numpy())
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", BUILT_NETWORKS)
def test_layers_and_shapes_of_parameters_are_torchvisions(name):
    with torch.device("meta"), microgad.device("meta"):
        mine, other = getattr(models, name)(**SMALL), getattr(theirs, name)(**SMALL)
    assert shapes(mine) == shapes(other)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in other.named_parameters()]
    assert repr(mine) == repr(other)


@pytest.mark.parametrize(("depth", "batch_norm"), [(11, True), (13, False), (16, False), (16, True), (19, True)])
def test_vgg_features_repr(depth, batch_norm):
    name = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"
    with torch.device("meta"), microgad.device("meta"):
        other = getattr(theirs, name)().features
        mine = models.vgg.make_layers(models.vgg._CONFIGS[depth].split(), batch_norm)
    assert repr(mine) == repr(other)


@pytest.mark.parametrize(("name", "side"), [("ResNet", 8), ("DenseNet", 32), ("MobileNetV2", 64)])
def test_small_networks_train_with_torchvisions_losses(name, side):
    def small(library, networks):
        if name == "ResNet":
            block = networks.resnet.Bottleneck
            return networks.ResNet(block, [1, 1, 1, 1], 5, True, replace_stride_with_dilation=[False, True, True])
        if name == "DenseNet":
            return networks.DenseNet(3, (1, 2), num_init_features=8, num_classes=5)
        return networks.MobileNetV2(5, 0.25, dropout=0.5)

    losses = []
    seed_both()
    x = np.random.default_rng(0).standard_normal((4, 3, side, side))
    for library, networks in ((microgad, models), (torch, theirs)):
        net = small(library, networks).double()
        optimizer = library.optim.SGD(net.parameters(), lr=0.01)
        for _ in range(2):
            loss = library.nn.functional.cross_entropy(net(library.tensor(x)), library.tensor([0, 1, 2, 3]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    np.testing.assert_allclose(losses[:2], losses[2:], rtol=1e-4)


class ChannelScale(microgad.nn.Module):
    """Takes the place of a SqueezeExcitation and has a linear layer."""

    def __init__(self, channels, squeezed, **options):
        super().__init__()
        self.fc = microgad.nn.Linear(channels, channels)


class TorchChannelScale(torch.nn.Module):
    def __init__(self, channels, squeezed, **options):
        super().__init__()
        self.fc = torch.nn.Linear(channels, channels)


@pytest.mark.parametrize("name", ["mobilenetv3", "efficientnet"])
def test_linear_layers_in_custom_blocks_have_torchvisions_initial_values(name):
    made = []
    seed_both()
    for networks, scale_layer in ((models, ChannelScale), (theirs, TorchChannelScale)):
        module = getattr(networks, name)
        if name == "mobilenetv3":
            settings = [module.InvertedResidualConfig(16, 3, 16, 16, True, "RE", 1, 1, 1.0)]
            block = functools.partial(module.InvertedResidual, se_layer=scale_layer)
            made.append(networks.MobileNetV3(settings, 8, 3, block))
        else:
            block = functools.partial(module.MBConv, se_layer=scale_layer)
            settings = [module.MBConvConfig(1, 3, 1, 8, 8, 1, block=block)]
            made.append(networks.EfficientNet(settings, 0.2, num_classes=3))
    assert_same_state(*made)


@pytest.mark.parametrize("networks", [models, theirs])
def test_configurations_of_stages_are_used(networks):
    module = networks.efficientnet
    assert module.FusedMBConvConfig(1, 3, 1, 20, 24, 2, module.MBConv).block is module.MBConv
    assert module.FusedMBConvConfig(1, 3, 1, 20, 24, 2).input_channels == 20
    assert module.MBConvConfig(1, 3, 1, 20, 24, 2, 1.0, 1.2).num_layers == module.MBConvConfig.adjust_depth(2, 1.2) == 3
    assert networks.mobilenetv3.InvertedResidualConfig(16, 3, 16, 16, True, "HS", 1, 1, 1.0).use_hs
    stage = module.MBConvConfig(1, 3, 1, 24, 24, 2)
    stage.input_channels = stage.out_channels = 20  # the new value is used, also for the blocks after the first
    last = networks.EfficientNet([stage], 0.2).features[1][1].block
    assert last[-1].out_channels == last[0].out_channels - 4 == 20
    with pytest.raises(ValueError, match="non-empty"):
        networks.MobileNetV2(inverted_residual_setting=[])
    assert len(networks.MobileNetV2(inverted_residual_setting=[[1, 16, 0, 1]]).features) == 2  # a stage of no blocks


@pytest.mark.filterwarnings("ignore:.*deprecated since 0.13")
@pytest.mark.parametrize("options", [{"weights": "DEFAULT"}, {"pretrained": True}, {"weights": "IMAGENET1K_V1"}])
def test_missing_weights_raise_instead_of_downloading(options):
    with pytest.raises(
        NotImplementedError,
        match=r"ResNet18_Weights.IMAGENET1K_V1 would be downloaded.*put resnet18-f37072fd\.pth into",
    ):
        models.resnet18(**options)
    with microgad.device("meta"):
        assert models.resnet18(weights=None, **SMALL).fc.out_features == 7


@pytest.mark.filterwarnings("ignore:.*deprecated since 0.13")
def test_pretrained_means_the_first_weights():
    for options in ({"pretrained": True}, {"weights": True}):
        with pytest.raises(NotImplementedError, match=r"ResNet50_Weights.IMAGENET1K_V1 would be downloaded"):
            models.resnet50(**options)
    with pytest.raises(NotImplementedError, match=r"ResNet50_Weights.IMAGENET1K_V2 would be downloaded"):
        models.resnet50(weights="DEFAULT")
    for networks in (models, theirs):
        with pytest.raises(ValueError, match="No weights available for model vit_h_14"):
            networks.vit_h_14(pretrained=True)
        with pytest.raises(ValueError, match="The parameter 'num_classes' expected value 1000 but got 7 instead"):
            networks.resnet18(weights="DEFAULT", **SMALL)


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        ((), {"pretrained": False}), ((False,), {}), ((None, False), {}), ((), {"weights": None}),
        ((), {"weights": False, "pretrained": True}), ((), {"weights": "legacy"}),
        ((None,), {"pretrained": False}), ((False,), {"progress": True}),
    ],
)  # fmt: skip
def test_old_arguments_warn_as_torchvisions(positional, named):
    found = []
    for networks in (models, theirs):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("default")
            with contextlib.suppress(TypeError, ValueError):
                networks.squeezenet1_1(*positional, **named, **SMALL)
            with contextlib.suppress(TypeError, ValueError):  # the filter doesn't show a warning again for another line
                networks.squeezenet1_1(*positional, **named, **SMALL)
        found.append([(each.category, str(each.message)) for each in heard])
    assert found[0] == found[1]


def test_weights_have_torchvisions_names_and_transforms():
    for name, mine in models.weights.enums().items():
        other = getattr(theirs, name)
        shown = [x for x in other if x.name != "IMAGENET1K_FEATURES"]
        assert [repr(x) for x in mine] == [repr(x) for x in shown]
        assert repr(mine.DEFAULT) == repr(other.DEFAULT)
        assert [x.url for x in mine] == [x.value.url for x in mine] == [x.url for x in shown]
        assert pickle.loads(pickle.dumps(mine.DEFAULT)) is mine.DEFAULT
        for a, b in zip(mine, shown, strict=True):
            assert repr(a.transforms()) == repr(b.transforms())
    pixels = np.random.default_rng(0).integers(0, 256, (3, 300, 280), np.uint8)
    a, b = (w.ResNet50_Weights.DEFAULT.transforms()(t.tensor(pixels)) for w, t in ((models, microgad), (theirs, torch)))
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=0.02)  # a byte may be rounded to the other neighbor


def test_weights_are_loaded_from_the_hub_folder(tmp_path, monkeypatch):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(theirs.squeezenet1_1().state_dict(), folder / "squeezenet1_1-b8a52dc0.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    found = models.get_model("squeezenet1_1", weights="SqueezeNet1_1_Weights.DEFAULT")
    expected = torch.load(folder / "squeezenet1_1-b8a52dc0.pth")
    assert_same_state(found, type("", (), {"state_dict": lambda self: expected})())
    with pytest.raises(TypeError, match="Invalid Weight class provided"):
        models.squeezenet1_1(weights=models.ResNet18_Weights.DEFAULT)
    with pytest.raises(KeyError):
        models.squeezenet1_1(weights="NONE")


def test_state_dicts_with_older_names_load():
    net = theirs.DenseNet(4, (1, 2), num_init_features=8)
    older = {
        re.sub(r"(layer\d+\.)(norm|conv)(\d)", r"\1\2.\3", name): microgad.tensor(x.numpy())
        for name, x in net.state_dict().items()
        if "num_batches_tracked" not in name
    }
    assert "features.denseblock2.denselayer2.norm.1.running_mean" in older
    mine = models.DenseNet(4, (1, 2), num_init_features=8)
    mine.load_state_dict(older)
    assert_same_state(mine, net)
    older = {"linear_1.weight": 1.0, "linear_1.bias": 2.0, "linear_2.weight": 3.0, "linear_2.bias": 4.0}
    for library, networks in ((microgad, models), (torch, theirs)):
        block = networks.vision_transformer.MLPBlock(1, 1, 0.0)
        shapes = [x.shape for x in block.parameters()]
        block.load_state_dict({k: library.full(s, v) for (k, v), s in zip(older.items(), shapes, strict=True)})
        assert [x.item() for x in block.parameters()] == [1, 2, 3, 4]


def test_weights_determine_image_size_and_skip_initialization(monkeypatch):
    """Weights set the image size, and initial values that they replace aren't drawn."""
    arguments = []
    net = microgad.nn.Module()
    monkeypatch.setattr(models.weights, "load", lambda path: {})
    monkeypatch.setattr(models.weights.os.path, "isfile", lambda path: True)
    vit = lambda image_size, *_, **how: arguments.append(image_size) or net  # noqa: E731
    monkeypatch.setattr(models.vision_transformer, "VisionTransformer", vit)
    monkeypatch.setattr(models.vgg, "VGG", lambda _, **how: arguments.append(how) or net)
    for weights in ("IMAGENET1K_V1", "IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1"):
        models.vit_b_16(weights=weights)
    models.vgg11(weights="DEFAULT")
    assert arguments == [224, 384, 224, {"num_classes": 1000, "init_weights": False}]
    with pytest.raises(ValueError, match="The parameter 'image_size' expected value 384 but got 224"):
        models.vit_b_16(weights="IMAGENET1K_SWAG_E2E_V1", image_size=224)


def test_model_lookups_are_torchvisions():
    options = [{}, {"include": "resnet*"}, {"include": ["vgg*", "alex*"], "exclude": "*_bn"}, {"exclude": "d*"}]
    for choice in options:
        assert models.list_models(**choice) == [n for n in theirs.list_models(**choice) if n in models.list_models()]
    assert models.list_models(models.resnet) == [n for n in models.list_models() if "res" in n]
    assert models.get_weight("VGG16_Weights.DEFAULT") is models.get_model_weights("vgg16").DEFAULT
    for lookup in (lambda m: m.get_model("x"), lambda m: m.get_weight("x"), lambda m: m.get_model_weights("x")):
        for library in (models, theirs):
            with pytest.raises(ValueError, match="x"):
                lookup(library)


def test_stages_of_regnets_are_torchvisions():
    def stages(m, *settings, **options):
        return vars(m.regnet.BlockParams.from_init_params(*settings, **options))

    for settings in (
        (16, 48, 27.89, 2.09, 8), (14, 56, 38.84, 2.4, 16), (27, 48, 20.71, 2.65, 24), (21, 80, 42.63, 2.66, 24),
        (17, 192, 76.82, 2.19, 56), (18, 200, 106.23, 2.48, 112), (20, 232, 115.89, 2.53, 232),
        (27, 456, 160.83, 2.52, 264), (22, 24, 24.48, 2.54, 16), (16, 56, 35.73, 2.28, 16), (18, 80, 34.01, 2.25, 24),
        (25, 88, 26.31, 2.25, 48), (23, 80, 49.56, 2.88, 120), (22, 216, 55.59, 2.1, 128), (23, 320, 69.86, 2.0, 168),
        (7, 24, 0.0, 2.0, 16), (9, 8, 30.0, 1.1, 12),
    ):  # fmt: skip
        for options in ({}, {"bottleneck_multiplier": 0.5}, {"bottleneck_multiplier": 2.0, "se_ratio": 0.25}):
            assert stages(models, *settings, **options) == stages(theirs, *settings, **options)
    for m in (models, theirs):
        with pytest.raises(ValueError, match="Invalid RegNet settings"):
            stages(m, 4, 12, 8.0, 2.0, 8)


CUSTOM_SIZES = {
    "vit": lambda m: m.VisionTransformer(16, 4, 2, 2, 16, 32, dropout=0.1, num_classes=5),
    "vit_wide_head": lambda m: m.VisionTransformer(16, 8, 1, 4, 16, 32, num_classes=5, representation_size=6),
    "convnext": lambda m: m.ConvNeXt(
        [m.convnext.CNBlockConfig(8, 16, 2), m.convnext.CNBlockConfig(16, 24, 2)], 0.3, 0.5, num_classes=5
    ),
    "efficientnet": lambda m: m.EfficientNet(
        [m.efficientnet.FusedMBConvConfig(1, 3, 1, 8, 8, 2), m.efficientnet.FusedMBConvConfig(4, 3, 2, 8, 16, 2),
         m.efficientnet.MBConvConfig(4, 3, 2, 16, 24, 3, 1.0, 1.2)], 0.1, 0.4, num_classes=5
    ),
    "mobilenet_dilated": lambda m: m.mobilenet_v3_small(num_classes=5, dilated=True, reduced_tail=True, width_mult=0.5),
    "regnet": lambda m: m.RegNet(
        m.regnet.BlockParams.from_init_params(5, 16, 8.0, 2.0, 8, 0.5, 0.25), 5, 8,
        lambda *sizes: m.regnet.ResBottleneckBlock(*sizes[:2], 2, *sizes[2:]), activation=m.maxvit.nn.SiLU
    ),
    "maxvit": lambda m: m.MaxVit(
        (16, 16), 8, 2, [8, 12], [2, 1], 4, 0.3, mlp_ratio=2, mlp_dropout=0.1, attention_dropout=0.2, num_classes=5
    ),
    "swin": lambda m: m.SwinTransformer(
        [2, 5], 8, [2, 1, 2], [2, 4, 2], [3, 2], dropout=0.1, attention_dropout=0.2, num_classes=5
    ),
    "swin_v2": lambda m: m.SwinTransformer(
        [2, 2], 8, [2, 2], [2, 4], [3, 4], 2.5, 0.1, 0.2, 0.3, 5, block=m.swin_transformer.SwinTransformerBlockV2,
        downsample_layer=m.swin_transformer.PatchMergingV2,
    ),
    "shufflenet": lambda m: m.ShuffleNetV2([1, 2, 1], [8, 16, 24, 32, 40], num_classes=5),
}  # fmt: skip


@pytest.mark.parametrize("name", CUSTOM_SIZES)
def test_networks_of_custom_sizes(name):
    """Names, initial values, random draws in training, outputs and gradients are torchvision's."""
    seed_both()
    mine, other = CUSTOM_SIZES[name](models), CUSTOM_SIZES[name](theirs)
    assert_same_state(mine, other)
    assert repr(mine) == repr(other)
    for parameter in other.parameters():
        if not parameter.any():  # as those of a head, which would make all outputs and gradients 0
            torch.nn.init.normal_(parameter, std=0.1)
    mine.load_state_dict({k: microgad.tensor(v.numpy()) for k, v in other.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype(np.float32)
    found = []
    for library, net in ((microgad, mine), (torch, other)):
        net.double()
        library.manual_seed(2)
        loss = (net(library.tensor(x).double()) ** 2).sum()
        loss.backward()
        found.append([loss.item(), *(p.grad.numpy() for p in net.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


WINDOWS = [
    ([3, 2], [1, 1], {}), ([2, 4], [1, 2], {"qkv_bias": False, "proj_bias": False}), ([6, 7], [3, 3], {}),
    ([2, 2], [0, 1], {"proj_bias": False}),
]  # fmt: skip


@pytest.mark.parametrize(("window", "shift", "options"), WINDOWS)
@pytest.mark.parametrize("version", ["", "V2"])
def test_layers_of_swin_transformers(version, window, shift, options):
    """Initial values and outputs are torchvision's where windows don't fit, or are larger than the image."""
    x = np.random.default_rng(0).standard_normal((2, 5, 7, 8))
    made = {}
    seed_both()
    for library, networks in ((microgad, models), (torch, theirs)):
        module = networks.swin_transformer
        attention = getattr(module, f"ShiftedWindowAttention{version}")(8, window, shift, 2, **options)
        if version:
            library.nn.init.constant_(attention.logit_scale, 5.0)  # more than the limit
        made[library] = library.nn.Sequential(attention, getattr(module, f"PatchMerging{version}")(8))
    mine, other = made.values()
    assert_same_state(mine, other)
    mine.load_state_dict({k: microgad.tensor(v.numpy()) for k, v in other.state_dict().items()})
    a, b = (net.double()(library.tensor(x)).detach().numpy() for library, net in made.items())
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def inception_v3(networks):
    """A network with an eighth of the usual parameters."""
    module = networks.inception

    def convolution(channels, width, **how):
        return module.BasicConv2d(channels, width, groups=math.gcd(channels, width, 8), **how)

    blocks = [functools.partial(getattr(module, f"Inception{x}"), conv_block=convolution) for x in [*"ABCDE", "Aux"]]
    return networks.Inception3(5, True, True, [convolution, *blocks], True, 0.3)


def googlenet(networks):
    return networks.GoogLeNet(5, transform_input=True, init_weights=True, dropout=0.3, dropout_aux=0.6)


@pytest.mark.parametrize(("build", "side"), [(inception_v3, 75), (googlenet, 16)])
def test_networks_with_auxiliary_heads(build, side):
    """In training mode they return named tuples. Gradients and random draws are torchvision's."""
    seed_both()
    mine, other = build(models), build(theirs)
    assert_same_state(mine, other)
    assert repr(mine) == repr(other)
    assert microgad.get_rng_state().array.tobytes() == torch.get_rng_state().numpy().tobytes()
    mine.load_state_dict({k: microgad.tensor(v.numpy()) for k, v in other.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((4, 3, side, side))
    found = []
    for library, net in ((microgad, mine), (torch, other)):
        if build is inception_v3:  # the head is for images of 299 x 299
            net.AuxLogits = library.nn.Sequential(library.nn.Upsample(17), net.AuxLogits)
        net.double()
        library.manual_seed(2)
        outputs = net(library.tensor(x))
        sum((y * y).sum() for y in outputs).backward()
        parameters = [p.grad.numpy() for p in net.parameters()]
        found.append([type(outputs).__name__, outputs._fields, *(y.detach().numpy() for y in outputs), *parameters])
        assert isinstance(net.eval()(library.tensor(x)), library.Tensor)
    assert found[0][:2] == found[1][:2]
    for a, b in zip(found[0][2:], found[1][2:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9 * np.abs(b).max())


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_initialization_that_is_not_asked_for_warns_as_torchvisions(name):
    found = []
    for networks in (models, theirs):
        with (
            pytest.warns(FutureWarning, match="please set init_weights=True") as heard,
            pytest.raises(ValueError, match="length") as raised,
        ):
            networks.get_model(name, **{"inception_v3": {"inception_blocks": []}, "googlenet": {"blocks": []}}[name])
        found.append([str(raised.value), *(str(each.message) for each in heard)])
    assert found[0] == found[1]


@pytest.mark.parametrize(("library", "networks"), [(microgad, models), (torch, theirs)])
def test_errors_of_maxvits(library, networks):
    module, layers = networks.maxvit, (library.nn.GELU, library.nn.LayerNorm)

    def partition(kind, head_dim, grid_size):
        return module.PartitionAttentionLayer(4, head_dim, 2, kind, grid_size, 2, *layers, 0.0, 0.0, 0.0)

    with pytest.raises(ValueError, match="partition_type must be either 'grid' or 'window'"):
        partition("x", 2, (4, 4))
    with pytest.raises(ValueError, match="feat_dim: 4 must be divisible by head_dim: 3"):
        partition("grid", 3, (4, 4))
    with pytest.raises(AssertionError, match=r"Got grid size of \(4, 5\) and partition size of 2"):
        partition("window", 2, (4, 5))(library.zeros(1, 4, 4, 5))
    with pytest.raises(ValueError, match=r"length n_layers=2, got p_stochastic=\[0.1\]"):
        module.MaxVitBlock(4, 4, 0.25, 4, *layers, 2, 2, 0.0, 0.0, 2, (8, 8), 2, [0.1])
    block = module.MaxVitBlock(4, 4, 0.25, 4, *layers, 2, 2, 0.0, 0.0, 2, (7, 5), 0, [])
    assert tuple(block.grid_size) == (4, 3)
    with pytest.raises(ValueError, match=r"Input size \(7, 8\) of block 0 is not divisible by partition size 2"):
        networks.MaxVit((28, 32), 8, 2, [8], [1], 4, 0.0)
    with pytest.raises(ValueError, match=r"'input_size' expected value \(224, 224\) but got \(448, 448\)"):
        networks.maxvit_t(weights="DEFAULT", input_size=(448, 448))


def test_errors_of_invalid_configurations():
    for library in (models, theirs):
        for name in ("MobileNetV3", "EfficientNet"):
            with pytest.raises(ValueError, match="should not be empty"):
                getattr(library, name)([], 8)
            with pytest.raises(TypeError, match="should be List"):
                getattr(library, name)([1], 8)
        with pytest.raises(ValueError, match="3-element tuple"):
            library.ResNet(library.resnet.BasicBlock, [1, 1, 1, 1], replace_stride_with_dilation=[])
        with pytest.raises(ValueError, match="expected stages_repeats"):
            library.ShuffleNetV2([1], [1])
        for sizes in (([2], [1, 1]), ([2, 2], [1])):
            with pytest.raises(ValueError, match="window_size and shift_size must be of length 2"):
                library.swin_transformer.ShiftedWindowAttention(4, *sizes, 1)
        with pytest.raises(AssertionError, match="indivisible by patch size"):
            library.VisionTransformer(10, 4, 1, 1, 8, 8)
        with pytest.raises(AssertionError, match="Wrong image"):
            library.VisionTransformer(8, 4, 1, 1, 8, 8)((torch if library is theirs else microgad).zeros(1, 3, 9, 9))


def test_intermediate_layer_getter_and_make_divisible():
    from torchvision.models._utils import IntermediateLayerGetter, _make_divisible

    from microgad.models import _utils as ours

    def found(library, models, getter):
        library.manual_seed(0)
        net = getter(models.resnet18(num_classes=2).eval(), {"layer1": "a", "layer3": "b"})
        x = library.tensor(np.linspace(-1, 1, 3 * 32 * 32, dtype=np.float32).reshape(1, 3, 32, 32))
        return list(net.state_dict()), {name: y.detach().numpy() for name, y in net(x).items()}

    (names, mine), (expected, others) = (
        found(microgad, models, ours.IntermediateLayerGetter), found(torch, theirs, IntermediateLayerGetter)
    )  # fmt: skip
    assert names == expected
    assert list(mine) == list(others)
    for name, y in mine.items():
        np.testing.assert_allclose(y, others[name], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="return_layers are not present in model"):
        ours.IntermediateLayerGetter(models.resnet18(), {"nowhere": "a"})
    widths = [(v, *rest) for v in (3, 12, 17.6, 20, 31.9) for rest in ((8,), (8, 16), (4, None))]
    assert [ours._make_divisible(*w) for w in widths] == [_make_divisible(*w) for w in widths]

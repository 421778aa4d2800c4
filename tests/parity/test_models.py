"""torchvision's networks: the same names, shapes, initial values from one seed, and outputs."""

import numpy as np
import pytest

import microgad
from microgad import models

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torchvision.models")

SMALL = {"num_classes": 7}
# Names and options of those that are cheap, and the side of an input.
RUN = [("resnet18", 32), ("mobilenet_v2", 32), ("squeezenet1_1", 64), ("densenet121", 32)]
NAMED = ["resnet50", "squeezenet1_0", "resnext50_32x4d", "wide_resnet50_2", "densenet169", "resnet34"]


def shapes(net):
    return {name: tuple(x.shape) for name, x in net.state_dict().items()}


def seeded():
    microgad.manual_seed(1)
    torch.manual_seed(1)


def same_values(mine, other):
    assert list(mine.state_dict()) == list(other.state_dict())
    for (name, a), b in zip(mine.state_dict().items(), other.state_dict().values(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize(("name", "side"), RUN)
def test_values_and_outputs(name, side):
    seeded()
    mine = getattr(models, name)(**SMALL)
    other = getattr(theirs, name)(**SMALL)
    same_values(mine, other)
    assert repr(mine) == repr(other)
    assert microgad.get_rng_state().array.tobytes() == torch.get_rng_state().numpy().tobytes()
    x = np.random.default_rng(0).standard_normal((2, 3, side, side)).astype(np.float32)
    mine.load_state_dict({k: microgad.tensor(v.numpy()) for k, v in other.state_dict().items()})
    a, b = mine.eval()(microgad.tensor(x)), other.eval()(torch.tensor(x))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", NAMED)
def test_names_and_shapes(name):
    with torch.device("meta"):
        other = getattr(theirs, name)(**SMALL)
    mine = getattr(models, name)(**SMALL)
    assert shapes(mine) == shapes(other)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in other.named_parameters()]


@pytest.mark.parametrize(("depth", "batch_norm"), [(11, True), (13, False), (16, False), (16, True), (19, True)])
def test_features_of_vgg(depth, batch_norm):
    name = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"
    with torch.device("meta"):
        other = getattr(theirs, name)().features
    assert repr(models.vgg.make_layers(models.vgg._PLANS[depth].split(), batch_norm)) == repr(other)


@pytest.mark.parametrize(("name", "side"), [("ResNet", 8), ("DenseNet", 32), ("MobileNetV2", 64)])
def test_small_ones_train_alike(name, side):
    def small(library, networks):
        if name == "ResNet":
            block = networks.resnet.Bottleneck
            return networks.ResNet(block, [1, 1, 1, 1], 5, True, replace_stride_with_dilation=[False, True, True])
        if name == "DenseNet":
            return networks.DenseNet(4, (1, 2), num_init_features=8, num_classes=5)
        return networks.MobileNetV2(5, 0.25, dropout=0.5)

    losses = []
    seeded()
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


@pytest.mark.parametrize("options", [{"weights": "DEFAULT"}, {"pretrained": True}, {"weights": "IMAGENET1K_V1"}])
def test_nothing_is_downloaded(options):
    with pytest.raises(NotImplementedError, match=r"resnet18: weights=.* would be downloaded"):
        models.resnet18(**options)
    assert models.resnet18(weights=None, **SMALL).fc.out_features == 7

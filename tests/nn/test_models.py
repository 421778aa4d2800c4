"""Inception v3, GoogLeNet: sizes, heads, weights. Sizes of other families. tests/parity has torchvision's values."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import microgad as torch
from microgad import models
from microgad.models import GoogLeNet_Weights, Inception_V3_Weights, weights
from microgad.models.inception import BasicConv2d, InceptionA

# The smallest images, and those in training mode; the parameters, with 1000 classes, without and with auxiliary heads.
SIZES = {"inception_v3": (75, 299, 23_834_568, 27_161_264), "googlenet": (15, 15, 6_624_904, 13_004_888)}


@pytest.mark.host("on the meta device")
@pytest.mark.parametrize("name", SIZES)
def test_numbers_of_parameters_and_shapes(name: str) -> None:
    smallest, training, plain, with_heads = SIZES[name]
    with torch.device("meta"):
        for aux_logits, count in ((False, plain), (True, with_heads)):
            net = models.get_model(name, aux_logits=aux_logits, init_weights=True, transform_input=True)
            assert sum(p.numel() for p in net.parameters()) == count
            outputs = net(torch.zeros(2, 3, training, training))
            shapes = [x.shape for x in outputs] if aux_logits else [outputs.shape]
            assert shapes == [(2, 1000)] * (1 + aux_logits * (1 if name == "inception_v3" else 2))
            assert net.eval()(torch.zeros(1, 3, smallest, smallest)).shape == (1, 1000)
            with pytest.raises(RuntimeError, match="size"):
                net(torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize(
    ("name", "count"),
    [("mnasnet0_5", 2_218_512), ("mnasnet1_3", 6_282_256), ("regnet_y_400mf", 4_344_144), ("regnet_x_8gf", 39_572_648),
     ("regnet_y_128gf", 644_812_894), ("swin_t", 28_288_354), ("swin_b", 87_768_224), ("swin_v2_s", 49_737_442),
     ("maxvit_t", 30_919_624)],
)  # fmt: skip
@pytest.mark.host("on the meta device")
def test_numbers_of_parameters_are_the_published_ones(name: str, count: int) -> None:
    with torch.device("meta"):
        net = models.get_model(name)
    assert sum(p.numel() for p in net.parameters()) == count


def test_shifted_windows_see_neighbors_only_in_the_image() -> None:
    """Pixels that the cyclic shift brings together from opposite edges don't see each other."""
    attention = models.swin_transformer.ShiftedWindowAttention(4, [2, 3], [1, 1], 2)
    x = torch.rand(1, 5, 6, 4, requires_grad=True)  # padded to 6 rows
    y = attention(x)
    rows, columns = torch.tensor([0, 1, 1, 2, 2]), torch.tensor([0, 1, 1, 1, 2, 2])  # of the windows
    for i, j in ((0, 0), (0, 4), (1, 2), (2, 5), (4, 3), (4, 5)):
        (grad,) = torch.autograd.grad(y[0, i, j].sum(), x, retain_graph=True)
        seen = (rows == rows[i])[:, None] & (columns == columns[j])
        assert torch.equal(grad[0].abs().amax(-1) > 1e-6, seen)


@pytest.mark.parametrize("kind", ["window", "grid"])
def test_partitions_of_maxvits_are_windows_or_grids(kind: str) -> None:
    types = torch.nn.GELU, torch.nn.LayerNorm
    layer = models.maxvit.PartitionAttentionLayer(4, 2, 2, kind, (6, 6), 2, *types, 0.0, 0.0, 0.0)
    x = torch.rand(1, 4, 6, 6, requires_grad=True)
    (grad,) = torch.autograd.grad(layer(x)[0, 0, 1, 5], x)
    part = torch.arange(6) // 2 if kind == "window" else torch.arange(6) % 3
    assert torch.equal(grad[0].abs().amax(0) > 1e-6, (part == part[1])[:, None] & (part == part[5]))


def test_trained_weights_set_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inception v3 keeps its auxiliary head; GoogLeNet has untrained ones, and drops them unless they are asked for."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(weights, "load", lambda path: state)
    monkeypatch.setattr("os.path.isfile", lambda path: True)
    state |= models.inception_v3(init_weights=False).state_dict()
    net: Any = models.inception_v3(weights=Inception_V3_Weights.DEFAULT)
    assert (net.transform_input, net.aux_logits, net.AuxLogits is None) == (True, True, False)
    assert torch.equal(net.fc.weight, state["fc.weight"])
    state.clear()
    state |= models.googlenet(init_weights=False).state_dict()
    net = models.googlenet(weights=GoogLeNet_Weights.DEFAULT, transform_input=False)
    assert (net.transform_input, net.aux_logits, net.aux1, net.aux2) == (False, False, None, None)
    assert torch.equal(net.fc.weight, state["fc.weight"])
    with pytest.warns(UserWarning, match="auxiliary heads .* are NOT pretrained"):
        net = models.googlenet(weights=GoogLeNet_Weights.DEFAULT, aux_logits=True)
    assert net.transform_input
    assert torch.equal(net.aux2.fc2.weight, state["aux2.fc2.weight"])
    for build in (models.inception_v3, models.googlenet):
        for option, value in (("aux_logits", False), ("init_weights", True)):
            with pytest.raises(
                ValueError, match=f"The parameter '{option}' expected value {not value} but got {value}"
            ):
                build(weights="DEFAULT", **{option: value})


def test_blocks_of_a_program_take_the_place_of_others() -> None:
    class MaxPooled(InceptionA):
        """As in networks for the Fréchet inception distance."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pooled = self.branch_pool(torch.nn.functional.max_pool2d(x, kernel_size=3, stride=1, padding=1))
            return torch.cat([*self._forward(x)[:3], pooled], 1)

    with warnings.catch_warnings(record=True) as heard, torch.device("meta"):
        warnings.simplefilter("always")
        net: Any = models.inception_v3(num_classes=8, aux_logits=False)
        net.Mixed_5b = MaxPooled(192, pool_features=32, conv_block=BasicConv2d)
        assert net(torch.zeros(2, 3, 75, 75)).shape == (2, 8)
    assert [each.category for each in heard] == [FutureWarning]


def test_models_are_found_by_name() -> None:
    assert models.list_models(models.inception) == ["inception_v3"]
    assert {"googlenet", "inception_v3"} <= {*models.list_models()}
    assert models.get_model_weights("inception_v3") is Inception_V3_Weights
    assert models.get_model_weights(models.googlenet) is GoogLeNet_Weights
    with pytest.raises(NotImplementedError, match=r"put inception_v3_google-0cc3c7bd\.pth into"):
        models.inception_v3(weights="DEFAULT")

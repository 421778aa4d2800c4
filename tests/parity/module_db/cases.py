"""Cases of layers that module_db lacks, and further cases of some that it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.testing import make_tensor
from torch.testing._internal.common_modules import FunctionInput, ModuleInfo, ModuleInput

Make = Callable[..., torch.Tensor]  # a shape -> a Tensor


class Case:
    """The constructor's arguments of a layer and, by a call, those of its forward.

    The call's argument makes them from a function that makes random Tensors.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.constructor = FunctionInput(*args, **kwargs)

    def __call__(self, arguments: Callable[[Make], Any]) -> Case:
        self.arguments = arguments
        return self

    def module_input(self, make: Make) -> ModuleInput:
        args = self.arguments(make)
        return ModuleInput(self.constructor, FunctionInput(*(args if isinstance(args, tuple) else (args,))))


def layer(cls: Any, *cases: Case, **settings: Any) -> ModuleInfo:
    """An entry like those of module_db, for a layer's class and cases."""

    def inputs(info: Any, device: Any, dtype: Any, requires_grad: bool, training: bool, **kwargs: Any) -> Any:
        make = partial(make_tensor, device=device, dtype=dtype, requires_grad=requires_grad)
        return [case.module_input(make) for case in cases]

    return ModuleInfo(cls, module_inputs_func=inputs, **settings)


def integers(*shape: int, low: int = 0, high: int) -> torch.Tensor:
    """Random integers, the same for each dtype."""
    return torch.randint(low, high, shape)


def probabilities(x: Make, *shape: int) -> torch.Tensor:
    return x(*shape).detach().softmax(-1)


def pooled(pool: Any, *sizes: int, output_size: bool = False) -> Callable[[Make], Any]:
    """The arguments of an unpooling: results of a max pooling by 2 and, if `output_size`, the input's size."""

    def arguments(x: Make) -> Any:
        values, indices = pool(x(2, 3, *sizes).detach(), 2, return_indices=True)
        return values.requires_grad_(), indices, *([torch.Size((2, 3, *sizes))] if output_size else [])

    return arguments


def of(*shapes: tuple[int, ...]) -> Callable[[Make], Any]:
    """The arguments of forward: one random Tensor per shape."""
    return lambda x: tuple(x(*shape) for shape in shapes)


nn, F = torch.nn, torch.nn.functional
IMAGE, LINE, BOX = (2, 4, 7, 6), (2, 4, 9), (2, 4, 5, 4, 6)
MODES = ("zeros", "reflect", "replicate", "circular")

torch.manual_seed(0)  # some cases contain layers, which are initialized here

DROPOUT = [
    layer(cls, *[Case(*args)(of(shape)) for args in ((), (0.2,), (0.0,), (1.0,))], train_and_eval_differ=True)
    for cls, shape in [
        (nn.Dropout, (3, 5)), (nn.Dropout1d, LINE), (nn.Dropout2d, IMAGE), (nn.Dropout3d, BOX),
        (nn.AlphaDropout, (3, 5)), (nn.FeatureAlphaDropout, IMAGE),
    ]
]  # fmt: skip

IN_PLACE = [
    layer(cls, Case(*args, inplace=True)(of((3, 4))))
    for cls, *args in [
        (nn.ReLU,), (nn.ReLU6,), (nn.ELU, 1.5), (nn.CELU, 1.5), (nn.SELU,), (nn.SiLU,), (nn.Mish,), (nn.Hardswish,),
        (nn.LeakyReLU, 0.2), (nn.Hardtanh, -0.5, 0.7), (nn.Threshold, 0.1, -2.0), (nn.Hardsigmoid,), (nn.Dropout, 0.3),
        (nn.RReLU,),
    ]
]  # fmt: skip

CONV = [
    layer(
        cls,
        *[Case(4, 6, 3, padding=(n, *[1] * (n - 1)), padding_mode=mode)(of(shape)) for mode in MODES],
        Case(4, 6, (3, 2, 1)[:n], padding="same", dilation=2, padding_mode="reflect", bias=False)(of(shape)),
        Case(4, 2, 2, 2, "valid", groups=2)(of(shape)),
        Case(4, 8, (1, 3, 2)[:n], (2, 1, 2)[:n], 0, 1, 4)(of(shape[1:])),
    )
    for n, cls, shape in [(1, nn.Conv1d, LINE), (2, nn.Conv2d, IMAGE), (3, nn.Conv3d, BOX)]
]

UP = [
    layer(
        cls,
        Case(4, 6, 3, 2, 1, 1, groups=2)(of(shape)),
        Case(4, 3, (2, 3, 1)[:n], (3, 2, 2)[:n], bias=False, dilation=(1, 2, 1)[:n])(of(shape[1:])),
        Case(4, 3, 3, stride=2, padding=1)(lambda x, shape=shape: (x(*shape), [2 * s for s in shape[2:]])),
        Case(4, 3, 3, stride=2)(lambda x, shape=shape: (x(*shape), [2, 3, *(2 * s + 1 for s in shape[2:])])),
    )
    for n, cls, shape in [(1, nn.ConvTranspose1d, LINE), (2, nn.ConvTranspose2d, IMAGE), (3, nn.ConvTranspose3d, BOX)]
]

LAZY = [
    layer(
        cls,
        Case()(of(shape)),
        Case(affine=True, bias=False, track_running_stats=False)(of(shape)),
        Case(1e-3, 0.2, False)(of(shape)),
        train_and_eval_differ=True,
    )
    for cls, shape in [
        (nn.LazyBatchNorm1d, LINE), (nn.LazyBatchNorm2d, IMAGE), (nn.LazyBatchNorm3d, BOX),
        (nn.LazyInstanceNorm1d, LINE), (nn.LazyInstanceNorm2d, IMAGE), (nn.LazyInstanceNorm3d, BOX),
    ]
]  # fmt: skip

NORM = [
    layer(
        cls,
        Case(4, momentum=None)(of(shape)),
        Case(4, 1e-3, 0.3, affine=False)(of(shape)),
        Case(4, affine=True, bias=False)(of(shape)),
        Case(4, affine=True, track_running_stats=False)(of(shape)),
        Case(4, affine=True, track_running_stats=True)(of(shape)),
        train_and_eval_differ=True,
    )
    for cls, shape in [
        (nn.BatchNorm1d, LINE), (nn.BatchNorm1d, (5, 4)), (nn.BatchNorm2d, IMAGE), (nn.BatchNorm3d, BOX),
        (nn.SyncBatchNorm, IMAGE), (nn.InstanceNorm1d, LINE), (nn.InstanceNorm2d, IMAGE), (nn.InstanceNorm3d, BOX),
        (nn.InstanceNorm2d, IMAGE[1:]),
    ]
]  # fmt: skip

UNPOOL = [
    layer(
        cls,
        Case(2)(pooled(pool, *sizes)),
        Case(2, 2)(pooled(pool, *sizes)),
        Case((2,) * n)(pooled(pool, *(size + 1 for size in sizes), output_size=True)),
    )
    for n, cls, pool, sizes in [
        (1, nn.MaxUnpool1d, F.max_pool1d, (8,)),
        (2, nn.MaxUnpool2d, F.max_pool2d, (6, 4)),
        (3, nn.MaxUnpool3d, F.max_pool3d, (4, 2, 6)),
    ]
]

POOL = [
    layer(nn.MaxPool1d, Case(3, 2, 1, 1, True, True)(of(LINE)), Case((2,), dilation=2)(of(LINE[1:]))),
    layer(nn.MaxPool2d, Case((3, 2), 2, (1, 0), 1, True, True)(of(IMAGE)), Case(2, dilation=2)(of(IMAGE[1:]))),
    layer(nn.MaxPool3d, Case(2, (2, 1, 2), 1, return_indices=True, ceil_mode=True)(of(BOX)), Case(2)(of(BOX[1:]))),
    layer(nn.AvgPool1d, Case(3, 2, 1, True, False)(of(LINE))),
    layer(nn.AvgPool2d, Case(3, (2, 1), 1, True, False, 5)(of(IMAGE))),
    layer(nn.AvgPool3d, Case((3, 2, 2), 2, (1, 0, 1), True, False, 5)(of(BOX))),
    layer(nn.LPPool1d, Case(2, 3, stride=2, ceil_mode=True)(of(LINE))),
    layer(nn.LPPool2d, Case(2.0, (3, 2), 2, True)(of(IMAGE))),
    layer(nn.AdaptiveMaxPool1d, Case(4, True)(of(LINE))),
    layer(nn.AdaptiveMaxPool2d, Case((3, None), True)(of(IMAGE)), Case(2)(of(IMAGE[1:]))),
    layer(nn.AdaptiveMaxPool3d, Case((3, None, 2), True)(of(BOX))),
    layer(nn.AdaptiveAvgPool2d, Case((3, None))(of(IMAGE)), Case(2)(of(IMAGE[1:]))),
    layer(nn.AdaptiveAvgPool3d, Case((3, None, 2))(of(BOX))),
    layer(nn.FractionalMaxPool2d, Case(2, output_size=(3, 2), return_indices=True)(of(IMAGE))),
    layer(nn.FractionalMaxPool3d, Case((2, 1, 2), output_ratio=(0.5, 0.7, 0.5))(of(BOX))),
]

SHAPES = [
    layer(nn.Identity, Case(3, a=4)(of((2, 3)))),
    layer(nn.Flatten, Case()(of(IMAGE)), Case(0)(of(IMAGE)), Case(1, 2)(of(IMAGE)), Case(-2, -1)(of(IMAGE))),
    layer(nn.Unflatten, Case(1, (2, 2))(of(IMAGE)), Case(-1, [3, -1])(of(IMAGE)), Case(0, (2, 1))(of(LINE))),
    layer(nn.Fold, Case((4, 5), (2, 3), 1, 0, 1)(of((2, 12, 9))), Case(4, 2, stride=2)(of((12, 4)))),
    layer(nn.Unfold, Case((2, 3), 1, 1, 2)(of(IMAGE)), Case(2, dilation=2)(of(IMAGE[1:]))),
    layer(nn.PixelShuffle, Case(2)(of(IMAGE)), Case(2)(of(IMAGE[1:]))),
    layer(nn.PixelUnshuffle, Case(2)(of((2, 3, 4, 6)))),
    layer(nn.ChannelShuffle, Case(2)(of(IMAGE))),
    layer(
        nn.Upsample,
        Case(scale_factor=2)(of(IMAGE)),
        Case((9, 11))(of(IMAGE)),
        Case(12, mode="linear")(of(LINE)),
        Case(scale_factor=(1.5, 2.0), mode="bilinear", align_corners=True)(of(IMAGE)),
        Case(scale_factor=1.7, mode="bicubic", recompute_scale_factor=True)(of(IMAGE)),
        Case(scale_factor=2, mode="trilinear")(of(BOX)),
    ),
    layer(nn.UpsamplingNearest2d, Case(scale_factor=2)(of(IMAGE)), Case((5, 9))(of(IMAGE))),
    layer(nn.UpsamplingBilinear2d, Case(scale_factor=2)(of(IMAGE)), Case((5, 9))(of(IMAGE))),
    layer(nn.CosineSimilarity, Case()(of((3, 4), (3, 4))), Case(0, 1e-3)(of((3, 4), (4,)))),
    layer(nn.PairwiseDistance, Case()(of((3, 4), (3, 4))), Case(1.0, 1e-3, True)(of((3, 4), (3, 4)))),
    layer(nn.CrossMapLRN2d, Case(3)(of(IMAGE)), Case(2, 0.1, 0.5, 2)(of(IMAGE)), Case(5, 1.0)(of((2, 9, 2, 3)))),
    layer(nn.LazyLinear, Case(3)(of((2, 5))), Case(3, False)(of((2, 3, 5)))),
    layer(nn.Hardsigmoid, Case()(of((3, 4)))),
    layer(nn.RReLU, Case()(of((3, 4))), Case(0.2, 0.4)(of((3, 4))), train_and_eval_differ=True),
    layer(nn.GroupNorm, Case(2, 4, affine=False)(of(IMAGE)), Case(2, 4, bias=False)(of(LINE))),
    layer(
        nn.LayerNorm,
        Case([7, 6], 1e-3)(of(IMAGE)),
        Case(6, bias=False)(of(IMAGE)),
        Case((6,), elementwise_affine=False)(of(IMAGE)),
    ),
]

LOSSES = [
    layer(
        nn.TripletMarginLoss,
        Case()(of((3, 4), (3, 4), (3, 4))),
        Case(0.5, 1.0, 1e-3, True, reduction="sum")(of((3, 4), (3, 4), (3, 4))),
        Case(reduction="none")(of((4,), (4,), (4,))),
    ),
    layer(
        nn.TripletMarginWithDistanceLoss,
        Case()(of((3, 4), (3, 4), (3, 4))),
        Case(distance_function=nn.PairwiseDistance(1.0), swap=True, reduction="none")(of((3, 4), (3, 4), (3, 4))),
    ),
    layer(
        nn.AdaptiveLogSoftmaxWithLoss,
        Case(16, 10, [2, 5])(lambda x: (x(6, 16), integers(6, high=10))),
        Case(16, 10, [3], 2.0, True)(lambda x: (x(6, 16), integers(6, high=3))),
        Case(16, 10, (4, 6, 8))(lambda x: (x(16), integers(high=10))),
    ),
    layer(nn.MSELoss, Case(size_average=False)(of((3, 4), (3, 4))), Case(reduce=False)(of((3, 4), (3, 4)))),
    layer(nn.NLLLoss2d, Case()(lambda x: (x(2, 4, 3, 3), integers(2, 3, 3, high=4)))),
    layer(nn.KLDivLoss, Case(reduction="batchmean")(lambda x: (x(3, 4), probabilities(x, 3, 4)))),
    layer(nn.CrossEntropyLoss, Case(label_smoothing=0.1)(lambda x: (x(3, 4, 2), integers(3, 2, high=4)))),
    layer(nn.BCEWithLogitsLoss, Case(pos_weight=torch.ones(4))(lambda x: (x(3, 4), probabilities(x, 3, 4)))),
]

TABLES = [
    layer(
        nn.Embedding,
        Case(7, 3, padding_idx=-1)(lambda x: integers(2, 4, high=7)),
        Case(7, 3, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True)(lambda x: integers(5, high=7)),
        Case(3, 2, _weight=torch.arange(6.0).reshape(3, 2), _freeze=True)(lambda x: integers(5, high=3)),
    ),
    layer(
        nn.EmbeddingBag,
        Case(7, 3)(lambda x: integers(2, 4, high=7)),
        Case(7, 3, mode="sum", padding_idx=2)(lambda x: (integers(6, high=7), torch.tensor([0, 2, 5]))),
        Case(7, 3, mode="max", include_last_offset=True)(lambda x: (integers(6, high=7), torch.tensor([0, 2, 6]))),
        Case(7, 3, max_norm=1.0, norm_type=3.0)(lambda x: integers(2, 4, high=7)),
        Case(7, 3, mode="sum")(lambda x: (integers(2, 4, high=7), None, x(2, 4))),
    ),
]


def net(*layers: nn.Module) -> Case:
    return Case(*layers)(of((2, 3)))


CONTAINERS = [
    layer(nn.Sequential, net(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2), nn.Tanh())), net()),
    layer(nn.ModuleList, Case([nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.Conv2d(1, 1, 1)), nn.ReLU()])(of())),
    layer(nn.ModuleDict, Case({"b": nn.Linear(2, 2), "a": nn.ModuleList([nn.ReLU()])})(of())),
    layer(nn.ParameterList, Case([torch.ones(2), torch.zeros(2, 3), "more"])(of()), Case()(of())),
    layer(nn.ParameterDict, Case({"b": torch.ones(2), "a": torch.zeros(2, 3), "c": 3})(of()), Case()(of())),
]

STACKS = [
    layer(
        nn.TransformerDecoder,
        Case(nn.TransformerDecoderLayer(4, 2, 8, 0.0), 2)(of((2, 3, 4), (5, 3, 4))),
        Case(nn.TransformerDecoderLayer(4, 2, 8, 0.0, norm_first=True), 1, nn.LayerNorm(4))(of((2, 3, 4), (5, 3, 4))),
    ),
]

CASES = [
    *DROPOUT, *IN_PLACE, *CONV, *UP, *LAZY, *NORM, *UNPOOL, *POOL, *SHAPES, *LOSSES, *TABLES, *CONTAINERS, *STACKS,
]  # fmt: skip

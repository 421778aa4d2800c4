"""Methods of containers and layers that checks.py doesn't call, as programs that both libraries run, and errors."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch

import microgad
from tests.parity.op_db.compare import same


def sequential_as_a_list(t, nn):
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Tanh())
    yield repr(net[1:3]), [name for name, _ in net[1:].named_parameters()], repr(net[-1]), repr(net[::2]), len(net)
    yield repr(net.append(nn.ELU())), repr(net.insert(1, nn.Dropout())), repr(net.insert(-1, nn.Identity()))
    yield repr(net.extend([nn.SELU(), nn.Mish()])), repr(net.pop(0)), repr(net.pop(-1)), repr(net)
    net[0] = nn.GELU()
    del net[1]
    del net[2:4]
    yield repr(net), list(net.state_dict()), [name for name, _ in net.named_children()]
    pair = nn.Sequential(nn.Linear(1, 1)) + nn.Sequential(nn.ReLU())
    yield repr(pair), repr(pair * 2), repr(2 * pair), pair[0] is (pair * 2)[2]
    pair += nn.Sequential(nn.Tanh())
    pair *= 2
    yield repr(pair), list(pair.state_dict())


def sequential_with_names(t, nn):
    net = nn.Sequential(OrderedDict([("fc", nn.Linear(2, 3)), ("act", nn.ReLU()), ("out", nn.Linear(3, 1))]))
    yield repr(net), repr(net[:2]), list(net.state_dict()), repr(net.fc), repr(net[1])
    del net[1]
    yield repr(net), list(net.state_dict())


def module_list(t, nn):
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    yield repr(layers), repr(layers[1:]), len(layers), repr(layers + [nn.ReLU()])  # noqa: RUF005
    layers.append(nn.ReLU()).extend([nn.Tanh()])
    layers.insert(1, nn.Dropout())
    yield repr(layers), repr(layers.pop(1)), repr(layers.pop(-1)), layers[0] in layers
    layers += [nn.Identity()]
    layers[-2] = nn.ELU()
    del layers[0]
    yield repr(layers), list(layers.state_dict()), [type(m).__name__ for m in reversed(list(layers))]


def module_dict(t, nn):
    made = nn.ModuleDict([["b", nn.Linear(2, 2)], ["a", nn.ReLU()]])
    made["c"] = nn.Tanh()
    made.update({"d": nn.ELU(), "a": nn.Identity()})
    yield repr(made), list(made), list(made.keys()), [k for k, _ in made.items()], "a" in made, len(made)
    yield repr(made.pop("b")), repr(made), [repr(m) for m in made.values()]
    made.clear()
    yield repr(made), len(made)


def parameter_list(t, nn):
    made = nn.ParameterList([t.ones(2), nn.Parameter(t.zeros(2, 3), requires_grad=False), "more"])
    yield repr(made), len(made), [(n, p.requires_grad) for n, p in made.named_parameters()], repr(made[1:])
    made.append(t.ones(1)).extend([t.zeros(1, 1)])
    made += [3]
    made[0] = t.zeros(5)
    yield repr(made), list(made.state_dict()), made[-1], made[2], [type(x).__name__ for x in made]
    yield type(made[0]).__name__, [name for name in dir(made) if name.isdigit()]


def parameter_dict(t, nn):
    made = nn.ParameterDict({"b": t.ones(2), "a": t.zeros(2, 3), "c": "more"})
    yield repr(made), list(made), list(made.state_dict()), "a" in made, len(made), list(reversed(made))
    made["d"] = t.ones(1)
    made.update({"z": t.ones(1), "y": t.ones(2)})
    made.update([("x", t.zeros(1))])
    yield repr(made), repr(made.copy()), made.get("nothing", 3), made.setdefault("c", 4), made.setdefault("e", 5)
    yield made.pop("c"), made.popitem(), [k for k, _ in made.items()], [tuple(v.shape) for v in made.values()]
    other = made | nn.ParameterDict({"n": t.ones(3)})
    made |= nn.ParameterDict({"m": t.ones(3)})
    yield repr(other), repr(made), repr(made.fromkeys(["p", "q"], 1)), list(made.keys())
    del made["m"]
    made.clear()
    yield repr(made), list(made.state_dict())


def pretrained(t, nn):
    rows = t.arange(6.0).reshape(3, 2)
    table = nn.Embedding.from_pretrained(rows, padding_idx=1)
    bag = nn.EmbeddingBag.from_pretrained(rows, freeze=False, mode="max")
    yield table.weight.requires_grad, table(t.tensor([2, 1])), table.padding_idx, repr(table)
    yield bag.weight.requires_grad, bag(t.tensor([[2, 1]])), repr(bag)
    rows[2] = 7.0
    yield table.weight[2], bag.weight[2]


def adaptive_log_softmax(t, nn):
    layer = nn.AdaptiveLogSoftmaxWithLoss(16, 12, [2, 5, 9], div_value=2.0)
    x = t.rand(7, 16)
    yield layer.log_prob(x), layer.predict(x), layer(x, layer.predict(x)), layer(x, layer.predict(x)).loss
    layer.reset_parameters()
    yield layer.head.weight, layer.tail[1][0].weight, layer.tail[2][1].weight
    with t.no_grad():
        layer.head.weight[:2].fill_(0)
    yield layer.predict(x), layer.predict(x[:1])


def convert_sync_batchnorm(t, nn):
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3, affine=False))).eval()
    norm = net[1]
    made = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    yield repr(made), made is net, made[1].weight is norm.weight, made[1].running_mean is norm.running_mean
    yield (
        made[1].training,
        list(made.state_dict()),
        made(t.rand(2, 1, 3, 3)),
        repr(nn.SyncBatchNorm(2)(t.rand(4, 2)).shape),
    )


def deprecated_names_of_initializers(t, nn):
    for name in ("uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "eye"):
        with pytest.warns(FutureWarning, match=f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`."):
            yield getattr(nn.init, name)(t.empty(3, 4))
    with pytest.warns(FutureWarning):
        yield nn.init.constant(t.empty(2), 3.0), nn.init.dirac(t.empty(2, 2, 3)), nn.init.sparse(t.empty(4, 4), 0.5)
    yield nn.init._calculate_correct_fan(t.empty(2, 3, 4), "fan_out"), nn.init.calculate_gain("conv2d")


def internals_that_subclasses_use(t, nn):
    """Subclasses that standardize weights or check input shapes call `_conv_forward` and `_check_input_dim`."""

    class Standardized(nn.Conv2d):
        def forward(self, x):
            weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return self._conv_forward(x, weight, self.bias)

    yield Standardized(2, 3, 3, padding=1, padding_mode="circular")(t.rand(1, 2, 5, 5))
    yield nn.Conv2d(2, 3, 3, padding="same", dilation=2)._reversed_padding_repeated_twice
    causal = nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular")
    for padding in (0, (0,), (2,)):
        causal.padding = padding
        yield causal(t.rand(1, 1, 4))
    causal._reversed_padding_repeated_twice = [2, 0]
    yield causal(t.rand(1, 1, 4))

    class Own(nn.modules.conv._ConvNd):
        def __init__(self, stride=2):
            pair = nn.modules.utils._pair
            one = pair(1)
            super().__init__(4, 6, pair(3), pair(stride), one, one, False, pair(0), 2, True, padding_mode="zeros")

        def forward(self, x):
            return nn.functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)

    yield Own().weight, repr(Own()), Own().transposed, Own()(t.rand(1, 4, 5, 5))

    class Up(nn.modules.conv._ConvTransposeNd):
        def __init__(self):
            super().__init__(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), True, (0, 0), 2, True, padding_mode="zeros")

        def forward(self, x, size):
            settings = self.stride, self.padding, self.kernel_size, 2
            extra = [self._output_padding(x, size, *settings), self._output_padding(x, size, *settings, self.dilation)]
            out = nn.functional.conv_transpose2d(x, self.weight, self.bias, 3, 1, extra[1], self.groups)
            return out, extra

    yield repr(Up()), Up()(t.rand(1, 4, 3, 3), None), Up()(t.rand(1, 4, 3, 3), (6, 10))

    class Instances(nn.modules.instancenorm._InstanceNorm):
        def _check_input_dim(self, input):
            if input.dim() not in (3, 4):
                raise ValueError("wrong dimensions")

        def _get_no_batch_dim(self):
            return 3

    yield Instances(3)(t.rand(3, 2, 2)), Instances(3, affine=True)(t.rand(2, 3, 2, 2))

    class Table(nn.Embedding):
        def reset_parameters(self):
            nn.init.uniform_(self.weight)
            self._fill_padding_idx_with_zero()

    yield Table(4, 2, padding_idx=-1).weight

    class Norm(nn.modules.batchnorm._BatchNorm):
        def _check_input_dim(self, input):
            if input.dim() < 2:
                raise ValueError("too few")

    yield Norm(3)(t.rand(4, 3, 2, 2, 2)), isinstance(nn.BatchNorm1d(2), nn.modules.batchnorm._BatchNorm)
    yield isinstance(nn.Conv1d(1, 1, 1), nn.modules.conv._ConvNd), isinstance(nn.MSELoss(), nn.modules.loss._Loss)
    yield isinstance(nn.AvgPool1d(2), nn.modules.pooling._AvgPoolNd)


def buffers(t, nn):
    layer = nn.Linear(1, 1)
    layer.steps = nn.Buffer(t.zeros(2))
    layer.kept = nn.Buffer(t.ones(1), persistent=False)
    layer.steps = t.ones(2)
    yield list(layer.state_dict()), [name for name, _ in layer.named_buffers()], layer.steps, repr(layer)
    layer.steps = nn.Parameter(t.ones(1))
    yield list(layer.state_dict()), [name for name, _ in layer.named_buffers()]


PROGRAMS = [
    sequential_as_a_list, sequential_with_names, module_list, module_dict, parameter_list, parameter_dict, pretrained,
    adaptive_log_softmax, convert_sync_batchnorm, deprecated_names_of_initializers, internals_that_subclasses_use,
    buffers,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_program_yields_the_same_in_both_libraries(program):
    theirs, ours = ([*program(t, t.nn)] for t in (torch.manual_seed(0) and torch, microgad.manual_seed(0) and microgad))
    for expected, found in zip(theirs, ours, strict=True):
        same(expected, found)


ERRORS = [
    lambda t, nn: nn.Sequential(nn.ReLU())[1],
    lambda t, nn: nn.Sequential(nn.ReLU()) + [nn.ReLU()],  # noqa: RUF005
    lambda t, nn: nn.Sequential(nn.ReLU()) * 0,
    lambda t, nn: nn.Sequential(nn.ReLU()) * 1.5,
    lambda t, nn: nn.Sequential(3),
    lambda t, nn: nn.Sequential().insert(3, nn.ReLU()),
    lambda t, nn: nn.ModuleList([nn.ReLU()])[2],
    lambda t, nn: nn.ModuleList(nn.ReLU()),
    lambda t, nn: nn.ModuleList()(1),
    lambda t, nn: nn.ModuleDict({"a.b": nn.ReLU()}),
    lambda t, nn: nn.ModuleDict({"a": nn.ReLU()})["b"],
    lambda t, nn: nn.ModuleDict(3),
    lambda t, nn: nn.ParameterList([1])[1],
    lambda t, nn: nn.ParameterList(t.ones(2)),
    lambda t, nn: nn.ParameterList()(1),
    lambda t, nn: nn.ParameterDict({"a": 1})["b"],
    lambda t, nn: nn.ParameterDict({3: 1}),
    lambda t, nn: nn.ParameterDict(3),
    lambda t, nn: nn.ParameterDict([(1, 2, 3)]),
    lambda t, nn: nn.ParameterDict()(1),
    lambda t, nn: nn.Conv2d(3, 4, 3, groups=2),
    lambda t, nn: nn.Conv2d(2, 2, 3, stride=2, padding="same"),
    lambda t, nn: nn.Conv1d(2, 2, 3, padding_mode="mirror"),
    lambda t, nn: nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect"),
    lambda t, nn: nn.ConvTranspose2d(2, 2, 3, 2)(t.ones(1, 2, 3, 3), output_size=[20, 20]),
    lambda t, nn: nn.ConvTranspose2d(2, 2, 3, 2)(t.ones(1, 2, 3, 3), output_size=[20]),
    lambda t, nn: nn.Conv2d(2, 2, 3)(t.ones(1, 3, 5, 5)),
    lambda t, nn: nn.BatchNorm1d(3)(t.ones(1, 3, 2, 2)),
    lambda t, nn: nn.BatchNorm1d(3)(t.ones(1, 3)),
    lambda t, nn: nn.InstanceNorm2d(3, affine=True)(t.ones(1, 4, 5, 5)),
    lambda t, nn: nn.InstanceNorm1d(3)(t.ones(3)),
    lambda t, nn: nn.GroupNorm(2, 3),
    lambda t, nn: nn.Softmax2d()(t.ones(2, 2)),
    lambda t, nn: nn.CircularPad1d(1)(t.ones(2)),
    lambda t, nn: nn.Hardtanh(2, 1),
    lambda t, nn: nn.Dropout(1.5),
    lambda t, nn: nn.Dropout2d(-0.1),
    lambda t, nn: nn.FractionalMaxPool2d(2),
    lambda t, nn: nn.FractionalMaxPool2d(2, 3, 0.5),
    lambda t, nn: nn.FractionalMaxPool3d(2, output_ratio=1.5),
    lambda t, nn: nn.Embedding(3, 2, padding_idx=3),
    lambda t, nn: nn.Embedding(3, 2, _weight=t.ones(2, 2)),
    lambda t, nn: nn.Embedding.from_pretrained(t.ones(2)),
    lambda t, nn: nn.Embedding(3, 2)(t.tensor([3])),
    lambda t, nn: nn.EmbeddingBag(3, 2)(t.tensor([1, 2])),
    lambda t, nn: nn.Bilinear(0, 2, 3),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, []),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2, 5]),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(16, 5, [2])(t.ones(2, 16), t.tensor([5, 1])),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(16, 5, [2])(t.ones(3, 16), t.tensor([0, 1])),
    lambda t, nn: nn.AdaptiveLogSoftmaxWithLoss(16, 5, [2])(t.ones(16), t.tensor([0, 1])),
    lambda t, nn: nn.TripletMarginLoss(margin=0),
    lambda t, nn: nn.TripletMarginWithDistanceLoss(margin=-1),
    lambda t, nn: nn.MultiMarginLoss(p=3),
    lambda t, nn: nn.HuberLoss(delta="much"),
    lambda t, nn: nn.LinearCrossEntropyLoss(3, 2, label_smoothing=2),
    lambda t, nn: nn.CrossMapLRN2d(3)(t.ones(2, 3)),
    lambda t, nn: nn.Unflatten(1, 3),
    lambda t, nn: nn.Unflatten(1, (2, 2))(t.ones(2, 3)),
    lambda t, nn: nn.init.xavier_uniform_(t.empty(3)),
    lambda t, nn: nn.init.eye_(t.empty(3)),
    lambda t, nn: nn.init.dirac_(t.empty(3, 3)),
    lambda t, nn: nn.init.dirac_(t.empty(3, 3, 3), 2),
    lambda t, nn: nn.init.kaiming_normal_(t.empty(3, 3), mode="fan"),
    lambda t, nn: nn.init.calculate_gain("swish"),
    lambda t, nn: nn.init.calculate_gain("leaky_relu", "much"),
    lambda t, nn: nn.init.orthogonal_(t.empty(3)),
    lambda t, nn: nn.init.sparse_(t.empty(3), 0.1),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_error_has_the_class_of_torchs(number):
    program = ERRORS[number]
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        program(torch, torch.nn)
    with pytest.raises(type(theirs.value)) as ours:
        program(microgad, microgad.nn)
    assert str(ours.value)

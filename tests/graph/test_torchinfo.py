"""`summary` prints the table of torchinfo, character for character."""

from __future__ import annotations

import pytest

import microgad
from microgad.graph import summary

from ..processes import run

torch = pytest.importorskip("torch")
torchinfo = pytest.importorskip("torchinfo")
COLUMNS = ("input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds", "trainable")


def shared(torch):
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.ModuleList([nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, groups=2, padding=1)])
            self.act, self.norm = nn.ReLU(), nn.BatchNorm2d(8)
            self.same = nn.ModuleDict({"a": nn.Sequential(nn.Linear(8, 8), self.act), "b": nn.Linear(8, 4)})
            self.scale = nn.Parameter(torch.ones(4))
            self.features[0].bias.requires_grad_(False)
            for p in self.norm.parameters():
                p.requires_grad_(False)

        def forward(self, x):
            for layer in self.features:
                x = self.act(self.norm(layer(x)))
            x = x.mean((2, 3))
            return self.same["b"](self.same["a"](self.same["a"](x))) * self.scale

    return Net()


def residual(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, n, m, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(n, m, 3, stride, 1, bias=False), nn.BatchNorm2d(m)
            self.conv2, self.bn2 = nn.Conv2d(m, m, 3, 1, 1, bias=False), nn.BatchNorm2d(m)
            self.relu = nn.ReLU(inplace=True)
            self.downsample = None
            if stride != 1 or n != m:
                self.downsample = nn.Sequential(nn.Conv2d(n, m, 1, stride, bias=False), nn.BatchNorm2d(m))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + (x if self.downsample is None else self.downsample(x)))

    class ResNet18(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
            self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
            sizes = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
            for i, (n, m, stride) in enumerate(sizes):
                setattr(self, f"layer{i + 1}", nn.Sequential(Block(n, m, stride), Block(m, m, 1)))
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(512, 1000)

        def forward(self, x):
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(self.avgpool(x).flatten(1))

    return ResNet18()


def recurrent(torch):
    nn = torch.nn

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(20, 6)
            self.rnn = nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)
            self.out = nn.Linear(10, 3)

        def forward(self, x):
            return self.out(self.rnn(self.embed(x))[0])

    return Tagger()


def transformer(torch):
    return torch.nn.Transformer(16, 2, 2, 2, 32, batch_first=True)


def perceptron(torch):
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(3, 2)))


CASES = [
    (shared, {"input_size": (2, 1, 8, 8)}),
    (residual, {"input_size": (1, 3, 64, 64)}),
    (recurrent, {"input_size": (2, 7), "dtypes": ["long"]}),
    (transformer, {"input_size": [(2, 5, 16), (2, 4, 16)]}),
    (perceptron, {"input_size": (4,), "batch_dim": 0}),
    (shared, {}), (transformer, {}),
]  # fmt: skip
OPTIONS = [
    {}, {"depth": 1}, {"depth": 2, "row_settings": ("var_names", "ascii_only")}, {"verbose": 2},
    {"col_names": COLUMNS, "row_settings": ("depth", "var_names")}, {"col_names": COLUMNS, "depth": 1, "col_width": 16},
    {"row_settings": ("hide_recursive_layers",)}, {"mode": "train"},
]  # fmt: skip


def both(make, arguments):
    """The model and its summary, by torchinfo and by microgad."""
    found = []
    for library, summarize in ((torch, torchinfo.summary), (microgad, summary)):
        given = dict(arguments)
        if "dtypes" in given:
            given["dtypes"] = [getattr(library, name) for name in given["dtypes"]]
        model = make(library)
        found.append((model, summarize(model, **given)))
    return found


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("make", "arguments"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_summary_prints_what_torchinfo_prints(make, arguments, options, capsys):
    if "col_names" in options and not arguments:
        options = options | {"col_names": ("num_params", "params_percent", "kernel_size", "trainable")}
    torch.manual_seed(0)
    (_, theirs), (model, mine) = both(make, arguments | {"verbose": 0} | options)
    # torchinfo prints the name of an enum in place of the unit's first letter.
    expected = str(theirs)
    for unit in ("MEGABYTES", "GIGABYTES", "TERABYTES"):
        expected = expected.replace(f"Units.{unit}", unit[0])
    assert str(mine).splitlines() == expected.splitlines()
    for name in (
        "total_params", "trainable_params", "total_mult_adds", "total_output_bytes", "total_param_bytes",
    ):  # fmt: skip
        assert getattr(mine, name) == getattr(theirs, name), name
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_input_data_by_position_and_by_name(capsys):
    class Net(microgad.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = microgad.nn.Linear(3, 2)

        def forward(self, x, mask, scale=1.0):
            return self.fc(x) * mask * scale

    x, mask = microgad.ones(4, 3), microgad.ones(4, 2, dtype=microgad.float64)
    by_position = summary(Net(), input_data=[x, mask], verbose=0, scale=2.0)
    by_name = summary(Net(), input_data={"x": x, "mask": mask}, verbose=0)
    assert str(by_position) == str(by_name)
    assert by_position.total_input == 4 * 3 * 4 + 4 * 2 * 8
    assert by_position.input_size == [(4, 3), (4, 2)]
    assert capsys.readouterr().out == ""
    assert str(summary(Net(), input_data=[x, mask], verbose=1)) == capsys.readouterr().out.rstrip("\n")


def test_errors_of_the_model_and_invalid_arguments():
    net = microgad.nn.Sequential(microgad.nn.Linear(3, 2), microgad.nn.ReLU(), microgad.nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match=r"the model failed, after Linear: 1, ReLU: 1|Linear: 1-0, ReLU"):
        summary(net, (1, 3), verbose=0)
    assert not net[0]._forward_hooks
    assert net.training
    for error, message, arguments in [
        (ValueError, "verbose must be 0", {"verbose": 3}),
        (ValueError, "col_width must be greater than 0, got 0", {"col_width": 0}),
        (ValueError, "columns mult_adds need", {"col_names": ("mult_adds",)}),
        (ValueError, "'flops' is not a valid ColumnSettings", {"col_names": ("flops",)}),
        (ValueError, "'test' is not a valid Mode", {"mode": "test"}),
        (ValueError, "positive numbers", {"input_size": (1, -3)}),
        (TypeError, "input_size must be a size", {"input_size": 3}),
        (RuntimeError, "input_size or input_data, not both", {"input_size": (1, 3), "input_data": microgad.ones(1, 3)}),
    ]:
        with pytest.raises(error, match=message):
            summary(net, **arguments)


def test_programs_that_import_torchinfo_run():
    program = (
        "import microgad\n"
        "with microgad.as_torch():\n"
        "    import torchinfo, torch\n"
        "    from torchinfo import summary, ColumnSettings\n"
        "    found = summary(torch.nn.Linear(2, 3), (1, 2), verbose=0, col_names=list(ColumnSettings))\n"
        "print(found.total_params, 'Trainable' in str(found))\n"
    )
    ran = run("-c", program)
    assert (ran.stdout, ran.stderr) == ("9 True\n", "")

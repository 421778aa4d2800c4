"""Files of whole layers, functions and transforms that one library saves: the other one has the same."""

from __future__ import annotations

import io
import pickle
from collections import Counter, OrderedDict
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

import microgad
import microgad.models
import microgad.transforms

from ..processes import run

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")


class Pair(NamedTuple):
    kind: type
    value: object


VISION = {torch: torchvision, microgad: microgad}
BOTH_WAYS = pytest.mark.parametrize(("writer", "reader"), [(torch, microgad), (microgad, torch)], ids=["load", "save"])


def saved_and_loaded(writer, reader, x):
    file = io.BytesIO()
    writer.save(x, file)
    file.seek(0)
    return reader.load(file, weights_only=False)


def with_method(layer):
    layer.own, layer.other = layer.extra_repr, layer.forward
    return layer


# Layers that our files have in other places than PyTorch's.
LAYERS = {
    "softmax": lambda nn: nn.Sequential(nn.Softmax(-1), nn.LogSoftmax(-1), nn.Softmax2d(), nn.Softmin(1)),
    "attention": lambda nn: nn.MultiheadAttention(4, 2, batch_first=True),
    "encoder": lambda nn: nn.TransformerEncoderLayer(4, 2, 8, activation=nn.functional.gelu, batch_first=True),
    "lists": lambda nn: nn.ModuleList([nn.ParameterList([nn.Parameter()]), nn.ParameterDict({"a": nn.Parameter()})]),
    "shapes": lambda nn: nn.Sequential(nn.Flatten(), nn.Unflatten(1, (2, 2)), nn.PixelShuffle(1), nn.ChannelShuffle(1)),
    "losses": lambda nn: nn.ModuleList([nn.TripletMarginLoss(), nn.HingeEmbeddingLoss(), nn.CrossEntropyLoss()]),
    "methods": lambda nn: with_method(nn.Linear(2, 2)),
    "parallel": lambda nn: nn.DataParallel(nn.Linear(2, 2)),
}


@BOTH_WAYS
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_layers_are_of_the_same_classes(make, writer, reader):
    loaded = saved_and_loaded(writer, reader, make(writer.nn))
    assert [type(x) for x in loaded.modules()] == [type(x) for x in make(reader.nn).modules()]
    assert repr(loaded) == repr(make(reader.nn))


FUNCTIONS = {
    "relu": lambda lib: lib.relu,
    "a function of nn": lambda lib: lib.nn.functional.relu,
    "a function in C of nn": lambda lib: lib.nn.functional.gelu,
    "both": lambda lib: lib.nn.functional.sigmoid,
    "a partial": lambda lib: partial(lib.nn.functional.gelu, approximate="tanh"),
    "a partial of a partial": lambda lib: partial(partial(lib.nn.functional.softmax, lib.eye(3)), dim=1),
}


@BOTH_WAYS
@pytest.mark.parametrize("get", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_are_loaded_as_the_other_librarys(get, writer, reader):
    loaded = saved_and_loaded(writer, reader, {"function": get(writer)})["function"]
    x = () if isinstance(loaded, partial) and loaded.args else (reader.arange(6.0) - 2,)
    assert loaded(*x).tolist() == get(reader)(*x).tolist()


@BOTH_WAYS
def test_classes_are_loaded_as_the_other_librarys(writer, reader):
    def classes(lib):
        return [lib.Tensor, lib.nn.Parameter, lib.Size, lib.device, (list, OrderedDict), {float: Counter}, lib.nn.ReLU]

    assert saved_and_loaded(writer, reader, classes(writer)) == classes(reader)
    pair = Pair(list, writer.ones(2))
    with microgad.serialization.safe_globals([Pair]):
        assert saved_and_loaded(writer, reader, {"pair": pair})["pair"].kind is list


@BOTH_WAYS
def test_models_with_partials_of_layers_give_the_same_values(writer, reader):
    def made(lib):
        options = {"image_size": 8, "patch_size": 4, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 4}
        return VISION[lib].models.VisionTransformer(**options, num_classes=2).eval()

    net = made(writer)
    loaded = saved_and_loaded(writer, reader, net)
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    expected = net(writer.from_numpy(x)).detach().numpy()
    assert loaded.norm_layer.func is reader.nn.LayerNorm
    np.testing.assert_allclose(loaded(reader.from_numpy(x)).detach().numpy(), expected, atol=1e-6)


@BOTH_WAYS
def test_transforms_give_the_same_values(writer, reader):
    def made(lib):
        t = VISION[lib].transforms
        jitter = t.RandomApply([t.ColorJitter(0.4, 0.2)], p=0.9)
        crop = t.RandomResizedCrop(6, interpolation=t.InterpolationMode.NEAREST)
        return t.Compose([t.ToTensor(), t.Resize(8), t.RandomHorizontalFlip(), crop, jitter, t.Normalize(0.5, 0.2)])

    loaded, image = saved_and_loaded(writer, reader, made(writer)), np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    results = []
    for lib, transform in ((writer, made(writer)), (reader, loaded)):
        lib.manual_seed(3)
        results.append(transform(image).numpy())
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)
    assert repr(loaded) == repr(made(reader))


# Their attributes, which files hold, have PyTorch's names.
OBJECTS = {
    "TensorDataset": lambda lib: lib.utils.data.TensorDataset(lib.arange(4.0), lib.eye(4)),
    "Subset": lambda lib: lib.utils.data.Subset(OBJECTS["TensorDataset"](lib), [0, 2]),
    "ConcatDataset": lambda lib: lib.utils.data.ConcatDataset([OBJECTS["Subset"](lib)] * 2),
    "RandomSampler": lambda lib: lib.utils.data.RandomSampler([1, 2, 3]),
    "BatchSampler": lambda lib: lib.utils.data.BatchSampler(lib.utils.data.SequentialSampler([1, 2, 3]), 2, False),
    "DataLoader": lambda lib: lib.utils.data.DataLoader(OBJECTS["TensorDataset"](lib), 3, shuffle=True),
    "DistributedSampler": lambda lib: lib.utils.data.DistributedSampler([1, 2, 3], 2, 0),
    "Normal": lambda lib: lib.distributions.Normal(lib.zeros(2), 2.0),
    "Categorical": lambda lib: lib.distributions.Categorical(logits=lib.arange(3.0)),
    "Independent": lambda lib: lib.distributions.Independent(OBJECTS["Normal"](lib), 1),
    "MultivariateNormal": lambda lib: lib.distributions.MultivariateNormal(lib.zeros(2), lib.eye(2)),
    "TransformedDistribution": lambda lib: lib.distributions.TransformedDistribution(
        OBJECTS["Normal"](lib), [lib.distributions.transforms.AffineTransform(1.0, 2.0)]
    ),
}


@BOTH_WAYS
@pytest.mark.parametrize("name", OBJECTS)
def test_datasets_samplers_and_distributions_give_the_same_values(name, writer, reader):
    loaded = saved_and_loaded(writer, reader, OBJECTS[name](writer))
    made = OBJECTS[name](writer)
    assert type(loaded) is type(OBJECTS[name](reader))
    results = []
    for lib, x in ((writer, made), (reader, loaded)):
        lib.manual_seed(0)
        parts = x.sample((3,)) if hasattr(x, "sample") else list(x)
        results.append(
            np.concatenate(
                [np.ravel(part) for row in parts for part in (row if type(row) in (tuple, list) else (row,))]
            )
        )
    np.testing.assert_allclose(*results, rtol=1e-6)


def test_programs_that_import_torch_write_the_same_names(tmp_path):
    code = """if True:
        import functools, sys, torch
        from torch import nn
        functions = [torch.relu, nn.functional.gelu, functools.partial(nn.LayerNorm, eps=1e-6)]
        torch.save([*functions, nn.Softmax(-1), nn.MultiheadAttention(4, 2)], sys.argv[1])
    """
    done = run("-m", "microgad", "-c", code, str(tmp_path / "x.pt"))
    assert done.returncode == 0, done.stderr
    relu, gelu, norm, softmax, attention = torch.load(tmp_path / "x.pt", weights_only=False)
    assert (relu, gelu, norm.func) == (torch.relu, torch.nn.functional.gelu, torch.nn.LayerNorm)
    assert (type(softmax), type(attention)) == (torch.nn.Softmax, torch.nn.MultiheadAttention)


@pytest.mark.parametrize("reader", [torch, microgad])
@pytest.mark.parametrize("writer", [torch, microgad])
def test_partials_are_refused_as_weights(writer, reader):
    file = io.BytesIO()
    writer.save(partial(writer.nn.LayerNorm, eps=1e-6), file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL functools\.partial was not an allowed global"):
        reader.load(file)


def test_the_error_of_a_lazy_layer_says_what_to_do():
    with pytest.raises(
        microgad.serialization.FileError, match=r"_infer_parameters of a LazyLinear.*: call lazy layers"
    ):
        saved_and_loaded(torch, microgad, torch.nn.LazyLinear(3))


def test_layers_in_files_have_their_paths_in_errors():
    layer = saved_and_loaded(torch, microgad, torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(2, 2))))
    with pytest.raises(RuntimeError, match=r"Linear \(0\.0\)"):
        layer(microgad.ones(3))


OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True}, "Adam": {"amsgrad": True}, "AdamW": {}, "RMSprop": {"centered": True},
    "Adagrad": {}, "NAdam": {}, "Rprop": {},
}  # fmt: skip
SCHEDULES = {
    "StepLR": (1,), "MultiStepLR": ([1, 3],), "CosineAnnealingLR": (4,), "CosineAnnealingWarmRestarts": (2,),
    "OneCycleLR": (0.5, 5), "ExponentialLR": (0.5,), "PolynomialLR": (), "LinearLR": (),
}  # fmt: skip


def trained(lib, optimizer, schedule, steps):
    p = optimizer.param_groups[0]["params"][0]

    def closure():
        optimizer.zero_grad()
        loss = ((p - lib.tensor([1.0, -2.0])) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
        schedule.step()
    return p.detach().numpy(), schedule.get_last_lr()


@BOTH_WAYS
@pytest.mark.parametrize(
    ("optimizer", "schedule"), [*((name, "StepLR") for name in OPTIMIZERS), *(("SGD", name) for name in SCHEDULES)]
)
@pytest.mark.filterwarnings("ignore:Seems like `optimizer.step:UserWarning")  # of PyTorch, of what it has loaded
def test_optimizers_and_schedules_go_on(optimizer, schedule, writer, reader):
    def made(lib):
        p = lib.nn.Parameter(lib.ones(2))
        made = getattr(lib.optim, optimizer)([p], lr=0.1, **OPTIMIZERS[optimizer])
        return {"optimizer": made, "schedule": getattr(lib.optim.lr_scheduler, schedule)(made, *SCHEDULES[schedule])}

    run = made(writer)
    trained(writer, **run, steps=2)
    loaded = saved_and_loaded(writer, reader, run)
    assert type(loaded["schedule"]) is getattr(reader.optim.lr_scheduler, schedule)
    assert loaded["schedule"].optimizer is loaded["optimizer"]
    assert loaded["optimizer"].state_dict().keys() == run["optimizer"].state_dict().keys()
    (p, lr), (expected, expected_lr) = trained(reader, **loaded, steps=2), trained(writer, **run, steps=2)
    np.testing.assert_allclose(p, expected, rtol=1e-6)
    np.testing.assert_allclose(lr, expected_lr, rtol=1e-12)


def test_pytorch_and_programs_load_whole_optimizers_and_schedules_that_a_program_saves(tmp_path):
    program = """
import sys, torch
p = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.AdamW([p], lr=0.5)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
p.sum().backward()
optimizer.step()
scheduler.step()
torch.save(scheduler, sys.argv[1])
loaded = torch.load(sys.argv[1], weights_only=False)
loaded.optimizer.register_step_post_hook(lambda *_: print(type(loaded)))
loaded.optimizer.step()
"""
    file = str(tmp_path / "scheduler.pt")
    done = run("-m", "microgad", "-c", program, file)
    assert done.stdout == "<class 'torch.optim.lr_scheduler.StepLR'>\n", done.stderr
    scheduler = torch.load(file, weights_only=False)
    assert scheduler.get_last_lr() == [0.05]
    (p,) = scheduler.optimizer.param_groups[0]["params"]
    p.sum().backward()
    scheduler.optimizer.step()
    assert scheduler.optimizer.state[p]["step"] == 2


def test_modules_in_files_from_before_pytorch_1_6():
    """Such files have each class's source, and the modules lack attributes that later versions gave them."""
    nn = torch.nn
    net = nn.Sequential(nn.Conv1d(3, 4, 1), nn.BatchNorm1d(4), nn.LSTM(2, 5))
    later = {"padding_mode", "_reversed_padding_repeated_twice", "proj_size", "_non_persistent_buffers_set"}
    for layer in net.modules():
        for name in later & layer.__dict__.keys():
            del layer.__dict__[name]
    file = io.BytesIO()
    torch.save(net, file, _use_new_zipfile_serialization=False)
    results = []
    for library in (torch, microgad):
        file.seek(0)
        loaded = library.load(file, weights_only=False)
        results.append(loaded(library.arange(6.0).reshape(1, 3, 2))[0].detach().numpy())
        assert len(loaded.state_dict()) == 11
    np.testing.assert_allclose(*results, rtol=1e-5)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="weights_only=False"):
        microgad.load(file)

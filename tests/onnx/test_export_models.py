"""The models of examples/pytorch and of microgad.models, exported to ONNX with dynamic axes, give the same results."""

from __future__ import annotations

import ast
import re
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import models, nn

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from microgad import onnx  # noqa: E402
from microgad.ops.support.bare import tensors_in  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples" / "pytorch"


def load_example(name: str) -> Any:
    """An example as a module with only its imports, constants, classes and functions, on microgad."""
    text = re.sub(r"^(import|from) torch\b", r"\1 microgad", (EXAMPLES / f"{name}.py").read_text(), flags=re.MULTILINE)
    text = re.sub(r"^import microgad$", "import microgad as torch", text, flags=re.MULTILINE)
    text = re.sub(r"\btorch\.nn\.functional as\b", "microgad.nn.functional as", text)
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    tree = ast.parse(text)
    tree.body = [
        node for node in tree.body if isinstance(node, kinds) or (isinstance(node, ast.Assign) and _literal(node))
    ]
    module = types.ModuleType(name)
    exec(compile(tree, f"{name}.py", "exec"), vars(module))
    return module


def _literal(node: ast.Assign) -> bool:
    """Whether an assignment gives constants to names."""
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return all(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))


def rnn_model() -> nn.Module:
    return load_example("lstm_language_model").RNNModel(30, 24, 2)


def vgg() -> nn.Module:
    module = load_example("vgg")
    return module.VGG(module.make_layers(module.cfg))


def resnet() -> nn.Module:
    module = load_example("resnet")
    return module.ResNet(module.BasicBlock, [1, 2])


class Seq2Seq(nn.Module):
    """The encoder and decoder of the example, without teacher forcing."""

    def __init__(self) -> None:
        super().__init__()
        module = load_example("seq2seq_attention")
        module.random.random = lambda: 1.0
        module.random = types.SimpleNamespace(random=lambda: 1.0)
        self.encoder, self.decoder = module.Encoder(), module.Decoder()

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.decoder(*self.encoder(source), target)


N = {0: "batch"}
NT = {0: "batch", 1: "time"}
TN = {0: "time", 1: "batch"}


def r(*shape: int) -> Callable[..., torch.Tensor]:
    """A function that makes random numbers of that shape, given the sizes of its named axes."""
    return lambda **sizes: torch.rand(*(sizes.get(n, n) if isinstance(n, str) else n for n in shape))


def i(n: int, *shape: Any) -> Callable[..., torch.Tensor]:
    """The same for random integers below n."""
    return lambda **sizes: torch.randint(1, n, tuple(sizes.get(s, s) if isinstance(s, str) else s for s in shape))


# The model, functions that make its inputs, and the dynamic axes of each input.
EXAMPLE_MODELS: dict[str, tuple[Callable[[], Any], list[Callable[..., torch.Tensor]], list[dict[int, str]]]] = {
    "mlp": (mlp, [r("batch", 2)], [N]),
    "mnist_cnn": (lambda: load_example("mnist_cnn").Net(), [r("batch", 1, 16, 16)], [N]),
    "resnet": (resnet, [r("batch", 3, 16, 16)], [N]),
    "vgg": (vgg, [r("batch", 3, 16, 16)], [N]),
    "unet": (lambda: load_example("unet").UNet(), [r("batch", 1, 16, 16)], [N]),
    "dcgan generator": (lambda: load_example("dcgan").Generator(), [r("batch", 8, 1, 1)], [N]),
    "dcgan discriminator": (lambda: load_example("dcgan").Discriminator(), [r("batch", 1, 16, 16)], [N]),
    "char_rnn": (lambda: load_example("char_rnn").CharRNN(30), [i(30, "batch", "time")], [NT]),
    "lstm_language_model": (
        rnn_model, [i(30, "time", "batch"), r(2, "batch", 24), r(2, "batch", 24)],
        [TN, {1: "batch"}, {1: "batch"}]),
    "seq2seq_attention": (Seq2Seq, [i(12, "batch", 6), i(12, "batch", 6)], [N, N]),
    "transformer_translation": (
        lambda: load_example("transformer_translation").Seq2SeqTransformer(),
        [i(14, "source", "batch"), i(14, "time", "batch")], [{0: "source", 1: "batch"}, TN]),
    "gpt": (lambda: load_example("gpt").GPT(), [i(20, "batch", "time")], [NT]),
    "bert": (lambda: load_example("bert").Bert(), [i(24, "batch", "time")], [NT]),
    "tcn": (lambda: load_example("tcn").TCN(), [r("batch", 2, "time")], [{0: "batch", 2: "time"}]),
    "gcn": (
        lambda: load_example("gcn").GCN(8, 16, 2, 0.5), [r("batch", 8), r("batch", "batch")],
        [N, {0: "batch", 1: "batch"}]),
    "super_resolution": (
        lambda: load_example("super_resolution").Net(2), [r("batch", 1, "height", "width")],
        [{0: "batch", 2: "height", 3: "width"}]),
    "reinforce": (lambda: load_example("reinforce").Policy(), [r("batch", 2)], [N]),
    "siamese": (lambda: load_example("siamese").SiameseNetwork(), [r("batch", 1, 10, 10)], [N]),
    "word2vec": (
        lambda: load_example("word2vec").SkipGram(9, 10), [i(9, "batch"), i(9, "batch"), i(9, "batch", 3)], [N, N, N]),
}  # fmt: skip

LIBRARY_MODELS: dict[str, Callable[[], Any]] = {
    "alexnet": lambda: models.alexnet(num_classes=5),
    "densenet121": lambda: models.densenet121(num_classes=5),
    "mobilenet_v2": lambda: models.mobilenet_v2(num_classes=5),
    "resnet18": lambda: models.resnet18(num_classes=5),
    "resnet50": lambda: models.resnet50(num_classes=5),
    "squeezenet1_1": lambda: models.squeezenet1_1(num_classes=5),
    "vgg11_bn": lambda: models.vgg11_bn(num_classes=5),
}
LARGE = ("alexnet", "densenet121", "resnet50", "vgg11_bn")


def check_export(model: nn.Module, makers: list[Any], axes: list[dict[int, str]], first: Any, others: list[Any]) -> Any:
    """Export for the sizes `first`, and compare onnxruntime's results with the model's for `others`."""
    model.eval()
    names = [f"x{k}" for k in range(len(makers))]
    takes_tuple = isinstance(model, nn.Module) and type(model).__name__ == "RNNModel"

    def args(sizes: Any) -> tuple[list[torch.Tensor], tuple[Any, ...]]:
        inputs = [make(**sizes) for make in makers]
        return inputs, ((inputs[0], tuple(inputs[1:])) if takes_tuple else tuple(inputs))

    _, args_of_model = args(first)
    proto = onnx.export(model, args_of_model, input_names=names, dynamic_axes=dict(zip(names, axes, strict=True)))
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    used = {x.name for x in session.get_inputs()}
    for sizes in others:
        inputs, args_of_model = args(sizes)
        found = session.run(None, {name: x.numpy() for name, x in zip(names, inputs, strict=True) if name in used})
        with torch.no_grad():
            expected = tensors_in(model(*args_of_model))
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert a.shape == tuple(b.shape)
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-3, atol=1e-4)
    return proto


@pytest.mark.parametrize("name", EXAMPLE_MODELS)
def test_models_of_examples_give_the_same_in_onnxruntime(name: str) -> None:
    torch.manual_seed(0)
    make, makers, axes = EXAMPLE_MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make()
    sizes = {"batch": 2, "time": 6, "source": 5, "height": 8, "width": 6}
    others = [
        {"batch": 3, "time": 4, "source": 7, "height": 5, "width": 9},
        {"batch": 1, "time": 8, "source": 3, "height": 12, "width": 4},
        {"batch": 1, "time": 1, "source": 1, "height": 3, "width": 3},
    ]
    if name in ("tcn", "bert"):
        others.pop()
    proto = check_export(model, makers, axes, sizes, others)
    parameter_names = {key for key, _ in model.named_parameters()}
    initializer_names = {x.name for x in proto.graph.initializer}
    buffer_names = {key for key, _ in model.named_buffers()}
    assert {key for key in initializer_names if not key.startswith("/")} <= parameter_names | buffer_names


@pytest.mark.parametrize("name", LIBRARY_MODELS)
def test_models_of_the_library_give_the_same_in_onnxruntime(name: str, pytestconfig: pytest.Config) -> None:
    if name in LARGE and not pytestconfig.getoption("--thorough"):
        pytest.skip("large: run with --thorough")
    torch.manual_seed(0)
    side = 224 if name == "alexnet" else 64
    check_export(LIBRARY_MODELS[name](), [r("batch", 3, side, side)], [N], {"batch": 1}, [{"batch": 2}])

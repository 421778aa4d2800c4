"""The models of examples/pytorch and of microgad.models, exported whole, with several open axes where they allow it."""

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
from microgad.onnx.recording import tensors_in  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples" / "pytorch"


def defined(name: str) -> Any:
    """What a program defines, without what it runs."""
    text = re.sub(r"^(import|from) torch\b", r"\1 microgad", (EXAMPLES / f"{name}.py").read_text(), flags=re.MULTILINE)
    text = re.sub(r"^import microgad$", "import microgad as torch", text, flags=re.MULTILINE)
    text = re.sub(r"\btorch\.nn\.functional as\b", "microgad.nn.functional as", text)
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    tree = ast.parse(text)
    tree.body = [
        node for node in tree.body
        if isinstance(node, kinds) or (isinstance(node, ast.Assign) and _literal(node))
    ]  # fmt: skip
    module = types.ModuleType(name)
    exec(compile(tree, f"{name}.py", "exec"), vars(module))
    return module


def _literal(node: ast.Assign) -> bool:
    """Whether names are given constants."""
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return all(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))


def rnn_model() -> nn.Module:
    return defined("lstm_language_model").RNNModel(30, 24, 2)


def vgg() -> nn.Module:
    module = defined("vgg")
    return module.VGG(module.make_layers(module.cfg))


def resnet() -> nn.Module:
    module = defined("resnet")
    return module.ResNet(module.BasicBlock, [1, 2])


class Seq2Seq(nn.Module):
    """Encoder and decoder of the example, without teacher forcing."""

    def __init__(self) -> None:
        super().__init__()
        module = defined("seq2seq_attention")
        module.random.random = lambda: 1.0
        module.random = types.SimpleNamespace(random=lambda: 1.0)
        self.encoder, self.decoder = module.Encoder(), module.Decoder()

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.decoder(*self.encoder(source), target)


N = {0: "batch"}
NT = {0: "batch", 1: "time"}
TN = {0: "time", 1: "batch"}


def r(*shape: int) -> Callable[..., torch.Tensor]:
    return lambda **sizes: torch.rand(*(sizes.get(n, n) if isinstance(n, str) else n for n in shape))


def i(n: int, *shape: Any) -> Callable[..., torch.Tensor]:
    return lambda **sizes: torch.randint(1, n, tuple(sizes.get(s, s) if isinstance(s, str) else s for s in shape))


# The model, its inputs by the sizes of open axes, the open axes of each.
PROGRAMS: dict[str, tuple[Callable[[], Any], list[Callable[..., torch.Tensor]], list[dict[int, str]]]] = {
    "mlp": (mlp, [r("batch", 2)], [N]),
    "mnist_cnn": (lambda: defined("mnist_cnn").Net(), [r("batch", 1, 16, 16)], [N]),
    "resnet": (resnet, [r("batch", 3, 16, 16)], [N]),
    "vgg": (vgg, [r("batch", 3, 16, 16)], [N]),
    "unet": (lambda: defined("unet").UNet(), [r("batch", 1, 16, 16)], [N]),
    "dcgan generator": (lambda: defined("dcgan").Generator(), [r("batch", 8, 1, 1)], [N]),
    "dcgan discriminator": (lambda: defined("dcgan").Discriminator(), [r("batch", 1, 16, 16)], [N]),
    "char_rnn": (lambda: defined("char_rnn").CharRNN(30), [i(30, "batch", "time")], [NT]),
    "lstm_language_model": (
        rnn_model, [i(30, "time", "batch"), r(2, "batch", 24), r(2, "batch", 24)],
        [TN, {1: "batch"}, {1: "batch"}]),
    "seq2seq_attention": (Seq2Seq, [i(12, "batch", 6), i(12, "batch", 6)], [N, N]),
    "transformer_translation": (
        lambda: defined("transformer_translation").Seq2SeqTransformer(),
        [i(14, "source", "batch"), i(14, "time", "batch")], [{0: "source", 1: "batch"}, TN]),
    "gpt": (lambda: defined("gpt").GPT(), [i(20, "batch", "time")], [NT]),
    "bert": (lambda: defined("bert").Bert(), [i(24, "batch", "time")], [NT]),
    "tcn": (lambda: defined("tcn").TCN(), [r("batch", 2, "time")], [{0: "batch", 2: "time"}]),
    "gcn": (
        lambda: defined("gcn").GCN(8, 16, 2, 0.5), [r("batch", 8), r("batch", "batch")],
        [N, {0: "batch", 1: "batch"}]),
    "super_resolution": (
        lambda: defined("super_resolution").Net(2), [r("batch", 1, "height", "width")],
        [{0: "batch", 2: "height", 3: "width"}]),
    "reinforce": (lambda: defined("reinforce").Policy(), [r("batch", 2)], [N]),
    "siamese": (lambda: defined("siamese").SiameseNetwork(), [r("batch", 1, 10, 10)], [N]),
    "word2vec": (
        lambda: defined("word2vec").SkipGram(9, 10), [i(9, "batch"), i(9, "batch"), i(9, "batch", 3)], [N, N, N]),
}  # fmt: skip

LIBRARY: dict[str, Callable[[], Any]] = {
    "alexnet": lambda: models.alexnet(num_classes=5),
    "densenet121": lambda: models.densenet121(num_classes=5),
    "mobilenet_v2": lambda: models.mobilenet_v2(num_classes=5),
    "resnet18": lambda: models.resnet18(num_classes=5),
    "resnet50": lambda: models.resnet50(num_classes=5),
    "squeezenet1_1": lambda: models.squeezenet1_1(num_classes=5),
    "vgg11_bn": lambda: models.vgg11_bn(num_classes=5),
}
LARGE = ("alexnet", "densenet121", "resnet50", "vgg11_bn")


def compared(model: nn.Module, makers: list[Any], axes: list[dict[int, str]], first: Any, others: list[Any]) -> Any:
    model.eval()
    names = [f"x{k}" for k in range(len(makers))]
    packed = isinstance(model, nn.Module) and type(model).__name__ == "RNNModel"

    def args(sizes: Any) -> tuple[list[torch.Tensor], tuple[Any, ...]]:
        given = [make(**sizes) for make in makers]
        return given, ((given[0], tuple(given[1:])) if packed else tuple(given))

    _, called = args(first)
    proto = onnx.export(model, called, input_names=names, dynamic_axes=dict(zip(names, axes, strict=True)))
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    used = {x.name for x in session.get_inputs()}
    for sizes in others:
        given, called = args(sizes)
        found = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True) if name in used})
        with torch.no_grad():
            wanted = tensors_in(model(*called))
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            assert a.shape == tuple(b.shape)
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-3, atol=1e-4)
    return proto


@pytest.mark.parametrize("name", PROGRAMS)
def test_examples(name: str) -> None:
    torch.manual_seed(0)
    make, makers, axes = PROGRAMS[name]
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
    proto = compared(model, makers, axes, sizes, others)
    known = {key for key, _ in model.named_parameters()}
    held = {x.name for x in proto.graph.initializer}
    assert {key for key in held if not key.startswith("/")} <= known | {key for key, _ in model.named_buffers()}


@pytest.mark.parametrize("name", LIBRARY)
def test_library(name: str, pytestconfig: pytest.Config) -> None:
    if name in LARGE and not pytestconfig.getoption("--thorough"):
        pytest.skip("large: run with --thorough")
    torch.manual_seed(0)
    side = 224 if name == "alexnet" else 64
    compared(LIBRARY[name](), [r("batch", 3, side, side)], [N], {"batch": 1}, [{"batch": 2}])

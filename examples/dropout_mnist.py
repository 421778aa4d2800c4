"""Training on MNIST with and without dropout: the same small convolutional network, side by side.

    conv 10@3x3 -> ReLU -> max pool 2 -> linear 100 -> ReLU -> [dropout 0.5] -> linear 10

Without dropout the training loss goes to zero while the loss on held-out images rises again; with dropout the
held-out loss keeps falling. The images are part of the package (6,000 to train on, 1,000 held out), or come from
--data.
"""

from __future__ import annotations

import argparse
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import microgad as torch
import microgad.nn.functional as F
from microgad import nn, training
from microgad.datasets import MNIST
from microgad.errors import MicrogadError
from microgad.utils.data import DataLoader, TensorDataset

OUT = "runs/dropout_mnist"


def network(dropout: float) -> nn.Sequential:
    """The network, (N, 1, 28, 28) -> (N, 10), with 197,210 parameters."""
    layers = OrderedDict(
        conv=nn.Conv2d(1, 10, 3, padding=1),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        hidden=nn.Linear(10 * 14 * 14, 100),
        hidden_relu=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        out=nn.Linear(100, 10),
    )
    if not dropout:
        del layers["dropout"]
    return nn.Sequential(layers)


def optimizers(model: nn.Sequential, kind: str) -> list[torch.optim.Optimizer]:
    """Make Adam for all layers or, for the kind "series", Adam for all but the hidden layer and Eve for that one."""
    if kind == "adam":
        return [torch.optim.Adam(model.parameters(), lr=0.001)]
    hidden = list(model.hidden.parameters())
    others = [p for p in model.parameters() if all(p is not h for h in hidden)]
    return [torch.optim.Adam(others, lr=0.001), torch.optim.Eve(hidden, lr=0.001)]


def variant(dropout: float, options: argparse.Namespace) -> Callable[[], dict[str, Any]]:
    """Return the function that makes a new model and its optimizers, which `compare` calls for each seed."""

    def make() -> dict[str, Any]:
        model = network(dropout).to(options.device)
        return {"model": model, "optimizer": optimizers(model, options.optimizer)}

    return make


def images(options: argparse.Namespace, train: bool) -> TensorDataset:
    """Load the images as numbers from 0 to 1, (N, 1, 28, 28), and their digits; only a part with --quick."""
    mnist = MNIST(options.data, train) if options.data else MNIST.subset(train)
    count = (2000 if train else 500) if options.quick else len(mnist)
    return TensorDataset(mnist.data[:count].unsqueeze(1).float() / 255, mnist.targets[:count])


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    layout = partial(argparse.RawDescriptionHelpFormatter, max_help_position=28, width=112)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    add = parser.add_argument
    add("--epochs", type=int, metavar="N", help="passes through the images (default: 40; with --data 20, --quick 5)")
    add("--seeds", type=int, nargs="+", metavar="S", help="a run of each variant for each (default: 0 1 2; --quick 0)")
    add("--optimizer", choices=("adam", "series"), default="adam", help="series: Eve for the hidden layer")
    add("--device", default="cpu", help="cpu (the default) or cuda")
    add("--data", type=Path, metavar="FOLDER", help="a folder with the files of the whole MNIST")
    add("--out", type=Path, metavar="FOLDER", default=Path(OUT), help=f"for results and checkpoints (default: {OUT})")
    add("--quick", action="store_true", help="a first look: a part of the images, few epochs")
    add("--resume", action="store_true", help="go on with an interrupted run, given the same options")
    options = parser.parse_args()
    if options.epochs is not None and options.epochs < 1:
        parser.error("--epochs must be at least 1")
    options.epochs = options.epochs or (5 if options.quick else 20 if options.data else 40)
    options.seeds = options.seeds or ([0] if options.quick else [0, 1, 2])
    return options


def first_predictions(model: nn.Module, data: TensorDataset, count: int = 20) -> str:
    """Return the predicted and the true digits of the first images."""
    x, truth = data[:count]
    answers, digits = training.predict(model, x).argmax(1).tolist(), truth.tolist()
    marks = ["^" if answer != digit else " " for answer, digit in zip(answers, digits, strict=True)]
    lines = (("predicted", answers), ("truth", digits), ("", marks))
    return "\n".join(f"{name:11} {' '.join(map(str, values))}".rstrip() for name, values in lines).rstrip()


def draw_graph(model: nn.Module, data: TensorDataset, device: str, path: Path) -> None:
    """Draw the graph of a training step."""
    x, digits = data[:128]
    loss = F.cross_entropy(model.train()(x.to(device)), digits.to(device))
    loss.graph(params=model).save(path)


def main(options: argparse.Namespace) -> None:
    """Train, compare, and write the results."""
    train, held_out = images(options, train=True), images(options, train=False)
    out, checkpoints = options.out, options.out / "checkpoints"
    seeds = ", ".join(map(str, options.seeds))
    print(f"{len(train):,} images to train on, {len(held_out):,} held out; {options.epochs} epochs; seeds: {seeds}")
    if options.resume and not checkpoints.exists():
        print(f"There is nothing to resume in {out}: starting anew")
    comparison = training.compare(
        {"dropout 0.5": variant(0.5, options), "no dropout": variant(0.0, options)},
        options.seeds,
        folder=checkpoints,
        resume=options.resume,
        data=DataLoader(train, batch_size=128, shuffle=True),
        loss=F.cross_entropy,
        epochs=options.epochs,
        held_out=held_out,
        train_loss=True,
    )
    variant_name, seed, _, model = comparison[0]
    print(f"\n{comparison.table()}\n")
    print(f"The first held-out images, by {variant_name!r} from seed {seed}:\n{first_predictions(model, held_out)}\n")
    comparison.save(out / "results.csv")
    written = ["results.csv"]
    pictures: dict[str, Callable[[], Any]] = {
        "curves.png, curves.svg": lambda: comparison.plot(
            out / "curves.png", out / "curves.svg", title="Dropout against none on MNIST"
        ),
        "graph.svg": lambda: draw_graph(model, train, options.device, out / "graph.svg"),
    }
    for names, make in pictures.items():
        try:
            make()
            written.append(names)
        except (ImportError, torch.graph.RendererMissing) as missing:  # matplotlib, Graphviz
            print(missing)
    print(f"Written to {out}: {', '.join(written)}")


if __name__ == "__main__":
    try:
        main(arguments())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command with --resume goes on after the last whole epoch")
    except MicrogadError as error:  # for example missing data, or a checkpoint of other options
        sys.exit(str(error))

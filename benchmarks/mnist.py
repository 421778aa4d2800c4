"""The headline experiment on all of MNIST, compared with PyTorch: 20 epochs of both variants, from the same seed.

Prints held-out loss and accuracy after each epoch, and the extrapolated time of 200 epochs.

    python benchmarks/mnist.py FOLDER_WITH_MNIST [--epochs 20] [--seed 0] [--only microgad]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import unslowed  # noqa: F401

# isort: split
from experiment import images, network, step


def evaluate(library: Any, net: Any, x: Any, y: Any) -> tuple[float, int]:
    """Return the mean loss and the number of right answers, with dropout off."""
    net.eval()
    loss, correct = 0.0, 0
    with library.no_grad():
        for i in range(0, len(x), 1000):
            out = net(x[i : i + 1000])
            loss += library.nn.functional.cross_entropy(out, y[i : i + 1000], reduction="sum").item()
            correct += int((out.argmax(1) == y[i : i + 1000]).sum().item())
    net.train()
    return loss / len(x), correct


def run(library: Any, data_module: Any, dropout: float, args: argparse.Namespace) -> None:
    x, y = (library.from_numpy(a) for a in images(True, args.folder))
    tx, ty = (library.from_numpy(a) for a in images(False, args.folder))
    library.manual_seed(args.seed)
    net = network(library, dropout)
    optimizer = library.optim.Adam(net.parameters())
    loader = data_module.DataLoader(data_module.TensorDataset(x, y), batch_size=128, shuffle=True)
    seconds = best = 0.0
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        total = sum(step(library, net, optimizer, batch, target) * len(batch) for batch, target in loader)
        seconds += time.perf_counter() - start
        loss, correct = evaluate(library, net, tx, ty)
        best = max(best, correct / len(tx))
        print(
            f"{library.__name__:9s} dropout {dropout}  epoch {epoch:3d}  training loss {total / len(x):.4f}  "
            f"held-out loss {loss:.4f}  accuracy {100 * correct / len(tx):.2f} %  best {100 * best:.2f} %",
            flush=True,
        )
    print(
        f"{library.__name__:9s} dropout {dropout}  200 epochs: {seconds / args.epochs * 200 / 60:.1f} minutes",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="where MNIST's four files are")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["torch", "microgad"])
    args = parser.parse_args()
    for name in [args.only] if args.only else ["microgad", "torch"]:
        library = __import__(name)
        data_module = __import__(f"{name}.utils.data", fromlist=["DataLoader"])
        for dropout in (0.5, 0.0):
            run(library, data_module, dropout, args)


if __name__ == "__main__":
    main()

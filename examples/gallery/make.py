"""Draws the gallery: `python examples/gallery/make.py [name ...]`."""

import sys
from pathlib import Path

import microgad as torch
from models import MODELS


def main(*names: str) -> None:
    for name in names or MODELS:
        torch.manual_seed(0)
        model, batch = (make() for make in MODELS[name])
        graph = model(*batch).graph(params=model)
        graph.save(Path(__file__).with_name(f"{name}.svg"))
        print(f"{name}: {len(graph.tape):,} operations, {len(graph.sketch.boxes)} boxes")


if __name__ == "__main__":
    main(*sys.argv[1:])

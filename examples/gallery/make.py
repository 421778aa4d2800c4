"""Draw the gallery, each model as an SVG and in Mermaid's language: `python examples/gallery/make.py [name ...]`."""

import argparse
from pathlib import Path

from models import MODELS

import microgad as torch


def main(*names: str) -> None:
    for name in names or MODELS:
        torch.manual_seed(0)
        model, batch = (make() for make in MODELS[name])
        graph = model(*batch).graph(params=model)
        for suffix in ("svg", "mmd"):
            graph.save(Path(__file__).with_name(f"{name}.{suffix}"))
        print(f"{name}: {len(graph.tape):,} operations, {len(graph.sketch.boxes)} boxes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=MODELS, help="the models to draw; all without any")
    main(*parser.parse_args().names)

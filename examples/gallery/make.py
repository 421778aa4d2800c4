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
    parser.add_argument("names", nargs="*", help="the models to draw; all without any")
    names = parser.parse_args().names
    if unknown := set(names).difference(MODELS):  # argparse's own choices refuse that there are none
        parser.error(f"no model is called {' or '.join(sorted(unknown))}; they are {', '.join(MODELS)}")
    main(*names)

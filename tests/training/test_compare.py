"""`compare`: its runs, its table, its CSV file and its plot."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

import microgad as torch
from microgad import nn
from microgad.training import Comparison, History, Run, TrainingDiverged, compare, fit
from microgad.training.plots import curves, spread


@pytest.fixture
def compared(problem):
    """Keyword arguments of `compare` without the folder."""
    shared = problem()
    shared["optimizer"] = shared["model"] = None

    def variant(p):
        def make():
            model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(p), nn.Linear(8, 3))
            return {"model": model, "optimizer": torch.optim.Adam(model.parameters(), lr=0.01)}

        return make

    return {"variants": {"dropout 0.5": variant(0.5), "none": variant(0.0)}, "seeds": (0, 1), **shared}


def test_every_variant_is_trained_from_every_seed(compared, numbers):
    comparison = compare(**compared)
    order = [("dropout 0.5", 0), ("none", 0), ("dropout 0.5", 1), ("none", 1)]
    assert [(run.variant, run.seed) for run in comparison] == order
    shared = {name: value for name, value in compared.items() if name not in ("variants", "seeds")}
    for run in comparison:
        torch.manual_seed(run.seed)
        made = compared["variants"][run.variant]()
        assert numbers(fit(**{**shared, **made})) == numbers(run.history)
        assert run.model.training


def test_an_interrupted_comparison_is_resumed(compared, numbers, tmp_path):
    whole = compare(**compared)
    count = 0

    def stop(model, history):
        nonlocal count
        count += 1
        if count == 7:  # in the second of four runs
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(**compared, folder=tmp_path / "a" / "b", after_epoch=stop)
    done = []
    resumed = compare(**compared, folder=tmp_path / "a" / "b", resume=True, after_epoch=lambda *_: done.append(1))
    assert [numbers(run.history) for run in resumed] == [numbers(run.history) for run in whole]
    assert len(done) == 16 - 7
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "dropout_0.5-seed0.ckpt", "dropout_0.5-seed1.ckpt", "none-seed0.ckpt", "none-seed1.ckpt",
    ]  # fmt: skip
    for a, b in zip(resumed, whole, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True))


def test_variants_with_the_same_file_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two variants' names differ in nothing"):
        compare({"lr 1": dict, "lr:1": dict}, folder=tmp_path)


def test_the_error_names_the_run_that_diverged(compared):
    compared["loss"] = lambda output, target: nn.functional.cross_entropy(output, target) * float("nan")
    with pytest.raises(TrainingDiverged, match=r"^dropout 0\.5, seed 0: epoch 1, batch 1: the loss is NaN. Mul: "):
        compare(**compared)


def runs():
    """A Comparison of two variants from two seeds, with round numbers."""
    made = Comparison()
    for seed in (0, 1):
        for name, losses in (("dropout", [0.4, 0.2, 0.1]), ("none", [0.4, 0.1, 0.3])):
            rows = [
                {
                    "epoch": i + 1, "seconds": 1.5, "loss": 0.5, "train_loss": loss / 10,
                    "held_out_loss": loss + seed / 100, "held_out_accuracy": 1 - loss - seed / 10,
                    "held_out_samples": 20,
                }
                for i, loss in enumerate(losses)
            ]  # fmt: skip
            made.append(Run(name, seed, History(rows), nn.Linear(1000, 2)))
    return made


def test_the_table_of_a_comparison():
    assert runs().table().splitlines() == [
        "variant   best loss   at epoch   last loss     best accuracy     last accuracy   seconds/epoch   parameters",
        "───────   ─────────   ────────   ─────────   ───────────────   ───────────────   ─────────────   ──────────",
        "dropout      0.1050          3      0.1050   85.00 % (34/40)   85.00 % (34/40)            1.50        2,002",
        "none         0.1050          2      0.3050   85.00 % (34/40)   65.00 % (26/40)            1.50        2,002",
        "Losses and seconds are means over 2 seeds; accuracy is over the answers of all.",
    ]


def test_the_table_leaves_out_columns_without_values():
    rows = History([{"epoch": 1, "seconds": 1.0, "loss": 0.5}])
    table = Comparison([Run("net", 0, rows, nn.Linear(1, 1)), Run("none", 0, History(), nn.Linear(1, 1))]).table()
    assert table.splitlines()[0].split() == ["variant", "seconds/epoch", "parameters"]
    assert Comparison().table().split() == ["variant", "───────"]


def test_the_table_has_columns_that_only_some_variants_have_and_the_best_by_each_measure():
    def run(seed, measured):
        names = ("epoch", "seconds", "held_out_samples", "held_out_loss", "held_out_accuracy")
        rows = [dict(zip(names, (i + 1, 1.0, 10, *pair), strict=True)) for i, pair in enumerate(measured)]
        return Run("net", seed, History(rows), nn.Linear(1, 1))

    plain = Run("plain", 0, History([{"epoch": 1, "seconds": 1.0, "loss": 0.5}]), nn.Linear(1, 1))
    runs = [(0.5, 0.9), (0.2, 0.7), (0.3, 0.6)], [(0.3, 0.5), (0.4, 0.8), (0.1, 0.5)], [(0.1, 0.9), (0.2, 0.1)]
    table = Comparison([plain, *(run(seed, measured) for seed, measured in enumerate(runs))]).table().splitlines()
    assert table[2].split() == ["plain", "1.00", "2"]
    assert " ".join(table[3].split()) == "net 0.1333 1–3 0.2000 86.67 % (26/30) 40.00 % (12/30) 1.00 2"


def test_the_csv_file_of_a_comparison(tmp_path):
    runs().save(tmp_path / "results.csv")
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert list(rows[0])[:4] == ["variant", "seed", "epoch", "seconds"]
    assert [row["variant"] + row["seed"] for row in rows[::3]] == ["dropout0", "none0", "dropout1", "none1"]
    assert float(rows[-1]["held_out_loss"]) == 0.3 + 1 / 100


@pytest.mark.host("a drawing of numbers")
def test_the_plot_of_a_comparison(tmp_path):
    pytest.importorskip("matplotlib")
    figure = runs().plot(tmp_path / "curves.png", tmp_path / "curves.svg", title="Dropout")
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    names = ["dropout, held-out", "dropout, training", "none, held-out", "none, training"]
    assert [line.get_label() for line in axes.lines] == names
    assert list(axes.lines[0].get_ydata()) == pytest.approx([0.405, 0.205, 0.105])
    assert len(axes.collections) == 4  # a band each
    band = axes.collections[0].get_datalim(axes.transData)
    assert (band.y0, band.y1) == pytest.approx((0.1, 0.41))
    colors = {line.get_color() for line in axes.lines}
    assert len(colors) == 2
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "curves.svg").read_bytes()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    runs().plot(tmp_path / "again.png", tmp_path / "again.svg", title="Dropout")
    assert (tmp_path / "again.svg").read_bytes() == svg


@pytest.mark.host("a drawing of numbers")
def test_labels_beside_lines_do_not_overlap():
    pytest.importorskip("matplotlib")
    text = pytest.importorskip("matplotlib.text")
    rows = [{"epoch": 1, "held_out_loss": 0.5}, {"epoch": 2, "held_out_loss": 0.1}]
    figure = curves({f"variant {i}": [History(rows)] for i in range(5)})
    figure.savefig(io.BytesIO())
    names = [name for name in figure.axes[0].texts if name.get_text().startswith("variant")]
    boxes = sorted((text.Text.get_window_extent(name) for name in names), key=lambda box: box.y0)  # without connectors
    assert len(boxes) == 5
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)


def test_one_seed_has_no_band_and_runs_of_different_lengths_are_cut():
    pytest.importorskip("matplotlib")
    long = History([{"epoch": i, "held_out_loss": 1 / i} for i in (1, 2, 3)])
    figure = curves({"one": [long], "two": [long, History(list(long)[:2])]})
    assert len(figure.axes[0].collections) == 1
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [3, 2]


def test_the_label_of_a_loss_of_0_is_at_the_bottom():
    pytest.importorskip("matplotlib")
    rows = [
        {"epoch": 1, "held_out_loss": 0.5, "train_loss": 0.1},
        {"epoch": 2, "held_out_loss": 0.2, "train_loss": 0.0},
    ]
    figure = curves({"net": [History(rows)]})
    figure.savefig(io.BytesIO())
    ends = {name.get_text(): name.xy[1] for name in figure.axes[0].texts if name.get_text().startswith("net")}
    assert ends == {"net, held-out": 0.2, "net, training": figure.axes[0].get_ylim()[0]}


@pytest.mark.parametrize("heights", [[], [0.3], [0.1, 0.2, 0.9], [0.5, 0.5, 0.5], [0.0, 0.01, 0.5, 0.51, 0.52]])
def test_spread_separates_heights_and_keeps_their_mean(heights):
    moved = spread(heights, 0.1)
    assert all(b - a >= 0.1 - 1e-12 for a, b in pairwise(moved))
    assert sum(moved) == pytest.approx(sum(heights))


def test_without_matplotlib_the_error_names_the_extra_to_install(monkeypatch):
    import sys

    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'microgad\[train\]'"):
        runs().plot()


def test_the_caption_explains_the_lines_that_are_drawn():
    pytest.importorskip("matplotlib")

    def caption(**measured):
        return curves({"net": [History([{"epoch": 1, **measured}])]}).axes[0].texts[-1].get_text()

    assert caption(held_out_loss=0.5) == "solid: held-out data"
    assert caption(held_out_loss=0.5, train_loss=0.4) == "solid: held-out data; dashed: training data, dropout off"
    assert caption(loss=0.5) == "no losses were measured: fit takes held_out, and train_loss=True"

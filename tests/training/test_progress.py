"""Progress of `fit`: a bar on a terminal, and lines elsewhere or without tqdm."""

from __future__ import annotations

import io
import sys

import pytest

from microgad.training import Progress, fit
from microgad.training.progress import clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_lines_where_there_is_no_terminal(problem, capsys):
    fit(**{**problem(), "progress": True})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("epoch 2/4   loss ")
    assert "   training " in lines[1]
    assert "   held-out " in lines[1]
    assert lines[-1].endswith(" s, 0:00 left")


def test_progress_false_prints_nothing(problem, capsys):
    fit(**problem())
    assert capsys.readouterr() == ("", "")


def test_progress_is_a_bar_on_a_terminal(problem):
    pytest.importorskip("tqdm")
    file = Terminal()
    fit(**{**problem(), "progress": Progress("net", file)})
    output = file.getvalue()
    assert output.count("\n") == 1  # the bar stays at the end
    last = output.strip().split("\r")[-1]
    assert last.startswith("net  100 %|")
    assert "left, epoch 4/4, loss 0." in last
    assert ", held-out " in last


def test_progress_is_lines_on_a_terminal_without_tqdm(problem, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    file = Terminal()
    fit(**{**problem(), "progress": Progress("net", file)})
    lines = file.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("net   epoch 1/4   loss ")


def test_a_resumed_run_says_so(problem, tmp_path):
    fit(**{**problem(), "epochs": 2}, checkpoint=tmp_path / "run.ckpt")
    for file in (io.StringIO(), Terminal()):
        fit(**{**problem(), "progress": Progress("net", file)}, checkpoint=tmp_path / "run.ckpt", resume=True)
        assert "net   resumed after epoch 2 of 4" in file.getvalue()
        (tmp_path / "run.ckpt").unlink()
        fit(**{**problem(), "epochs": 2}, checkpoint=tmp_path / "run.ckpt")


def test_the_bar_is_closed_after_an_error(problem):
    file = Terminal()
    progress = Progress("net", file)

    def stop(model, history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(**{**problem(), "progress": progress}, after_epoch=stop)
    assert file.getvalue().endswith("\n")
    assert progress._bar is None


def test_clock_formats_seconds():
    expected = {0: "0:00", 59.6: "1:00", 3599: "59:59", 3600: "1:00:00", 36000: "10:00:00"}
    assert {seconds: clock(seconds) for seconds in expected} == expected

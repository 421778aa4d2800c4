"""Saving and showing drawings with pygraphviz, with the program dot, and with neither."""

from __future__ import annotations

import sys
import warnings

import pytest

import microgad as torch
from microgad.graph import Graph, drawing, graph

from ..processes import output_of


@pytest.fixture
def drawn() -> Graph:
    x = torch.ones(2, requires_grad=True)
    return graph((x * x).exp().sum())


@pytest.fixture
def no_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_pygraphviz(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


MAGIC = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


@pytest.mark.parametrize("format", MAGIC)
def test_pygraphviz_draws_where_there_is_no_program(drawn, no_program, tmp_path, format):
    pytest.importorskip("pygraphviz")
    drawn.save(tmp_path / f"net.{format}")
    picture = (tmp_path / f"net.{format}").read_bytes()
    assert picture.startswith(MAGIC[format])
    assert len(picture) > 1000


@pytest.mark.parametrize("format", MAGIC)
def test_the_program_dot_draws_without_pygraphviz(drawn, no_pygraphviz, monkeypatch, tmp_path, format):
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\necho "drawn with $@"\n/bin/cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    drawn.save(str(tmp_path / f"net.{format.upper()}"))
    written = (tmp_path / f"net.{format.upper()}").read_text()
    assert written.startswith(f"drawn with -Kdot -T{format}\n")
    assert ("dpi=144" in written) == (format == "png")
    assert "digraph" in written
    assert "dpi" not in drawn.source


def test_with_neither_the_error_names_both_and_the_source_is_saved(drawn, no_program, no_pygraphviz, tmp_path):
    with pytest.raises(RuntimeError) as caught:
        drawn.save(tmp_path / "net.svg")
    assert (tmp_path / "net.dot").read_text() == drawn.source
    assert not (tmp_path / "net.svg").exists()
    message = str(caught.value)
    assert f"net.svg is not drawn, but its source is written to {tmp_path / 'net.dot'}" in message
    assert "apt install graphviz" in message
    assert "pip install 'microgad[dot]'" in message


@pytest.mark.parametrize("suffix", ["dot", "gv"])
def test_the_source_needs_no_renderer(drawn, no_program, no_pygraphviz, tmp_path, suffix):
    drawn.save(tmp_path / f"net.{suffix}")
    assert (tmp_path / f"net.{suffix}").read_text(encoding="utf-8") == drawn.source


@pytest.mark.parametrize("name", ["net.jpg", "net", "net.svg.txt"])
def test_another_suffix_is_refused_and_nothing_is_written(drawn, tmp_path, name):
    with pytest.raises(ValueError, match=r"can't save 'net.*': the suffix must be .svg, .png, .pdf, .dot or .gv"):
        drawn.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_too_many_boxes_are_refused_with_the_depth_that_helps(monkeypatch, tmp_path):
    monkeypatch.setattr(drawing.graph, "MAX_LAID_OUT", 5)
    x = torch.ones(2, requires_grad=True)
    y = x
    for i in range(4):
        for part in "ab":
            with torch.state.scope(path=f"net{i // 2}.{i}.{part}"):
                y = y.exp().log()
    with pytest.raises(ValueError, match=r"17 boxes are more than can be laid out \(at most 5\)\. save"):
        graph(y, depth=None).save(tmp_path / "net.svg")
    assert list(tmp_path.iterdir()) == []
    graph(y, depth=None).save(tmp_path / "net.dot")
    pytest.importorskip("pygraphviz")
    graph(y, depth=2).save(tmp_path / "net.svg")
    z = x
    for _ in range(6):
        z = z.tanh()
    with pytest.raises(RuntimeError, match=r"7 boxes .*save\(\) to a .dot file takes any number"):
        graph(z).save(tmp_path / "chain.svg")


def test_a_notebook_shows_the_picture_or_else_the_table(drawn, monkeypatch, no_program):
    pytest.importorskip("pygraphviz")
    shown = drawn._repr_mimebundle_()
    assert "<svg" in shown["image/svg+xml"]
    assert shown["text/plain"] == str(drawn)
    assert drawn.tape._repr_mimebundle_(include=None) == shown
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    shown = drawn._repr_mimebundle_(include=None, exclude=None)
    assert set(shown) == {"text/plain"}
    assert "pip install 'microgad[dot]'" in shown["text/plain"]


def test_view_opens_the_picture(drawn, monkeypatch, no_program):
    pytest.importorskip("pygraphviz")
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    drawn.view()
    (uri,) = opened
    assert uri.startswith("file://")
    assert uri.endswith(".svg")


def test_changes_to_the_dot_attributes_are_saved(drawn, tmp_path):
    drawn.dot.attr(bgcolor="pink")
    drawn.save(tmp_path / "net.dot")
    assert "pink" in (tmp_path / "net.dot").read_text()


def test_graphviz_is_imported_only_to_draw():
    program = """
import sys
sys.modules["graphviz"] = sys.modules["pygraphviz"] = None
import microgad as torch
drawn = torch.ones(2, requires_grad=True).exp().graph()
print("Exp" in str(drawn), "Exp" in drawn.mermaid)
"""
    assert output_of(program) == "True True\n"


def test_drawing_warns_about_nothing(drawn, no_program, tmp_path):
    pytest.importorskip("pygraphviz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn.save(tmp_path / "net.svg")

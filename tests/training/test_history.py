"""`History`: columns, the best row, and reading back from a CSV file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgad.training import History


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))))
def test_a_csv_file_gives_back_the_same_numbers(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("history") / "h.csv"
    history = History({"epoch": epoch, "loss": loss, "held_out_loss": held_out} for epoch, loss, held_out in rows)
    history.save(path)
    again = History.read(path)
    assert again == history
    assert [list(map(type, row.values())) for row in again] == [[int, float, float]] * len(rows)


def test_rows_may_lack_a_column(tmp_path):
    history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "held_out_loss": 0.3}])
    history.save(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text() == "epoch,loss,held_out_loss\n1,0.5,\n2,0.25,0.3\n"
    assert History.read(tmp_path / "h.csv") == history
    assert history.has("loss")
    assert not history.has("held_out_loss")
    assert not History().has("loss")


def test_columns_rows_and_the_best():
    history = History([{"epoch": 1, "e": 0.5}, {"epoch": 2, "e": 0.1}, {"epoch": 3, "e": 0.1}])
    assert history["e"] == [0.5, 0.1, 0.1]
    assert history[-1] == {"epoch": 3, "e": 0.1}
    assert history.best("e")["epoch"] == 2
    with pytest.raises(KeyError, match="loss"):
        history["loss"]


def test_columns_of_older_files_get_their_present_names(tmp_path):
    (tmp_path / "h.csv").write_text("epoch,train_error,validation_error,held_out_error,error\n1,0.1,0.2,0.3,0.4\n")
    names = {"epoch": 1, "train_loss": 0.1, "validation_loss": 0.2, "held_out_loss": 0.3, "error": 0.4}
    assert History.read(tmp_path / "h.csv") == [names]


@pytest.mark.parametrize("line", ["2,fast", "2,0.5,7"])
def test_a_file_with_an_invalid_line_is_refused(tmp_path, line):
    path = tmp_path / "h.csv"
    path.write_text(f"epoch,loss\n1,0.5\n{line}\n")
    with pytest.raises(ValueError, match=r"h\.csv, line 3: expected a number for each of epoch, loss, got 2, "):
        History.read(path)

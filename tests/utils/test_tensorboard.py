"""SummaryWriter writes Tensors to event files, and names tensorboardX if it isn't installed."""

import sys
import warnings
from unittest.mock import Mock

import numpy as np
import pytest

import microgad
from microgad.utils import tensorboard


@pytest.fixture(autouse=True)
def _fresh_writer():
    tensorboard._writer.cache_clear()
    yield
    tensorboard._writer.cache_clear()


def test_without_tensorboardx_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"needs the package tensorboardX: pip install 'microgad\[board\]'"):
        tensorboard.SummaryWriter("runs")


def test_a_mock_has_the_methods_of_the_writer():
    pytest.importorskip("tensorboardX")
    writer = Mock(spec=tensorboard.SummaryWriter)
    writer.add_scalar("loss", 1.0)
    with pytest.raises(AttributeError, match="add_scalr"):
        writer.add_scalr("loss", 1.0)


def test_without_tensorboardx_names_can_be_listed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert "__init__" in dir(tensorboard.SummaryWriter)


@pytest.mark.parametrize(("value", "error"), [([1.0], NotImplementedError), ("high", ValueError)])
def test_a_scalar_is_one_number(value, error):
    pytest.importorskip("tensorboardX")
    writer = tensorboard.SummaryWriter(write_to_disk=False)
    writer.add_scalar("loss", "1.5")
    with pytest.raises(error):
        writer.add_scalar("loss", value)


def test_summaries_of_hyperparameters():
    pytest.importorskip("tensorboardX")
    from microgad.porting.torch_modules.tensorboard_summary import hparams

    found = hparams({"lr": microgad.tensor(0.1), "name": "a"}, {"loss": 1.0})
    assert [[value.tag.rpartition("/")[2] for value in summary.value] for summary in found] == [
        ["experiment"], ["session_start_info"], ["session_end_info"],
    ]  # fmt: skip


def test_written_values_can_be_read(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorboardX")
        with tensorboard.SummaryWriter(str(tmp_path)) as writer:
            for step in range(3):
                writer.add_scalar("loss", microgad.tensor(float(step), requires_grad=True), step)
            writer.add_scalars("both", {"a": microgad.tensor(1.0), "b": 2.0}, 0)
            writer.add_histogram("weights", microgad.rand(10), 0)
            writer.add_image("image", microgad.rand(3, 4, 5), 0)
            writer.add_text("words", "said")
        assert isinstance(writer, tensorboard.SummaryWriter)
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import RecordWriter  # noqa: F401 - the format of what is read below
    (file,) = (path for path in tmp_path.iterdir() if path.is_file())
    data, at, found = file.read_bytes(), 0, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        found.append(Event.FromString(data[at + 12 : at + 12 + length]))
        at += 16 + length
    written = {(v.tag, e.step): v for e in found for v in e.summary.value}
    np.testing.assert_array_equal([written["loss", step].simple_value for step in range(3)], [0.0, 1.0, 2.0])
    assert written["weights", 0].histo.num == 10
    assert written["image", 0].image.height == 4


def test_torch_s_names_and_arguments(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorboardX")
        with tensorboard.SummaryWriter(log_dir=str(tmp_path)) as writer:
            writer.add_scalar("loss", microgad.tensor(1.0), 0, new_style=True, double_precision=True)
            writer.add_hparams({"lr": 0.1}, {"accuracy": microgad.tensor(0.5)}, None, "first run", 3)
    assert writer.log_dir == writer.get_logdir() == str(tmp_path)
    assert (tmp_path / "first run").is_dir()


def test_subclasses_override_methods_and_runs_have_torch_s_folders(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorboardX")

        class Counting(tensorboard.SummaryWriter):
            def __init__(self, folder):
                super().__init__(log_dir=folder)
                self.calls = 0

            def add_scalar(self, *args, **options):
                self.calls += 1
                super().add_scalar(*args, **options)

        with Counting(str(tmp_path)) as writer:
            writer.add_scalar("loss", microgad.tensor(1.0), 0)
            for step in range(2):
                writer.add_scalars("run/x", {"a": microgad.tensor(1.0)}, step)
    assert type(writer) is Counting
    assert issubclass(Counting, tensorboard.SummaryWriter)
    assert writer.calls == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["run_x_a"]
    with tensorboard.SummaryWriter(str(tmp_path / "other"), filename_suffix=".end") as writer:
        writer.add_scalars("x", {"a": 1.0})
    assert all(path.name.endswith(".end") for path in (tmp_path / "other").rglob("events*"))
    tensorboard.SummaryWriter(str(tmp_path / "none"), write_to_disk=False).add_scalars("x", {"a": 1.0})
    assert callable(tensorboard.SummaryWriter.add_image)
    assert not hasattr(tensorboard.SummaryWriter, "add_nothing")


def test_add_graph_is_ignored_with_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("tensorboardX")
        writer = tensorboard.SummaryWriter(str(tmp_path))
    microgad.errors.notices.heard.clear()
    with pytest.warns(UserWarning, match="add_graph: left out"):
        writer.add_graph(microgad.nn.Linear(2, 2), microgad.rand(1, 2))
    writer.close()

"""tests/consumer, a package that uses microgad.testing as its users do, is tested in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from .. import processes

CONSUMER = Path(__file__).parents[1] / "consumer"
FEW = """
from hypothesis import HealthCheck, settings
slow = [HealthCheck.too_slow]
settings.register_profile("few", max_examples=5, deadline=None, suppress_health_check=slow, database=None)
settings.load_profile("few")
"""


@pytest.fixture
def run(tmp_path):
    """A function that runs pytest in a copy of the package, outside of this repository, with the installed microgad."""
    for group, module in (("pytest11", "_microgad_pytest"), ("hypothesis", "_microgad_hypothesis:setup")):
        assert module in [entry.value for entry in entry_points(group=group)], (
            f"microgad isn't installed with its {group} entry point: pip install it again (an editable install too)"
        )
    home = shutil.copytree(CONSUMER, tmp_path / "consumer")
    (home / "conftest.py").write_text(FEW)  # .ci/run runs it as it is

    def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        options = ("-m", "pytest", "-p", "no:cacheprovider", *options)
        return processes.run(*options, folder=home, env=os.environ | environment)

    return run


def test_the_tests_of_an_installed_package_pass(run, tmp_path):
    few = ("-k", "slip or example or training")  # the others pass below
    result = run("--grad-report", str(tmp_path / "r.html"), "--microgad-device", "cpu", *few)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 passed" in result.stdout
    assert "No gradient was found wrong" in (tmp_path / "r.html").read_text()


def test_a_wrong_gradient_is_in_the_table_and_on_the_page(run, tmp_path):
    result = run("--grad-report", str(tmp_path / "r.html"), ACTIVATIONS_FAULT="1")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "1 failed, 9 passed" in result.stdout
    table = result.stdout.partition("wrong gradients ===")[2]
    assert table.splitlines()[2].startswith("test_slip")
    page = (tmp_path / "r.html").read_text()
    assert page.count("<section>") == 1
    assert "Marked: <b>Slip</b>, since its derivative is wrong by itself." in page
    assert "Softplus" in page


def test_without_the_plugin_the_mark_is_unknown(run):
    result = run("-p", "no:microgad")
    assert result.returncode == 2
    assert "'gradcheck' not found in `markers` configuration option" in result.stdout

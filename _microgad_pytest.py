"""The pytest plugin: the mark `gradcheck`, fixtures, and a report of wrong gradients as a table and an HTML page.

pytest loads it in every run where microgad is installed. It is outside of the package, so that loading it imports
neither microgad nor NumPy: runs that don't use them pay nothing, and coverage sees the package being imported.
"""

from __future__ import annotations

import sys
import warnings
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import numpy as np

    from microgad.backend import device

MARK = (
    "gradcheck(order=1, kinks='move', ...): the test returns `function, *inputs`, whose derivatives are checked; the "
    "options are those of microgad.testing.check_grads"
)
SEED = pytest.StashKey[int]()
CHECKED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("microgad", "gradients (microgad)")
    group.addoption(
        "--microgad-device",
        action="append",
        metavar="DEVICE",
        help="where tests with the fixture `device` run: cpu (the default), cuda, cuda:1; may be given more than once",
    )
    group.addoption("--grad-report", type=Path, metavar="HTML", help="write a page that shows each wrong gradient")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    names = config.getoption("--microgad-device")
    if names:
        _refuse_unknown(names)
    config.pluginmanager.register(_devices(names or ["cpu"]))
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist sends its reports
        config.pluginmanager.register(WrongGradients(config.getoption("--grad-report")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Install microgad's filter of warnings again, since pytest gives each test its own filters."""
    if "microgad" in sys.modules:
        sys.modules["microgad"].notices.quiet_numbers()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A NumPy Generator for this test alone: seeded from the test's id, and shown where the test fails."""
    import numpy as np

    seed = request.node.stash[SEED] = zlib.crc32(request.node.nodeid.encode())
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def strict_numerics() -> None:
    """While the test runs, NumPy's warnings are errors: of a division by zero, an overflow, an invalid value, ...

    `pytest_runtest_call` does it: hypothesis warns of fixtures that are set up for each test, so this one does nothing.
    """


def _refuse_unknown(names: list[str]) -> None:
    from microgad import cuda
    from microgad.backend import device

    for name in names:
        try:
            there = device(name).type == "cpu" or cuda.is_available()
        except RuntimeError as error:
            raise pytest.UsageError(f"--microgad-device: {error}") from None
        if not there:
            raise pytest.UsageError(
                f"--microgad-device: there is no {name} here: CuPy finds no GPU, or isn't installed"
            )


def _devices(names: list[str]) -> ModuleType:
    """A plugin with the fixture `device`, parametrized by the names. A project's own fixture `device` overrides it."""

    @pytest.fixture(scope="session", params=names, name="device")
    def made(request: pytest.FixtureRequest) -> device:
        """The microgad.device to test on: each one that `--microgad-device` names."""
        from microgad.backend import device

        return device(request.param)

    plugin = ModuleType("microgad-devices")
    vars(plugin)["device"] = made
    return plugin


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    mark = pyfuncitem.get_closest_marker("gradcheck")
    if mark is None:
        return (yield)
    from microgad.testing.plugins.pytest_plugin import checking

    with checking(pyfuncitem, mark):
        result = yield
    pyfuncitem.stash[CHECKED] = True
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    if "strict_numerics" in getattr(item, "fixturenames", ()):
        with _strict():
            yield
    else:
        yield
    if item.get_closest_marker("gradcheck") and CHECKED not in item.stash:
        pytest.fail(f"{item.name} is marked gradcheck, but a {type(item).__name__} can't be: make it a function", False)


@contextmanager
def _strict() -> Iterator[None]:
    import numpy as np

    with np.errstate(divide="raise", over="raise", invalid="raise"), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # errstate doesn't cover all of them: the mean of an empty array
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    located = True
    if call.excinfo is not None and "microgad.testing" in sys.modules and not item.config.getoption("fulltrace"):
        from microgad.testing.plugins.pytest_plugin import leave_out_own_frames

        located = leave_out_own_frames(call.excinfo, item.path)
    report = yield
    if call.excinfo is not None and report.failed and not located:
        shown: Any = call.excinfo.getrepr(style="value")
        shown.reprtraceback.reprentries[-1].lines[:] = call.excinfo.exconly().splitlines()
        report.longrepr = shown
    if call.excinfo is not None and report.failed:
        if SEED in item.stash:
            report.sections.append(("microgad rng", f"np.random.default_rng({item.stash[SEED]})"))
        if "microgad.testing" in sys.modules:  # otherwise the error isn't one of a gradient check
            from microgad.testing.plugins.pytest_plugin import rows

            page = item.config.getoption("--grad-report") is not None
            report.wrong_gradients = rows(item.nodeid, call.excinfo.value, page)  # type: ignore[attr-defined]
    return report


class WrongGradients:
    """Collects the wrong gradients of all tests, also from pytest-xdist's workers, and reports them at the end."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.found += getattr(report, "wrong_gradients", [])

    def pytest_sessionfinish(self) -> None:
        if self.path is not None:
            from microgad.testing.findings.html_report import page

            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(page(row["html"] for row in self.found), encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.found:
            from microgad.testing.plugins.pytest_plugin import table

            terminalreporter.write_sep("=", "wrong gradients")
            for line in table(self.found):
                terminalreporter.write_line(line)
        if self.path is not None:
            terminalreporter.write_line(f"gradient report: {self.path}")

"""What every test has at hand, and how the suite runs a second time on a GPU, or on a stand-in for CuPy."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import microgad

from .strictarray import askers, installed

collect_ignore = [
    "porting/programs",  # which porting/test_programs.py runs
    "consumer",  # a package with tests of its own, which tests/testing/test_consumer.py runs
    "typed",  # which mypy reads: nothing there is run
    "strictarray/read_surface.py",  # a program for a machine with CuPy
]
HERE = Path(__file__).parent
# What says nothing of a device, and doesn't run a second time; nor do doctests, which print what is on the CPU.
OF_THE_HOST = {
    "examples": "runs of programs",
    "fuzz": "files",
    "graph/test_command.py": "processes of their own",
    "graph/test_diff.py": "values read by .numpy()",
    "graph/test_drawing.py": "values read by .numpy()",
    "graph/test_every_function_replays.py": "examples that the laws move, not they",
    "graph/test_everyday_faults.py": "values read by .numpy()",
    "graph/test_first_bad.py": "NumPy's words for what overflows",
    "graph/test_page_browser.py": "a browser",
    "graph/test_program.py": "programs that NumPy runs",
    "graph/test_replaying.py": "values read by .numpy()",
    "graph/test_verifying.py": "arrays that come from a file lie on the host, which rounds in its own way",
    "graph/test_why_no_grad.py": "values read by .numpy()",
    "mutations": "what the kit finds",
    "ops/test_layouts.py": "how arrays lie in the computer's memory",
    "ops/test_special_digits.py": "digits of the CPU",
    "optim/test_differentiable.py": "comparisons with PyTorch's CPU",
    "onnx": "files, and another runtime on the CPU",
    "parity": "comparisons with PyTorch's CPU",
    "porting/test_porting.py": "processes of their own",
    "porting/test_processes.py": "memory that processes share",
    "porting/test_programs.py": "processes of their own",
    "properties/test_every_function_is_tested.py": "source code",
    "properties/test_false_alarms.py": "numerical derivatives",
    "testing": "the kit's own tests: numerical derivatives, reports, pytest's plugin",
    "test_dialect.py": "source code",
    "test_half.py": "sums that CuPy makes in float32 by itself, and its stand-in doesn't",
    "test_kills.py": "files",
    "test_objects.py": "files",
    "test_transforms.py": "images in the computer's memory",
    "test_formats.py": "files",
    "test_hostile_files.py": "files",
    "test_imports.py": "source code",
}

# To explain an example that it has shrunk to, hypothesis runs hundreds of others, also one that `find` is asked for.
UNEXPLAINED = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]
hypothesis.settings.register_profile("gate", max_examples=25, derandomize=True, deadline=None, phases=UNEXPLAINED)
hypothesis.settings.register_profile("device", max_examples=8, derandomize=True, deadline=None, phases=UNEXPLAINED)
hypothesis.settings.register_profile("thorough", max_examples=500, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run every long check in full, not a seeded sample")
    parser.addoption("--device", default="cpu", help="cuda: on a GPU, or on a stand-in for CuPy where there is none")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):  # of pytest-xdist: there is a process for each core
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    config.addinivalue_line("markers", "host(reason): what a test says holds on the CPU alone")
    second = on_a_device(config)
    hypothesis.settings.load_profile("thorough" if config.getoption("--thorough") else "device" if second else "gate")
    if second:
        config.option.ignore = [*(config.option.ignore or []), *(str(HERE / path) for path in OF_THE_HOST)]
        if config.args_source is config.ArgsSource.TESTPATHS:
            config.args = [str(HERE)]
        if not microgad.cuda.is_available():
            stand_in = installed()
            stand_in.__enter__()
            config.add_cleanup(lambda: stand_in.__exit__(None, None, None))
            askers.tests_look = True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A process that is done takes half of what another has left.

    By itself pytest-xdist hands out hundreds of tests at a time: all of tests/properties to one process, which then
    takes as long as the others need for everything else, twice.
    """
    if config.getoption("dist") != "load":  # somebody wants it in another way
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def on_a_device(config: pytest.Config) -> bool:
    return config.getoption("--device") == "cuda"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if on_a_device(config) else ():
        if mark := item.get_closest_marker("host"):
            item.add_marker(pytest.mark.skip(reason=mark.args[0]))


def pytest_collection_finish() -> None:
    """The collector needn't look through all tests and all modules each time: half a second a look."""
    gc.collect()
    gc.freeze()


def place(node: pytest.Item | pytest.Collector) -> AbstractContextManager[object]:
    """New Tensors are on the device. The laws of tests/properties move their inputs there themselves."""
    moves = on_a_device(node.config) and not node.path.is_relative_to(HERE / "properties")
    return microgad.device("cuda") if moves else nullcontext()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    with place(collector):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with place(item):
        return (yield)

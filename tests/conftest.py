"""Configuration of the tests, also for their second run on a GPU or on a stand-in for CuPy (`--device cuda`)."""

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

from .strictarray import callers, installed

collect_ignore = [
    "porting/programs",  # programs that porting/test_programs.py runs
    "consumer",  # a package with its own tests, which tests/testing/test_consumer.py runs
    "typed",  # only checked by mypy, not run
    "strictarray/read_surface.py",  # a program for a machine with CuPy
    "digits/oracle.py",  # needs mpmath
]
HERE = Path(__file__).parent
# Tests that don't run on a device, and why. Doctests don't either, because their output is that of the CPU.
CPU_ONLY = {
    "examples": "runs of programs",
    "fuzz": "files",
    "autograd/test_writes_between_passes.py": "examples that the laws move to the device",
    "datasets": "files",
    "graph/test_command.py": "other processes",
    "graph/test_diff.py": "values read by .numpy()",
    "graph/test_drawing.py": "values read by .numpy()",
    "graph/test_every_function_replays.py": "examples that the laws move to the device",
    "graph/test_everyday_faults.py": "values read by .numpy()",
    "graph/test_first_bad.py": "NumPy's messages for overflows",
    "graph/test_gallery.py": "drawings, whatever the arrays are",
    "graph/test_page_browser.py": "a browser",
    "graph/test_program.py": "programs that NumPy runs",
    "graph/test_replaying.py": "values read by .numpy()",
    "graph/test_verifying.py": "arrays from a file are on the CPU, which rounds differently",
    "graph/test_why_no_grad.py": "values read by .numpy()",
    "mutations": "faults that the checks of derivatives find",
    "ops/test_introsort.py": "NumPy's arrays",
    "ops/test_special_digits.py": "last digits on the CPU",
    "optim/test_differentiable.py": "comparisons with PyTorch's CPU",
    "onnx": "files, and another runtime on the CPU",
    "parity": "comparisons with PyTorch's CPU",
    "porting/test_library_imports.py": "other processes",
    "porting/test_porting.py": "other processes",
    "porting/test_processes.py": "memory shared by processes",
    "porting/test_programs.py": "other processes",
    "properties/test_every_function_is_tested.py": "source code",
    "properties/test_false_alarms.py": "numerical derivatives",
    "serialization/test_hostile_files.py": "files",
    "serialization/test_interrupted_saves.py": "files",
    "serialization/test_objects.py": "files",
    "serialization/test_other_formats.py": "files",
    "testing": "tests of microgad.testing: numerical derivatives, reports, pytest's plugin",
    "test_dialect.py": "source code",
    "test_docstrings.py": "source code",
    "test_generator_errors.py": "NumPy's arrays",
    "test_imports.py": "source code",
    "test_radix_sort.py": "NumPy's arrays",
    "test_rejection_sampling.py": "NumPy's arrays",
    "test_signatures.py": "source code",
    "test_single_operations.py": "NumPy's arrays",
    "test_transforms.py": "images in the CPU's memory",
}

# The explain phase runs hundreds of further examples after shrinking, even for `hypothesis.find`.
PHASES = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]
hypothesis.settings.register_profile("gate", max_examples=20, derandomize=True, deadline=None, phases=PHASES)
hypothesis.settings.register_profile("again", max_examples=5, derandomize=True, deadline=None, phases=PHASES)
hypothesis.settings.register_profile("thorough", max_examples=500, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run every long check in full, not a seeded sample")
    parser.addoption("--device", default="cpu", help="cuda: on a GPU, or on a stand-in for CuPy where there is none")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None):  # with pytest-xdist there is a process for each core
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    config.addinivalue_line("markers", "host(reason): the test only holds on the CPU")
    config.addinivalue_line("markers", "torch_function: the wrappers that call __torch_function__ are installed")
    device = runs_on_device(config)
    profile = "thorough" if config.getoption("--thorough") else "again" if device else "gate"
    hypothesis.settings.load_profile(config.getoption("--hypothesis-profile", None) or profile)
    if device:
        config.option.ignore = [*(config.option.ignore or []), *(str(HERE / path) for path in CPU_ONLY)]
        if config.args_source is config.ArgsSource.TESTPATHS:
            config.args = [str(HERE)]
        if not microgad.cuda.is_available():
            stand_in = installed()
            stand_in.__enter__()
            config.add_cleanup(lambda: stand_in.__exit__(None, None, None))
        else:
            callers.let_tests_read(microgad.backend._cupy().ndarray)
        callers.tests_may_read = True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let a process that is done take over half of the remaining tests of another.

    By default pytest-xdist assigns hundreds of tests at a time. One process then gets all of tests/properties and needs
    twice as long as the others.
    """
    if config.getoption("dist") != "load":  # another distribution was chosen
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def runs_on_device(config: pytest.Config) -> bool:
    return config.getoption("--device") == "cuda"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if runs_on_device(config) else ():
        if mark := item.get_closest_marker("host"):
            item.add_marker(pytest.mark.skip(reason=mark.args[0]))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    gc.disable()  # hardly anything is freed while tests are collected
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Keep the garbage collector from scanning all tests and modules, which takes half a second each time.

    It runs less often than by default: hypothesis makes many objects, and hardly any are garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def device_context(node: pytest.Item | pytest.Collector) -> AbstractContextManager[object]:
    """Create new Tensors on the device, except in tests/properties, whose laws move their inputs there themselves."""
    moves = runs_on_device(node.config) and not node.path.is_relative_to(HERE / "properties")
    return microgad.device("cuda") if moves else nullcontext()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    with device_context(collector):
        return (yield)


@pytest.fixture(autouse=True)
def _same_draws_in_each_run() -> None:
    """Seed the default generator, which otherwise has a random seed."""
    microgad.manual_seed(0)


@pytest.fixture
def cuda() -> Iterator[None]:
    """Put the stand-in in CuPy's place; new Tensors are on the CPU."""
    with installed(), microgad.device("cpu"):
        yield


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector, so that only reference counting frees objects.

    A collection by the test looks at what the test makes alone.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with device_context(item):
        return (yield)

"""Configuration of the doctests: the names that they use, and isolation from each other."""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from _pytest.runner import runtestprotocol

import microgad
from microgad.torch_function import wrappers

PACKAGE = Path(microgad.__file__).parent
# Files whose optional dependency is missing.
collect_ignore_glob = [] if importlib.util.find_spec("onnx") else ["microgad/onnx/*", "tests/fuzz/graphs.py"]
collect_ignore_glob += [] if importlib.util.find_spec("scipy") else ["microgad/quasirandom.py"]


@pytest.fixture(scope="session")
def doctest_namespace() -> dict[str, Any]:
    """Take the place of pytest's fixture. One that added to it would be looked up for each test."""
    return {"np": np, "torch": microgad, "microgad": microgad, "nn": microgad.nn, "F": microgad.nn.functional}


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Let a process of pytest-xdist send one report of a test that passes, not three and notes of its start and end.

    They cost half as much as all else that pytest does for a test. Only --durations reads them.
    """
    if not hasattr(item.config, "workerinput") or item.config.option.durations is not None:
        return None
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Clear the line cache before a doctest, which otherwise checks every cached file for changes.

    Install the wrappers that call __torch_function__ where a test has that mark, and remove them elsewhere: the first
    class that has a __torch_function__ installs them, for good. A fixture would take longer.
    """
    if isinstance(item, pytest.DoctestItem):
        linecache.clearcache()
    if item.get_closest_marker("torch_function"):
        wrappers.install()
    elif wrappers._installed:
        _remove_wrappers()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Install no wrappers for classes in tests' files: they would count as functions of the files with doctests."""
    wrappers._installed = True
    try:
        return (yield)
    finally:
        wrappers._installed = False
        wrappers._searched.update(sys.modules)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Import a package before its files with doctests.

    Otherwise pytest imports a file that the package imports too a second time, and puts the second module in the place
    of a function of that name.
    """
    if type(collector).__name__ == "DoctestModule" and collector.path.is_relative_to(PACKAGE):
        importlib.import_module(".".join(collector.path.relative_to(PACKAGE.parent).parent.parts))


def _remove_wrappers() -> None:
    wrappers._installed = False
    wrappers._wrappers.clear()
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "microgad"]
    for place in (microgad.Tensor, *modules):
        for name, value in list(vars(place).items()):
            if isinstance(value, property) and hasattr(value.fget, "torch_name"):
                setattr(place, name, property(*map(_behind, (value.fget, value.fset, value.fdel)), value.__doc__))
            elif _behind(value) is not value:
                setattr(place, name, _behind(value))
            elif isinstance(value, type) and value.__module__.startswith("microgad.nn."):
                for f in vars(value).values():
                    if isinstance(f, FunctionType) and f.__defaults__:
                        f.__defaults__ = tuple(map(_behind, f.__defaults__))
            elif type(value) is dict and not name.startswith("__") and any(_behind(key) is not key for key in value):
                table = {_behind(key): x for key, x in value.items()}
                value.clear()
                value.update(table)


def _behind(f: Any) -> Any:
    return f.__wrapped__ if isinstance(f, FunctionType) and "torch_name" in vars(f) else f

"""ONNX's own node tests, run by `load`: `python -m tests.onnx.nodes` writes nodes.md, which lists what is supported.

Each test case is a model of one or a few nodes, with its inputs and expected results.
"""

from __future__ import annotations

import collections
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad
from microgad import onnx

TABLE = Path(__file__).with_name("nodes.md")
RANDN = np.random.randn
RANDOM = ("Bernoulli", "RandomUniformLike", "RandomNormalLike", "RandomUniform", "RandomNormal", "Multinomial")
# Cases whose masks are drawn by NumPy from a seed.
SEEDED_CASES = [f"test_training_dropout{name}" for name in ("", "_mask", "_default", "_default_mask")]


def cases() -> list[Any]:
    """All test cases, sorted by name."""
    from onnx.backend.test.case import base
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings(), np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(base, "process_snippet", lambda op, name, export: (name, ""))  # source code for ONNX's website
        patch.setattr(np.random, "randn", small_randn)
        found = collect_testcases(None)
    return sorted(found, key=lambda case: case.name)


def small_randn(*sizes: int) -> Any:
    """Normal numbers, but of volumes only a part: ONNX's pooling in pure Python would take seconds for 100,000."""
    return RANDN(*(min(n, 6) for n in sizes) if math.prod(sizes) > 50_000 else sizes)


def to_tensors(x: Any) -> Any:
    """Convert an input of a case to Tensors, lists of Tensors or None."""
    if isinstance(x, (list, tuple)):
        return [to_tensors(part) for part in x]
    if hasattr(x, "SerializeToString"):
        from onnx import numpy_helper

        x = numpy_helper.to_array(x)
    return x if x is None else microgad.as_tensor(np.asarray(x))


def unsupported(case: Any) -> str | None:
    """Why a case isn't supported, or None."""
    for x in (*case.model.graph.input, *case.model.graph.output):
        if why := _type(x.type):
            return why
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            onnx.load(case.model)
    except (onnx.UnsupportedError, onnx.FileError) as error:
        message = str(error)
        if "of dtype" in message:
            return "dtype " + message.split("of dtype ")[1].split(",")[0]
        if "there is no kernel for the operator" in message:
            return "operator " + message.split("operator ")[1].split(" (node")[0].split(",")[0]
        return message
    return None


def _type(kind: Any) -> str | None:
    """Why values of a type aren't supported, or None."""
    from onnx import TensorProto

    from microgad.onnx.tensors import KINDS

    which = kind.WhichOneof("value")
    if which == "sequence_type":
        return _type(kind.sequence_type.elem_type)
    if which == "optional_type":
        return _type(kind.optional_type.elem_type)
    number = kind.tensor_type.elem_type
    return None if number in KINDS else f"dtype {TensorProto.DataType.Name(number).lower()}"


def run(case: Any) -> None:
    """Run a case and assert that the results are the expected ones."""
    model = onnx.load(case.model)
    for inputs, outputs in case.data_sets:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = model(*map(to_tensors, inputs))
        found = found if isinstance(found, tuple) else (found,)
        expected = [to_tensors(x) for x in outputs]
        is_random = any(node.op_type in RANDOM for node in case.model.graph.node) or case.name in SEEDED_CASES
        for a, b in zip(found, expected, strict=True):
            _assert_same(a, b, case, is_random)


def _assert_same(a: Any, b: Any, case: Any, is_random: bool) -> None:
    if isinstance(b, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            _assert_same(x, y, case, is_random)
        return
    if b is None:
        assert a is None
        return
    x, y = a.detach().numpy(), b.numpy()
    assert (x.dtype, x.shape) == (y.dtype, y.shape)
    if is_random:
        return
    if y.dtype.kind in "fc":
        np.testing.assert_allclose(x, y, rtol=case.rtol, atol=case.atol if y.dtype != np.float16 else 2e-3)
    else:
        np.testing.assert_array_equal(x, y)


def run_all() -> Iterator[tuple[Any, str | None, str | None]]:
    """Yield (case, why it isn't supported or None, its failure or None) for each case."""
    for case in cases():
        why = unsupported(case)
        failure = None
        if why is None:
            try:
                run(case)
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
        yield case, why, failure


def table(found: list[tuple[str, str | None]]) -> str:
    """The text of nodes.md: how many cases pass, and why others aren't run."""
    import onnx as package

    reasons = collections.Counter(why for _, why in found if why)
    passed = sum(not why for _, why in found)
    message = f"Of the {len(found)} cases of onnx {package.__version__}, {passed} are run and pass."
    lines = [
        "# ONNX's node tests",
        "",
        f"{message} Written by `python -m tests.onnx.nodes`.",
        "",
        "| not run | cases |",
        "|---|---|",
        *(f"| {why} | {count} |" for why, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    found, failed = [], 0
    for case, why, failure in run_all():
        found.append((case.name, why))
        if failure:
            failed += 1
            print(case.name, "|", failure.replace("\n", " ")[:300])
    print(failed, "failed")
    if not failed:
        TABLE.write_text(table(found))
    sys.exit(bool(failed))

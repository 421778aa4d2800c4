"""SobolEngine's points are PyTorch's bit for bit, and its errors have the same class."""

from __future__ import annotations

import pytest

from .side_by_side import checked_programs

pytest.importorskip("scipy")
programs, test_program_behaves_as_in_torch = checked_programs(messages=False)


for name, settings in {
    "plain": {"dimension": 7},
    "of many dimensions": {"dimension": 500},
    "scrambled": {"dimension": 7, "scramble": True, "seed": 3},
    "scrambled by the default generator": {"dimension": 3, "scramble": True},
}.items():
    for dtype in ("float32", "float64"):

        def program(t, nn, settings=settings, dtype=dtype):
            engine = t.quasirandom.SobolEngine(**settings)
            points = [engine.draw(n, dtype=getattr(t, dtype)).numpy().tobytes() for n in (1, 5, 1000)]
            return repr(engine), engine.shift, points, t.rand(2)

        programs[f"{name}, {dtype}"] = program


@programs
def draws_fast_forward_and_reset(t, nn):
    engine, out = t.quasirandom.SobolEngine(2, scramble=True, seed=1), t.empty(0)
    assert engine.draw_base2(2, out=out) is out
    assert engine.fast_forward(4) is engine
    found = [out, engine.draw(3), engine.num_generated, engine.reset().fast_forward(0).draw(2)]
    again = engine.reset().draw_base2(1), engine.num_generated
    return found, again, engine.reset().fast_forward(3).draw(2), engine.draw(2, dtype=t.float64)


@programs
def many_points_after_others(t, nn):
    engine = t.quasirandom.SobolEngine(3, scramble=True, seed=1)
    points = [engine.fast_forward(n).draw(m).numpy().tobytes() for n, m in ((0, 7), (5, 1), (0, 5000), (95_000, 4096))]
    return points, engine.draw(2)


for name, wrong in {
    "no dimension": lambda t: t.quasirandom.SobolEngine(0),
    "too many": lambda t: t.quasirandom.SobolEngine(21202),
    "no points": lambda t: t.quasirandom.SobolEngine(2).draw(0),
    "half a point": lambda t: t.quasirandom.SobolEngine(2).draw(1.5),
    "of integers": lambda t: t.quasirandom.SobolEngine(2).draw(2, dtype=t.int64),
    "no power of 2": lambda t: (e := t.quasirandom.SobolEngine(2)).draw(3) is e.draw_base2(3),
}.items():
    programs[name] = lambda t, nn, wrong=wrong: wrong(t)

"""The fixtures of the pytest plugin: rng, strict_numerics and device."""

from __future__ import annotations

import re

import pytest

from .test_plugin import output_of

pytest_plugins = ["pytester"]


def test_rng_is_seeded_by_the_test_and_shown_when_it_fails(run):
    code = """
    import pytest
    drawn = []

    @pytest.mark.parametrize("i", [0, 1])
    def test_draws(rng, i): drawn.append(rng.integers(1 << 60))

    def test_differ(): assert len(set(drawn)) == 2

    def test_fails(rng): assert rng.random() > 2, drawn
    """
    first, second = run(code), run(code)
    first.assert_outcomes(passed=3, failed=1)
    for line in (r"np.random.default_rng\(\d+\)", r"AssertionError: \[.*\]"):
        assert re.search(line, output_of(first))[0] == re.search(line, output_of(second))[0]


def test_strict_numerics_makes_warnings_errors_in_the_test_only(run):
    result = run(
        """
    import warnings
    import numpy as np, pytest
    from hypothesis import given, strategies as st

    zero, large = np.zeros(1), np.full(1, 1e300)

    @pytest.mark.parametrize("what", ["1 / zero", "zero / zero", "large * large", "np.log(zero)"])
    def test_raises(strict_numerics, what):
        with pytest.raises(FloatingPointError): eval(what)

    def test_other_warnings(strict_numerics):
        with pytest.raises(RuntimeWarning, match="empty"): np.mean([])

    def test_underflow_is_fine(strict_numerics):
        assert 1e-300 * np.full(1, 1e-300) == 0

    @given(st.integers(0, 3))
    def test_with_hypothesis(strict_numerics, n):
        with pytest.raises(FloatingPointError): n / zero

    @pytest.mark.usefixtures("strict_numerics")
    class TestAll:
        def test_raises(self):
            with pytest.raises(FloatingPointError): 1 / zero

    def test_outside():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert np.isinf(1 / zero)
    """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=9)


DEVICE = """
    import microgad as torch
    from hypothesis import given, strategies as st

    def test_device(device):
        assert device == torch.device("cpu")
        assert torch.zeros(2, device=device).device == device

    @given(st.integers())
    def test_with_hypothesis(device, n): assert device.type == "cpu"
"""


def test_the_device_is_the_one_that_the_option_names(run):
    run(DEVICE).assert_outcomes(passed=2)
    result = run(DEVICE, "--microgad-device=cpu", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_device?cpu?*"])
    assert run(DEVICE, "--microgad-device=gpu").ret == pytest.ExitCode.USAGE_ERROR


def test_a_missing_device_is_an_error(run, monkeypatch):
    import microgad.cuda

    monkeypatch.setattr(microgad.cuda, "is_available", lambda: False)
    result = run(DEVICE, "--microgad-device=cuda")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--microgad-device: there is no cuda here" in output_of(result)
    monkeypatch.setattr(microgad.cuda, "is_available", lambda: True)
    result = run("def test_it(device): assert device.type", "--microgad-device=cuda", "--microgad-device=cpu", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_it?cuda?*", "*test_it?cpu?*"])


def test_fixtures_of_a_project_take_precedence(run):
    run(
        """
    import pytest

    @pytest.fixture
    def device(): return "mine"

    @pytest.fixture
    def rng(): return "mine"

    def test_it(device, rng): assert device == rng == "mine"
    """
    ).assert_outcomes(passed=1)

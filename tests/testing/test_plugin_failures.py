"""What the pytest plugin shows of a failed check, and the settings of hypothesis that it changes."""

from __future__ import annotations

import re

from .test_plugin import FAULTY, output_of

pytest_plugins = ["pytester"]


def test_tracebacks_end_in_the_program_and_the_full_one_is_there_on_request(run):
    code = (
        FAULTY
        + """
    from hypothesis import given, settings
    from microgad.testing import check_grads, check_op
    from microgad.testing.strategies import tensors

    settings.register_profile("forgets", database=None)
    settings.load_profile("forgets")

    def test_grads(): check_grads(Square, vector())

    def test_op(): check_op(Square, vector(), examples=5)

    @pytest.mark.gradcheck
    def test_marked(): return Square, vector()

    @pytest.mark.gradcheck
    @given(tensors((1,)))
    def test_anywhere(x): return Square, x

    def broken(x): return x @ np.ones(7)

    def test_of_the_program(): check_grads(broken, vector())
    """
    )
    said = output_of(run(code, in_subprocess=True))
    assert "in broken" in said
    for test in ("test_grads", "test_op", "test_marked", "test_anywhere"):
        shown = re.search(rf"_ {test} _+\n(.*?)(\n___|\n===)", said, re.DOTALL)[1]
        assert "wrong in" in shown
        assert "entries.py" not in shown
        assert "_pytest" not in shown
        assert ("test_it.py" in shown) == (test != "test_marked")
    assert "entries.py" in output_of(run(code, "--full-trace", "-k", "test_grads", in_subprocess=True))


def test_a_marked_test_has_no_deadline_unless_it_sets_one_and_explains_no_lines_of_microgad(run):
    result = run(
        FAULTY
        + """
    import time
    from hypothesis import given, settings, strategies as st
    from microgad.testing.strategies import tensors

    @pytest.mark.gradcheck
    @given(tensors((2,)))
    @settings(max_examples=2)
    def test_slow(x):
        time.sleep(0.3)
        return torch.exp, x

    class TestMethods:
        @pytest.mark.gradcheck
        @settings(max_examples=2)
        @given(tensors((2,)))
        def test_slow_method(self, x):
            time.sleep(0.3)
            return torch.exp, x

    @pytest.mark.gradcheck
    @settings(max_examples=2, deadline=100)
    @given(tensors((2,)))
    def test_too_slow(x):
        time.sleep(0.3)
        return torch.exp, x

    @pytest.mark.gradcheck
    @given(tensors())
    def test_wrong(x): return Square, x
    """
    )
    result.assert_outcomes(passed=2, failed=2)
    assert "DeadlineExceeded" in output_of(result)
    assert "Explanation" not in output_of(result)

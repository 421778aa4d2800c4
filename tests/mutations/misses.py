"""Faults that are known not to be caught, and why."""

from __future__ import annotations

AT_ONE = "shows only for a probability of exactly 1, from which no step can be made: the property test stays below"
IN_FLOAT32 = "second derivatives, and operations that draw, are held against differences in float64 alone"
SMALL = "a correction of a series by less than a ten millionth, which the estimates of errors can't tell from rounding"
UNDEFINED = "shows in igamma for a negative a alone, where it isn't defined; lgamma's own test is not among those asked"
BY_DIGITS = "shows next to lgamma's poles, where its property test doesn't go; tests/ops/test_special_digits.py sees it"
BELOW_TABLE = "shows for lgamma far below 0, where its property test doesn't go; test_special_digits.py sees it"
NEAR_ZEROS = "shows below 0, or in the last digits alone, where property tests don't go; test_special_digits.py sees it"
OF_COMPLEX = "the property tests of linear algebra are of real matrices; the complex ones are left to PyTorch's op_db"
OF_COMPLEX64 = "the property test of a complex number's parts is of complex128; of complex64 they have PyTorch's walk"
AT_KINK = "shows at 0 alone, a kink; tests/parity/test_derivatives_at_special_points.py sees it"
AT_ZERO = "shows at 0 alone, where there is no derivative; tests/properties/test_complex.py sees it"
MISSES: dict[str, str] = {
    "constant: Angle.grad_x: line 5, `0.0` becomes `1.0`": AT_ZERO,
    "off by one: BinaryCrossEntropy.grad_target: line 3, `100` becomes `101`": AT_ONE,
    "off by one: BinaryCrossEntropy.grad_target: line 3, `100` becomes `99`": AT_ONE,
    "wrong in float32: Dropout.grad_x: wrapped": IN_FLOAT32,
    "wrong at zeros only: LogSoftmax.grad_x: wrapped": "shows only for a logit that is larger than all others by 37",
    "wrong at zeros only: I0e.grad_x: wrapped": AT_KINK,
    "off by one: _euler_maclaurin: line 7, `1` becomes `0`": SMALL,
    "wrong function: lower_lgamma: line 3, `np.maximum(x, -1e+300)` becomes `np.minimum(x, -1e+300)`": UNDEFINED,
    "forward: float64: Imag.forward: wrapped": OF_COMPLEX64,
    "call dropped: conj: line 3, `np.conjugate(x)` becomes `x`": OF_COMPLEX,
    "dropped term: phase_free: line 3, `1 + abs(values(scale))` becomes `abs(values(scale))`": OF_COMPLEX,
    "operation: _between: line 5, `x + 2` becomes `x - 2`": UNDEFINED,
    "call dropped: _lgamma_by_pole: line 7, `pieces((n, e, w), (size < 1e-06, lambda n, e, w: "
    "e * upper_digamma(n + 1 - e ...` becomes `(n, e, w)`": BY_DIGITS,
    "dropped term: _lgamma_reflected: line 2, `n + 1 - e` becomes `e`": BY_DIGITS,
    "call dropped: table_rows: line 3, `np.clip(index, 0, len(table) - 1)` becomes `index`": BELOW_TABLE,
    "dropped term: _log_ratio: line 2, `n + 0.5` becomes `0.5`": BY_DIGITS,
    "dropped term: _from_pole: line 4, `x + n` becomes `n`": NEAR_ZEROS,
    "call dropped: _pole_and_distance: line 3, `np.rint(-x)` becomes `-x`": NEAR_ZEROS,
    "operation: product_error: line 7, `a_high * b_high - a * b + a_high * b_low + a_low * b_high` becomes "
    "`a_high * b_high - a * b + a_high * b_low - a_low * b_high`": NEAR_ZEROS,
    "off by one: _power: line 5, `1` becomes `0`": NEAR_ZEROS,
    "dropped term: hurwitz: line 3, `s + _TERMS` becomes `s`": NEAR_ZEROS,
}

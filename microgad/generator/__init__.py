"""PyTorch's CPU random streams on bare NumPy arrays.

After `manual_seed(s)` every draw here is the one that PyTorch makes on a CPU with that seed. Uniform, integer and
Bernoulli draws are equal bit for bit. NumPy's logarithm, sine and cosine aren't PyTorch's: normal draws are equal to
5 units in the last place in float32 (2 in float64), exponential ones to 2 in float64.

The engine is NumPy's MT19937, which is PyTorch's: one stream of 32-bit words (stream.py). Everything else says how
many words a draw takes, in which order, and what it makes of them. Fills run in the *memory order* of their
destination. Bad arguments and empty arrays draw nothing.
"""

from . import choices, fills, gamma_dirichlet, poisson_binomial, transformed
from .stream import Generator, default_generator, stream_of
from .vmap_randomness import by_lanes

bernoulli_, dropout_noise = by_lanes(fills.bernoulli_), by_lanes(fills.dropout_noise)
normal_, random_, uniform_ = by_lanes(fills.normal_), by_lanes(fills.random_), by_lanes(fills.uniform_)
cauchy_, exponential_ = by_lanes(transformed.cauchy_), by_lanes(transformed.exponential_)
geometric_, log_normal_ = by_lanes(transformed.geometric_), by_lanes(transformed.log_normal_)
randperm, multinomial = by_lanes(choices.randperm), by_lanes(choices.multinomial, reads=True)
slopes = by_lanes(transformed.slopes, reads=True)
dirichlet, gamma = by_lanes(gamma_dirichlet.dirichlet, reads=True), by_lanes(gamma_dirichlet.gamma, reads=True)
binomial, poisson = by_lanes(poisson_binomial.binomial, reads=True), by_lanes(poisson_binomial.poisson, reads=True)

__all__ = [
    "Generator",
    "bernoulli_",
    "binomial",
    "cauchy_",
    "default_generator",
    "dirichlet",
    "dropout_noise",
    "exponential_",
    "gamma",
    "geometric_",
    "log_normal_",
    "multinomial",
    "normal_",
    "poisson",
    "random_",
    "randperm",
    "slopes",
    "stream_of",
    "uniform_",
]

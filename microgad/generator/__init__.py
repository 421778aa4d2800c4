"""PyTorch's CPU random streams on bare NumPy arrays.

After `manual_seed(s)` every draw here is the one that PyTorch makes on a CPU with that seed. Uniform, integer and
Bernoulli draws are equal bit for bit. NumPy's logarithm, sine and cosine differ from PyTorch's, so that normal draws
are equal within 5 units in the last place in float32 (2 in float64), exponential ones within 2 in float64.

NumPy has the same engine as PyTorch, MT19937: one stream of 32-bit words (stream.py). The other files say how many
words a draw takes, in which order, and how it turns them into numbers. Fills run in the *memory order* of their
destination. Bad arguments and empty arrays draw nothing.
"""

from . import choices, fills, gamma_dirichlet, poisson_binomial, transformed
from .stream import Generator, default_generator, generator_or_default
from .vmap_randomness import vmap_aware

bernoulli_, normal_ = vmap_aware(fills.bernoulli_, fills=True), vmap_aware(fills.normal_, fills=True)
random_, uniform_ = vmap_aware(fills.random_, fills=True), vmap_aware(fills.uniform_, fills=True)
cauchy_, exponential_ = vmap_aware(transformed.cauchy_, fills=True), vmap_aware(transformed.exponential_, fills=True)
geometric_ = vmap_aware(transformed.geometric_, fills=True)
log_normal_ = vmap_aware(transformed.log_normal_, fills=True)
dropout_noise = vmap_aware(fills.dropout_noise, by_axes=True)
rrelu_noise = vmap_aware(transformed.rrelu_noise, reads=True)
randperm, multinomial = vmap_aware(choices.randperm), vmap_aware(choices.multinomial, reads=True, by_rows=True)
dirichlet, gamma = vmap_aware(gamma_dirichlet.dirichlet, reads=True), vmap_aware(gamma_dirichlet.gamma, reads=True)
binomial, poisson = vmap_aware(poisson_binomial.binomial, reads=True), vmap_aware(poisson_binomial.poisson, reads=True)

__all__ = [
    "Generator", "bernoulli_", "binomial", "cauchy_", "default_generator", "dirichlet", "dropout_noise", "exponential_",
    "gamma", "generator_or_default", "geometric_", "log_normal_", "multinomial", "normal_", "poisson", "random_",
    "randperm", "rrelu_noise", "uniform_",
]  # fmt: skip

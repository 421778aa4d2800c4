"""Random numbers: PyTorch's CPU streams, which are the same on every device."""

from .in_place import bernoulli_, cauchy_, exponential_, geometric_, log_normal_, normal_, random_, uniform_
from .new import normal, rand, rand_like, randint, randint_like, randn, randn_like, randperm
from .sampling import bernoulli, binomial, multinomial, poisson
from .seeds import fork_rng, get_rng_state, initial_seed, manual_seed, seed, set_rng_state

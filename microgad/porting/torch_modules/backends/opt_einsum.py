"""torch.backends.opt_einsum: flags without effect. einsum always contracts in the cheapest order."""

from .mkl import is_available as is_available

enabled, strategy = True, "auto"

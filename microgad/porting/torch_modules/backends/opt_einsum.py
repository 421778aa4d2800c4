"""torch.backends.opt_einsum: flags without effect. einsum always contracts in the cheapest order."""

from ....lazy import define_getattr as _define_getattr

enabled, strategy = True, "auto"


def is_available() -> bool:
    """Return False. Source: torch.backends.opt_einsum.is_available."""
    return False


_define_getattr(globals())

"""torch.backends.opt_einsum: flags without effect; einsum takes the cheapest order."""

from ....lazy import absent as _absent

enabled, strategy = True, "auto"


def is_available() -> bool:
    """False. Source: torch.backends.opt_einsum.is_available."""
    return False


_absent(globals())

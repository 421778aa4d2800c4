"""torch.backends.opt_einsum: flags without effect. einsum always contracts in the cheapest order."""

enabled, strategy = True, "auto"


def is_available() -> bool:
    """Return False. Source: torch.backends.opt_einsum.is_available."""
    return False

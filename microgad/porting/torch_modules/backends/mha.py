"""torch.backends.mha: whether attention may compute on bare arrays in evaluation, which shows in nothing but time."""

_fastpath_enabled = True


def get_fastpath_enabled() -> bool:
    """Return what `set_fastpath_enabled` was told, at first True. Source: torch.backends.mha.get_fastpath_enabled."""
    return _fastpath_enabled


def set_fastpath_enabled(value: bool) -> None:
    """Set the flag, which has no effect. Source: torch.backends.mha.set_fastpath_enabled."""
    global _fastpath_enabled
    _fastpath_enabled = value

"""torch.backends.cpu: the vector instructions of the processor."""

from __future__ import annotations

from ....training.environment import environment


def get_cpu_capability() -> str:
    """Return PyTorch's name of the processor's vector instructions. Source: torch.backends.cpu.get_cpu_capability.

    >>> torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2", "AVX512")
    True
    """
    features = str(environment()["CPU features"])
    names = {"AVX512": ("AVX512", "X86_V4"), "AVX2": ("AVX2", "X86_V3")}  # NumPy before 2.4, and since
    return next((name for name, parts in names.items() if any(part in features for part in parts)), "DEFAULT")

"""torch.backends.cpu: the vector instructions of the processor."""

from __future__ import annotations

from ....training.environment import environment


def get_cpu_capability() -> str:
    """Return PyTorch's name of the processor's vector instructions. Source: torch.backends.cpu.get_cpu_capability.

    >>> torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2", "AVX512")
    True
    """
    features = str(environment()["CPU features"])
    return "AVX512" if "AVX512" in features else "AVX2" if "AVX2" in features else "DEFAULT"

"""torch.version: the version of PyTorch that microgad follows, as a build for the CPU."""

from ..alias import TORCH_VERSION

__version__, debug = TORCH_VERSION, False
cuda = hip = rocm = xpu = None
git_version = "Unknown"

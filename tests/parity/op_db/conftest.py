"""Leave out these tests where PyTorch or expecttest is missing."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") and find_spec("expecttest") else ["*.py"]

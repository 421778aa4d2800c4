"""PyTorch's module database, run on microgad: `python -m tests.parity.module_db --help`.

The layers of `torch.testing._internal.common_modules.module_db`, and those of cases.py that it leaves out, are built in
both libraries from the same seed. Each check is a program that both run (programs.py); op_db converts the arguments and
compares the results (../op_db/swap.py, compare.py). checks.py has the checks of a layer: its signature, attributes,
state and repr; results, gradients and second derivatives by inputs and parameters; copies; a state_dict of one library
loaded by the other; errors.

scope.py says what is left out and why, pending.py which names fail a check. coverage.py makes ../modules.md from them.
"""

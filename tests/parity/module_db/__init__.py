"""PyTorch's module database, walked on microgad: `python -m tests.parity.module_db --help`.

The layers of `torch.testing._internal.common_modules.module_db`, and those of cases.py that it leaves out, are built in
both libraries after the same seed. Each check is a program that both run (programs.py); how arguments are swapped and
results compared is op_db's (../op_db/swap.py, compare.py). walk.py has the checks of a layer: its signature, its
attributes, state and repr, results, gradients and second derivatives by inputs and parameters, copies, a state_dict of
one library loaded by the other, errors.

scope.py says what is left out and why, pending.py what isn't done. coverage.py makes ../modules.md of them.
"""

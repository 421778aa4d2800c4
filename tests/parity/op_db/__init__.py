"""PyTorch's own operator database, run on microgad: `python -m tests.parity.op_db --help`.

Each check is a program that both libraries run (programs.py). A sample's tensors, dtypes and functions are replaced by
microgad's (swap.py), even in the lambdas of PyTorch's test suite, whose `torch` becomes microgad: what a user does with
`import microgad as torch`. The results must be the same (compare.py; exceptions.py lists where they need not be).
checks.py has the checks of an op: results in each dtype, on noncontiguous memory and on extreme values; arguments
changed or left alone; first and second derivatives; aliases, methods, operators, in-place forms and `out=`; shared
memory; errors. Where torch rejects a sample, nothing is compared.

scope.py says what is left out and why, pending.py which names fail a check. coverage.py makes ../coverage.md from them.
"""

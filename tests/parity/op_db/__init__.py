"""PyTorch's own operator database, walked on microgad: `python -m tests.parity.op_db --help`.

Each check is a program that both libraries run (programs.py). A sample's tensors, dtypes and functions are swapped for
microgad's (swap.py), even the lambdas of PyTorch's test-suite, whose `torch` becomes microgad: what a user does by
`import microgad as torch`. What they return has to be the same (compare.py; exceptions.py where it needn't be). walk.py
has the checks of an op: results in each dtype, on strided memory, on extreme values; arguments changed or left alone;
first and second derivatives; aliases, methods, operators, in-place forms, `out=`; shared memory; errors. Where torch
refuses a sample, nothing is compared.

scope.py says what is left out and why, pending.py what isn't done. coverage.py makes ../coverage.md of them.
"""

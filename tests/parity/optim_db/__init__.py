"""PyTorch's optimizer database, run on microgad.

Each optimizer of `torch.testing._internal.common_optimizers.optim_db`, with each of its sets of arguments and each of
its combinations of schedulers, takes steps in both libraries from the same parameters with the same gradients. After
each step parameters, state, options and learning rates must agree (pairs.py says how closely). A state_dict of one
library can be loaded by the other half-way. What optim_db says must be rejected raises the same class with the same
message.

Left out: SparseAdam, which only takes sparse gradients; `differentiable=True`, which tests/optim covers; what optim_db
has for GPUs.
"""

"""PyTorch's optimizer database, walked on microgad.

Each optimizer of `torch.testing._internal.common_optimizers.optim_db`, with each set of arguments there and each of its
combinations of schedules, takes ten steps in both libraries from the same parameters by the same gradients. After each
step parameters, state, options and learning rates have to be the same (twins.py says how nearly). Half-way a state_dict
of each library may be loaded by the other. What optim_db says must be refused is refused by the same class in the same
words.

Left out: SparseAdam, which takes sparse gradients alone; `differentiable=True`, which tests/optim holds; what optim_db
has for GPUs.
"""

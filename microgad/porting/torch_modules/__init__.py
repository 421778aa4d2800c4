"""Modules of PyTorch that control what microgad doesn't have, so that programs which use them run.

`torch.jit` is `microgad.porting.torch_modules.jit`, and so on. Most functions do nothing; those whose absence matters
warn or raise.
"""

"""Rooms of PyTorch's that steer what microgad doesn't have: programs that set them run, and are told where it matters.

Here `torch.jit` is `microgad.porting.torch_modules.jit`, and so on.
"""

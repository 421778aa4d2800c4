"""Batching for `torch.func.vmap`: an array with a hidden batch axis, and NumPy's functions on it.

A mapped function runs once on `BatchedArray`s, which look like one slice. `rules` says how NumPy's functions treat the
hidden axis, `fallback` computes slice by slice, and `vmap` takes arrays in and results out.
"""

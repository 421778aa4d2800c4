"""Batching for `torch.func.vmap`: an array with a hidden batch axis, and NumPy's functions on it.

A mapped function runs once on `BatchedArray`s, each of which looks like one slice. `rules` says how NumPy's functions
treat the hidden axis, `fallback` computes slice by slice what has no rule, and `vmap` takes arrays in and results out.
"""

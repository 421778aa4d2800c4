"""Numerical differentiation with error estimates, and the comparisons of check_grads and gradcheck."""

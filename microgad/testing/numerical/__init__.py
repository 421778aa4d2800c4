"""Derivatives by number, and what is held against them: the parts of check_grads and gradcheck."""

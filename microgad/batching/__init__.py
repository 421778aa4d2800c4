"""Many slices at once: an array whose first axis nobody sees, and NumPy's functions on it. vmap maps by it."""

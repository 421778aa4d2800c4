"""The operations, by family: each file has Functions and, below them, the public functions that apply them."""

"""The operations, a family a file. Each file holds Functions and, under them, the public functions that apply them."""

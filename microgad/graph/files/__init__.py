"""A tape in files, and as what other libraries hold."""

"""A tape as a page for a browser: one file, or one that is served while a training runs."""

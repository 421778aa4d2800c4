"""HTML pages that show a tape in a browser: a single file, or a live view served while a model trains."""

"""A derivative that is wrong, as data, and what is said of it: the mistake, code to paste, a table, a page."""

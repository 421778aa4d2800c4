"""A tape run again: as it was, with changes, and as a program of its own."""

"""Run a tape again: unchanged, to verify it; with changes; or as a program that needs NumPy alone."""

"""Queries on a tape: where a gradient's path ends, where a NaN began, memory, costs, and how two tapes differ."""

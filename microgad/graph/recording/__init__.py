"""The two ways to make a Tape: record operations while a program runs, or read the nodes behind a Tensor afterwards."""

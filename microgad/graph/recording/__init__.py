"""How a tape comes about: an observer writes it while a program runs, or the nodes behind a Tensor are read."""

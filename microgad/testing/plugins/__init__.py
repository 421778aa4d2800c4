"""The plugins for pytest and hypothesis, imported only when they are needed."""

"""What the plugins of pytest and hypothesis do, once they are needed."""

"""Random programs of operations, views, writes and backward passes, and a naive engine to run them on."""

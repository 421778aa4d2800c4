"""Random programs of operations, views, in-place writes and backward passes, and a naive engine that runs them."""

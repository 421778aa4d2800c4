"""Save and load tapes as JSON and .npz files, and convert them to objects of other libraries."""

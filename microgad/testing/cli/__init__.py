"""The command line of the testing kit: `check` operations, `write` tests."""

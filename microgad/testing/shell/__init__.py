"""The kit from the shell: check and write."""

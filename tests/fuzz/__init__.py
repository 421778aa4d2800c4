"""Files that are broken on purpose, by what is known of their formats: whatever is in one, it is loaded or refused."""

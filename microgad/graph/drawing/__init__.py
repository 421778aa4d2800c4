"""A tape as a drawing: what is shown, as plain data, and the languages that say it."""

"""Broken files, made with knowledge of their formats: each must be loaded or refused."""

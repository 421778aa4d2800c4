"""Findings: wrong derivatives as data, and how they are reported: likely mistake, message, reproducer, HTML report."""

"""Command lines of the benchmarks."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser whose `--help` prints the script's docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def chosen(given: argparse.ArgumentParser, beginnings: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Return beginnings of names as given, or one of all. It is an error if no name begins so."""
    found, known = tuple(beginnings) or ("",), list(names)
    for beginning in found:
        if not any(name.startswith(beginning) for name in known):
            given.error(f"no name begins with {beginning!r}; they are {', '.join(known)}")
    return found

"""Download a file from the first of several mirrors whose copy is intact."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from .idx import DataError

CHUNK = 1 << 16  # bytes
TIMEOUT = 30  # seconds without a byte


def fetch(filename: str, md5: str, mirrors: Sequence[str], folder: str) -> None:
    """Download `filename` to `folder` from the first of `mirrors` whose copy has the checksum `md5`.

    The data is written to a temporary file, checked, then renamed, so that no incomplete file stays behind.

    Raises:
        DataError: no mirror had the file. The message contains the answer of each mirror.
    """
    from http.client import HTTPException

    answers = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{filename}"
        try:
            return fetch_from(url, md5, os.path.join(folder, filename))
        except (OSError, HTTPException, ValueError) as error:  # ValueError: a malformed address, a wrong checksum
            answers.append(f"\n  {url}: {error}")
    raise DataError(f"{filename} could not be downloaded. Tried{''.join(answers) or ' nothing: no mirrors are listed'}")


def fetch_from(url: str, md5: str | None, target: str) -> None:
    """Download a file, as `fetch` does, from one address; without `md5` it isn't checked."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    partial = f"{target}.{os.getpid()}.part"
    try:
        with urlopen(Request(url, headers={"User-Agent": "microgad"}), timeout=TIMEOUT) as response:
            size = int(response.headers.get("Content-Length") or 0)
            digest = hashlib.md5(usedforsecurity=False)
            with open(partial, "wb") as file, _progress(url, size) as advance:
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    advance(len(chunk))
        if md5 is not None and digest.hexdigest() != md5:
            got = os.path.getsize(partial)
            raise DataError(f"the download ({got} bytes) has MD5 {digest.hexdigest()}, expected {md5}")
        os.replace(partial, target)
    except HTTPError as error:
        error.close()  # it is the response, too, and holds the connection
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)


@contextlib.contextmanager
def _progress(url: str, size: int) -> Iterator[Callable[[int], object]]:
    """Report on stderr what is downloaded, and each quarter of the progress."""
    print(f"downloading {url} ({size / 1e6:.1f} MB)" if size else f"downloading {url}", file=sys.stderr)
    done = quarters = 0

    def advance(count: int) -> None:
        nonlocal done, quarters
        done += count
        if size and 4 * done // size > quarters:
            quarters = 4 * done // size
            print(f"  {done / size:.0%}", file=sys.stderr)

    yield advance

"""Fetch the layout library of the HTML page, dagre (MIT), from the npm registry at a pinned version, by `npm pack`.

    python scripts/vendor_dagre.py

writes microgad/graph/pages/web/dagre.min.js and its license, unchanged. To update, change VERSION and the digest, run
the page's tests, and look at a page.
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "3.1.3"
SHA512 = "X4aUTwOReZvthaZWOVHqlJ52/ZdhZFEM4+Lh/uR4XooUSLE6p71bcy7MPGzYnNUcNh+nj+i/qJQpCMIdQnSmrg=="
WEB = Path(__file__).resolve().parents[1] / "microgad" / "graph" / "pages" / "web"

with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["npm", "pack", f"@dagrejs/dagre@{VERSION}"], cwd=folder, check=True, capture_output=True)
    (archive,) = Path(folder).glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise SystemExit(f"{archive.name} has the digest {found}, not the expected {SHA512}")
    with tarfile.open(archive) as tar:
        for source, target in (("dagre.min.js", "dagre.min.js"), ("dagre.min.js.LEGAL.txt", "dagre.LICENSE.txt")):
            member = tar.extractfile(f"package/dist/{source}")
            assert member is not None
            (WEB / target).write_bytes(member.read())
print(f"dagre {VERSION} is in {WEB}")

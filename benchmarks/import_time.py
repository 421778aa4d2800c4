"""The time of `import microgad` relative to `import numpy`: user and system time of fresh processes.

Each time is the minimum over interleaved processes, minus that of the bare interpreter.

    python benchmarks/import_time.py
"""

from __future__ import annotations

import os
import subprocess
import sys

from arguments import parser

# Compiled files are cached, as users have them.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def processor_time(code: str) -> float:
    """Return the seconds of user and system time of a Python process."""
    process = subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, code
    return usage.ru_utime + usage.ru_stime


def main(rounds: int = 20) -> None:
    codes = {"bare": "pass", "numpy": "import numpy", "microgad": "import microgad"}
    for code in codes.values():
        processor_time(code)  # a warm-up: writes compiled files and fills disk caches
    times = [{name: processor_time(code) for name, code in codes.items()} for _ in range(rounds)]
    best = {name: min(t[name] for t in times) for name in codes}
    numpy, microgad = best["numpy"] - best["bare"], best["microgad"] - best["bare"]
    print(f"import numpy {numpy * 1e3:.0f} ms   import microgad {microgad * 1e3:.0f} ms   ratio {microgad / numpy:.2f}")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    main()

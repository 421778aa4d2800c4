"""The command line: `python -m microgad.testing check mypackage.ops:Softplus`, `... write mypackage.ops`."""

import sys

from .cli.command import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m microgad program.py`: see `microgad.porting.run`."""

import sys

from .porting.run import main

sys.exit(main(sys.argv[1:]))

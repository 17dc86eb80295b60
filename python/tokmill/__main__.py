"""`python -m tokmill` is the command line."""

import sys

from tokmill.cli import main

sys.exit(main())

"""What these tests share with those in `tests`: the profiles of hypothesis, the specification, the small models."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

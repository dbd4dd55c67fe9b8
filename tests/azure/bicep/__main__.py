"""Answers for each file named on the command line, as a JSON list of problems per line."""

import json
import sys
from pathlib import Path

from .check import problems

for name in sys.argv[1:]:
    print(json.dumps(problems(Path(name).read_text(encoding="utf-8"))))

"""The real az's opinion of a command, from a process in azure-cli's own environment."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


class Parser:
    def __init__(self, python, config):
        # It asks nobody: neither for extensions, nor for what may have been meant, nor does it tell.
        quiet = {
            "AZURE_CONFIG_DIR": str(config),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_ERROR_RECOMMENDATION": "off",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }
        self._known = {}
        self._process = subprocess.Popen(
            [python, HERE / "parser.py"],
            env={**os.environ, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def problem(self, argv, complete=True):
        """What the real az would refuse, or None."""
        question = json.dumps({"argv": list(argv), "complete": complete})
        if question not in self._known:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            assert answer, f"the parser of az died of: az {' '.join(argv)}"
            self._known[question] = json.loads(answer)
        return self._known[question]

    def problems(self, commands, complete=True):
        return {
            "az " + " ".join(argv): found for argv in commands if (found := self.problem(argv, complete)) is not None
        }

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)

"""`python -m tests.fuzz [seconds] [arguments of schemathesis]`: asks everything that the schema describes.

Ends with schemathesis' exit code: 0 if every check held. The seed that it prints repeats a run (`--seed`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.service import PASSWORD, fill, serving


def main(seconds: str = "600", *more: str) -> int:
    with tempfile.TemporaryDirectory(prefix="portcullis-fuzz-") as folder, serving(Path(folder)) as address:
        config = Path(__file__).with_name("schemathesis.toml")
        command = [Path(sys.executable).with_name("schemathesis"), "--config-file", config, "run"]
        options = ["--max-time", seconds, "--auth", f"admin:{PASSWORD}", "--continue-on-failure", *more]
        run = subprocess.Popen([*command, f"{address}/api/schema", *options])
        while (code := run.poll()) is None:
            fill()
            time.sleep(1)
        return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Runs `./build.py run` and draws what it printed as docs/run.svg, the picture in the README.

Usage: .venv/bin/python docs/record_run.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 118


def main() -> int:
    """Run, draw, and give the run's exit status."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    command = [sys.executable, str(ROOT / "build.py"), "run"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        console.print(Text("$ ./build.py run", style="bold"))
        console.print(Text.from_ansi((done.stdout + done.stderr).decode(errors="replace").replace("\r", "")))
        console.print(Text(f"$ echo $?\n{done.returncode}"))
        console.save_svg(str(ROOT / "docs" / "run.svg"), title="Tantalum")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

"""Time of the default build: from clean, after a one-line change, with nothing to do; whole processes."""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compiler.cli import output
from compiler.cli.bench import Options, Row
from compiler.driver.errors import ToolError
from tests.checkout import copy_sources

CHANGED_FILE = Path("hypervisor", "main.py")
REPETITIONS = 5


def run(options: Options) -> list[Row]:
    """Measure in a temporary copy of the sources that shares this checkout's .venv."""
    with tempfile.TemporaryDirectory(prefix="tantalum-bench-") as folder:
        root = Path(folder)
        copy_sources(root)
        clean: list[float] = []
        changed: list[float] = []
        unchanged: list[float] = []
        for number in range(REPETITIONS):
            shutil.rmtree(root / "build", ignore_errors=True)
            clean.append(_build(root, options))
            _change_one_line(root / CHANGED_FILE, number)
            changed.append(_build(root, options))
            time.sleep(0.05)  # edits within a tick of the clock are looked at more closely
            _build(root, options)
            unchanged.append(_build(root, options))
    return [
        Row("build from clean", statistics.median(clean), "s", 5.0),
        Row("build after a one-line change", statistics.median(changed), "s", 2.0),
        Row("build with nothing to do", statistics.median(unchanged), "s", 0.5),
    ]


def _change_one_line(file: Path, number: int) -> None:
    """Give the module one more constant, at its end, or another value of it."""
    text = file.read_text(encoding="utf-8").partition("\nBENCH_ROUND")[0]
    file.write_text(f"{text.rstrip()}\n\nBENCH_ROUND = {number}\n", encoding="utf-8")


def _build(root: Path, options: Options) -> float:
    """Run one build and return its wall time in seconds."""
    command = [sys.executable, str(root / "build.py"), "build"]
    start = time.perf_counter()
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if options.verbose:
        output.say(f"$ {' '.join(command)}  ({seconds:.3f} s)", "dim")
    if result.returncode != 0:
        raise ToolError("B110", "the build that was to be measured failed", fix=result.stderr.strip(), status=1)
    return seconds

"""Running the build tool as its users do."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from compiler.driver.paths import ROOT

Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tool() -> Tool:
    """A function that runs ./build.py with arguments, without a terminal."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "build.py", *arguments],
            env={**os.environ, "TANTALUM_INSTALL": "never", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run

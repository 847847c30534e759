"""`clean`: removes artefacts and caches."""

import shutil
from typing import Annotated

import typer

from compiler.cli import output
from compiler.driver.errors import ToolError
from compiler.driver.paths import BUILD_FOLDER, ROOT


def clean(
    everything: Annotated[bool, typer.Option("--all", help="Also remove .venv and the caches of test tools.")] = False,
) -> int:
    """Remove build artefacts and the build cache."""
    targets = [BUILD_FOLDER]
    if everything:
        targets += [ROOT / name for name in (".venv", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")]
    for target in targets:
        if target.is_symlink():
            output.say(f"left {target.relative_to(ROOT)}: it is a link")
        elif target.exists():
            try:
                shutil.rmtree(target)
            except OSError as error:
                raise ToolError("B102", f"cannot remove: {error.strerror}", where=error.filename) from None
            output.say(f"removed {target.relative_to(ROOT)}/")
    return 0

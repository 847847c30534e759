"""Assembly blocks: hand-scheduled instructions bound to a dialect function.

`@assembly_block(text)` on a function makes calls of it run the block on target; the function's own body is the
block's twin, its specification, and is what runs on the host. The text's language is described in docs/assembly.md.
`{expr}` in the text is evaluated in the function's module; a module that imports a name for a block's text alone
repeats it in `uses`, where tools that know only Python see it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
ASSEMBLY_TEXT = "__tantalum_assembly__"


def assembly_block(text: str, *, uses: tuple[object, ...] = ()) -> Callable[[F], F]:
    """Bind a block to the function below, which is its twin."""
    del uses

    def mark(function: F) -> F:
        setattr(function, ASSEMBLY_TEXT, text)
        return function

    return mark

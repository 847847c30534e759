"""What the build tool says when it cannot go on: one error type, rendered one way.

Only the standard library is imported, since `build.py` raises these before any package is installed. Each
code has a page in docs/errors/; codes that start with B belong to the build tool.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path


class ToolError(Exception):
    """A condition that the user can mend.

    `what` says what is wrong and what was found, `where` names the file, key or command it was found in,
    `fix` says what to do about it. `status` is the exit status of the process: 2 unless a command documents
    another one.
    """

    def __init__(self, code: str, what: str, *, where: str | Path = "", fix: str = "", status: int = 2) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = str(where)
        self.fix = fix
        self.status = status

    def render(self) -> str:
        """Return the text for the terminal, without a final newline."""
        lines = [f"error[{self.code}]: {self.what}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.fix:
            first, *rest = self.fix.splitlines()
            lines += [f"  = help: {first}", *(f"          {line}" for line in rest)]
        return "\n".join(lines)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" for a name close to a known one, or nothing."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean '{near[0]}'?" if near else ""

"""Answers `build` at once when nothing changed: neither a file that builds depend on, nor an artefact, nor
the command.

A successful build leaves a record for its exact command line. The record holds name, size and modification
time of every input and artefact; when all are as they were, the recorded text is printed again and nothing
else is even imported. Any difference leads to the full path, which compares contents. Input times are taken
before the inputs are read; a record is only written when the youngest of them was older than the clock's
granularity at that moment, because an edit in the same tick would not show.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence

INPUT_FOLDERS = ("compiler", "hypervisor", "runtime", "linker_scripts")
INPUT_FILES = ("requirements.lock",)
TIME_GRANULARITY_NS = 20_000_000

Stamps = dict[str, tuple[int, int]]  # path below the root -> size in bytes, modification time in ns


def input_stamps(root: str) -> Stamps:
    """Return the stamps of every file that a build may depend on."""
    stamps: Stamps = {}
    for name in INPUT_FOLDERS:
        stamps.update(_folder_stamps(os.path.join(root, name), name))
    stamps.update(file_stamps(root, INPUT_FILES))
    return stamps


def file_stamps(root: str, names: Iterable[str]) -> Stamps:
    """Return the stamps of the named files, (-1, -1) for those that are not there."""
    stamps: Stamps = {}
    for name in names:
        try:
            status = os.stat(os.path.join(root, name))
            stamps[name] = (status.st_size, status.st_mtime_ns)
        except OSError:
            stamps[name] = (-1, -1)
    return stamps


def _folder_stamps(folder: str, prefix: str) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _folder_stamps(entry.path, name)
        else:
            status = entry.stat()
            yield name, (status.st_size, status.st_mtime_ns)


class Freshness:
    """The record of one command line, below `root`."""

    def __init__(self, root: str, arguments: Sequence[str]) -> None:
        self._root = root
        command = "-".join(arguments) or "default"
        name = "".join(character if character.isalnum() else f"%{ord(character):x}" for character in command)
        self._file = os.path.join(root, "build", ".cache", "fresh", f"{name[:200]}.json")
        self._arguments = list(arguments)

    def recorded_text(self) -> str | None:
        """Return what the last build of this command line ended with, when nothing changed since."""
        try:
            with open(self._file, encoding="utf-8") as file:
                record = json.load(file)
            stamps = {name: tuple(stamp) for name, stamp in record["inputs"].items()}
            artefacts = {name: tuple(stamp) for name, stamp in record["artefacts"].items()}
            if record["arguments"] != self._arguments or file_stamps(self._root, artefacts) != artefacts:
                return None
            return str(record["text"]) if input_stamps(self._root) == stamps else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def record(self, inputs: Stamps, taken_at_ns: int, artefacts: Iterable[os.PathLike[str]], text: str) -> None:
        """Leave the record; `inputs` were taken at `taken_at_ns`, before the build read anything."""
        youngest_ns = max(modified for _, modified in inputs.values())
        if youngest_ns + TIME_GRANULARITY_NS > taken_at_ns:
            return
        names = [os.path.relpath(artefact, self._root) for artefact in artefacts]
        content = {
            "arguments": self._arguments,
            "inputs": inputs,
            "artefacts": file_stamps(self._root, names),
            "text": text,
        }
        os.makedirs(os.path.dirname(self._file), exist_ok=True)
        temporary = f"{self._file}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(temporary, self._file)

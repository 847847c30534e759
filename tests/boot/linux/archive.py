"""Makes cpio archives with Debian's cpio: Linux's first file system, and what the hypervisor is given."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.tools import debian_tool

NEWC = "newc"
OLD_BINARY = "bin"
PROGRAM_MODE = 0o755


def archive(files: Mapping[str, bytes], form: str, folders: tuple[str, ...] = ()) -> bytes:
    """The archive of the folders and then the files, all of them programs, in their order."""
    with TemporaryDirectory() as root:
        for name in folders:
            Path(root, name).mkdir()
        for name, data in files.items():
            Path(root, name).write_bytes(data)
            Path(root, name).chmod(PROGRAM_MODE)
        names = "".join(f"{name}\n" for name in (*folders, *files))
        command = [debian_tool("cpio"), "--quiet", "--create", f"--format={form}", "--owner=+0:+0"]
        return subprocess.run(command, input=names.encode(), cwd=root, stdout=subprocess.PIPE, check=True).stdout

"""Makes Linux's first file system with Debian's cpio: unlike the hypervisor's archives it has folders and programs."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.tools import debian_tool

FORMAT = "newc"  # what Linux unpacks
PROGRAM_MODE = 0o755


def archive(files: Mapping[str, bytes], folders: tuple[str, ...] = ()) -> bytes:
    """The archive of the folders and then the files, all of them programs, in their order."""
    with TemporaryDirectory() as root:
        for name in folders:
            Path(root, name).mkdir()
        for name, data in files.items():
            Path(root, name).write_bytes(data)
            Path(root, name).chmod(PROGRAM_MODE)
        names = "".join(f"{name}\n" for name in (*folders, *files))
        command = [debian_tool("cpio"), "--quiet", "--create", f"--format={FORMAT}", "--owner=+0:+0"]
        return subprocess.run(command, input=names.encode(), cwd=root, stdout=subprocess.PIPE, check=True).stdout

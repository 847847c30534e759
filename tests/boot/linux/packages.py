"""Takes files out of Debian's arm64 packages on any Debian machine, without root and without installing anything.

apt itself does the work, with a state folder of its own and the machine's own mirrors and keys: so signatures and
checksums are apt's, and the machine's package lists stay as they are. What is taken out is kept in the build cache;
nothing is fetched when it is there.
"""

import fcntl
import fnmatch
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from compiler.driver.paths import CACHE_FOLDER

CACHE = CACHE_FOLDER / "debian-arm64"
TIMEOUT_SECONDS = 300
LAST_LINES = 5


class FetchError(Exception):
    """What could not be fetched, and what apt said."""


def fetch(package: str, members: Mapping[str, str], folder: Path) -> None:
    """Download a package of the newest version and put members of it into the folder.

    `members`: file name in the folder -> pattern of the path in the package. Raises FetchError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _download_folder() as downloads:
        _apt("download", package, folder=downloads)
        (archive,) = downloads.glob("*.deb")
        _unpack(archive, members, folder)


def dependency(package: str, pattern: str) -> str:
    """The name of the package that `package` depends on and whose name matches the pattern: for packages that are
    empty and only name the current version of another.
    """
    shown = _apt("show", "--no-all-versions", package, program="apt-cache")
    depends = re.search(r"^Depends: (.*)$", shown, re.MULTILINE)
    names = [part.split()[0] for part in depends[1].split(",")] if depends else []
    found = [name for name in names if re.fullmatch(pattern, name)]
    if not found:
        raise FetchError(f"Debian's package {package} depends on {names}, none of which matches {pattern!r}")
    return found[0]


def update() -> None:
    """Fetch the mirrors' lists of arm64 packages."""
    _apt("update")


@contextmanager
def locked() -> Generator[None, None, None]:
    """Hold the cache: tests run side by side."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _download_folder() -> Generator[Path, None, None]:
    folder = CACHE / "downloads"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _apt(command: str, *arguments: str, program: str = "apt-get", folder: Path = CACHE) -> str:
    """Run a command of apt on arm64 packages; returns what it printed."""
    if shutil.which(program) is None:
        raise FetchError(f"{program} is not installed: Debian's arm64 packages are fetched by apt")
    call = [program, command, *arguments]
    result = subprocess.run(
        call,
        cwd=folder,
        env={**os.environ, "APT_CONFIG": str(_configuration()), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        said = "\n  ".join(result.stdout.strip().splitlines()[-LAST_LINES:])
        raise FetchError(
            f"`{' '.join(call)}` for arm64 could not be done, and the tests that boot Linux need it:\n  {said}\n"
            "  they need a Debian mirror once (the one in /etc/apt); what it gave is kept in build/.cache"
        )
    return result.stdout


def _configuration() -> Path:
    """The file that gives apt its own state folder and the other architecture."""
    state = CACHE / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    file = state / "apt.conf"
    file.write_text(
        f'Dir::State "{state}";\nDir::State::status "{state}/status";\n'
        f'Dir::Cache "{state}";\nDir::Cache::archives "{state}/archives";\n'
        'APT::Architecture "arm64";\nAPT::Architectures { "arm64"; };\n'
        'Acquire::Languages "none";\nAcquire::Retries "2";\n'
    )
    return file


def _unpack(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Copy members of a .deb file into the folder; one that is not there is an error."""
    missing = dict(members)
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    with tar, tarfile.open(fileobj=tar.stdout, mode="r|") as content:
        for entry in content:
            for name in [name for name, pattern in missing.items() if fnmatch.fnmatch(entry.name, pattern)]:
                data = content.extractfile(entry)
                assert data is not None, f"{entry.name} is not a file"
                with (folder / name).open("wb") as out:
                    shutil.copyfileobj(data, out)
                del missing[name]
    if missing:
        raise FetchError(f"{archive.name} holds nothing like {', '.join(missing.values())}")

"""Debian packages as a source of text: fetched by apt, unpacked by dpkg-deb, without root and without installing.

apt's lists are kept beside the packages and refreshed first, since those of the system may name files that the archive
no longer has, and only root may refresh them. A package that is only a name for the current version (`linux-doc` for
`linux-doc-6.1`) is followed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path


class Unavailable(Exception):
    """The packages cannot be had here; the message says why."""


class Archive:
    """The packages that this machine's sources offer, kept in a directory."""

    def __init__(self, directory: Path) -> None:
        missing = [tool for tool in ("apt-get", "apt-cache", "dpkg-deb") if shutil.which(tool) is None]
        if missing:
            raise Unavailable(f"{', '.join(missing)} not found: this machine has no Debian packages")
        self.directory = directory
        for part in ("lists/partial", "apt/archives/partial"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        self._run("apt-get", "update", "--quiet")

    def fetch(self, package: str) -> Path:
        """Return the .deb of a package, fetched unless it is there."""
        name = self._current_name(package)
        if not (present := sorted(self.directory.glob(f"{name}_*.deb"))):
            process = self._run("apt-get", "download", "--quiet", name)
            if process.returncode != 0:
                last = process.stderr.strip().splitlines()[-1:] or ["no message"]
                raise Unavailable(f"apt-get cannot download {name}: {last[0]}")
            present = sorted(self.directory.glob(f"{name}_*.deb"))
        return present[-1]

    def unpack(self, package: Path) -> Path:
        """Return a directory that holds the files of a .deb."""
        target = self.directory / package.stem
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", str(package), str(target)], check=True)
        return target

    def _current_name(self, package: str) -> str:
        """Return the versioned package that an unversioned name stands for, or the name itself."""
        output = self._run("apt-cache", "depends", package).stdout
        depends = re.findall(r"^ *\|?Depends: (\S+)$", output, flags=re.MULTILINE)
        return next((name for name in depends if unversioned(name) == unversioned(package)), package)

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a tool of apt on the lists of this directory."""
        here = self.directory.resolve()
        options = ["-o", f"Dir::State::Lists={here / 'lists'}", "-o", f"Dir::Cache={here / 'apt'}"]
        command = [tool, *options, *arguments]
        return subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)


def unversioned(name: str) -> str:
    """Return a package's name without its numbers."""
    return re.sub(r"-?[0-9.]+", "", name)


def describe(path: Path) -> dict[str, int | str]:
    """Return size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}

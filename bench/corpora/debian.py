"""Debian packages as a source of text: fetched by apt, unpacked by dpkg-deb, without root and without installing.

A package that is only a name for the current version (`linux-doc` for `linux-doc-6.1`) is followed. Where the archive has
dropped the newest version that apt's lists know, the older ones that they know are tried.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path


class Unavailable(Exception):
    """The packages cannot be had here; the message says why."""


def require_tools() -> None:
    """Raise `Unavailable` unless this machine has Debian's tools."""
    missing = [tool for tool in ("apt-get", "apt-cache", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise Unavailable(f"{', '.join(missing)} not found: this machine has no Debian packages")


def fetch(package: str, directory: Path) -> Path:
    """Return the .deb of a package, fetched into `directory` unless it is there."""
    directory.mkdir(parents=True, exist_ok=True)
    name = current_name(package)
    present = sorted(directory.glob(f"{name}_*.deb"))
    if present:
        return present[-1]
    for version in versions(name):
        command = ["apt-get", "download", "--quiet", f"{name}={version}"]
        if subprocess.run(command, cwd=directory, capture_output=True, check=False).returncode == 0:
            return sorted(directory.glob(f"{name}_*.deb"))[-1]
    raise Unavailable(f"apt-get cannot download {name}: apt's lists may be old (`apt-get update` as root)")


def current_name(package: str) -> str:
    """Return the versioned package that an unversioned name stands for, or the name itself."""
    output = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True, check=False).stdout
    depends = re.findall(r"^ *\|?Depends: (\S+)$", output, flags=re.MULTILINE)
    return next((name for name in depends if unversioned(name) == unversioned(package)), package)


def unversioned(name: str) -> str:
    """Return a package's name without its numbers."""
    return re.sub(r"-?[0-9.]+", "", name)


def versions(name: str) -> list[str]:
    """Return the versions that apt knows, newest first."""
    output = subprocess.run(["apt-cache", "madison", name], capture_output=True, text=True, check=False).stdout
    return list(dict.fromkeys(line.split("|")[1].strip() for line in output.splitlines() if line.count("|") >= 2))


def unpack(package: Path, directory: Path) -> Path:
    """Return a directory that holds the files of a .deb."""
    target = directory / package.stem
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", str(package), str(target)], check=True)
    return target


def describe(path: Path) -> dict[str, int | str]:
    """Return size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}

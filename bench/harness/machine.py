"""Where and with what a run was made."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path

import tokmill
from bench.cases import HERE, ROOT
from bench.harness.jobs import interpreters
from bench.peers import PEERS, TOKMILL


def facts() -> dict[str, str]:
    """Return the machine, the Python, and the revision that is measured."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpu(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "revision": revision(),
        "load average before": f"{os.getloadavg()[0]:.2f}",
    }


def cpu() -> str:
    """Return the processor's name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def revision() -> str:
    """Return the commit, marked where files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def versions() -> dict[str, str]:
    """Return the version of every peer, as its own environment says."""
    found = {}
    for environment, python in interpreters().items():
        peers = [peer for peer in PEERS.values() if peer.environment == environment]
        found |= ask(python, {peer.module: peer.distribution for peer in peers})
    if TOKMILL not in found:  # In the path, and not installed.
        found[TOKMILL] = tokmill.__version__
    return {name: found.get(name, "not installed") for name in PEERS}


def ask(python: str, distributions: dict[str, str]) -> dict[str, str]:
    """Return the versions of distributions in another Python, without those it lacks."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "names = json.loads(sys.argv[1])\n"
        "have = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}\n"
        "print(json.dumps({k: have[v] for k, v in names.items() if v in have}))"
    )
    command = [python, "-c", code, json.dumps(distributions)]
    try:
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):
        return {}


def record_directory(*, keep: bool) -> Path:
    """Make the directory of a run: under `record/`, or under `record/local/`, which git ignores."""
    machine = re.sub(r"[^a-z0-9]+", "-", cpu().lower().replace("(r)", "").replace("(tm)", "")).strip("-")
    name = f"{facts()['date']}-{machine}"
    path = HERE / "record" / ("" if keep else "local") / name
    path.mkdir(parents=True, exist_ok=True)
    return path

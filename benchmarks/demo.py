"""Time and memory of the demo, from the section's counts to the report: run by ``make bench``.

The first run of a fresh installation compiles the numerical engines as well; give ``--repeat 2`` to see both.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run_once(folder: Path) -> tuple[float, float]:
    """Seconds, and the largest resident memory (GiB) that any of the demo's processes had so far."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "nichedose.cli", "demo", str(folder), "--quiet"], check=True)
    seconds = time.perf_counter() - begin
    scale = 2.0**30 if platform.system() == "Darwin" else 2.0**20  # bytes there, KiB on Linux
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=1)
    repeat = parser.parse_args().repeat
    print(f"{os.cpu_count()} processors, Python {platform.python_version()}, {platform.machine()}")
    for number in range(1, repeat + 1):
        with tempfile.TemporaryDirectory() as place:
            seconds, memory = run_once(Path(place) / "demo")
        print(f"run {number}: {seconds:.1f} s, largest process {memory:.2f} GiB")


if __name__ == "__main__":
    main()

"""Make the tables of photon fractions between organs that ship in src/nichedose/dose/data.

    python tools/organ_fractions.py [--phantom adult_male] [--rays 60000] [--pairs 8000] [--spacing 2]

About a minute and a half for each phantom on one core. Same arguments, same table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nichedose.dose.organ_table import make_fractions, to_plain
from nichedose.dose.phantom import voxelise
from nichedose.library.phantoms import PHANTOMS

DATA = Path(__file__).resolve().parents[1] / "src" / "nichedose" / "dose" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phantom", choices=PHANTOMS, action="append")
    parser.add_argument("--rays", type=int, default=60000)
    parser.add_argument("--pairs", type=int, default=8000)
    parser.add_argument("--spacing", type=float, default=2.0, help="side of a voxel, mm")
    asked = parser.parse_args()
    for name in asked.phantom or PHANTOMS:
        fractions = make_fractions(voxelise(name, asked.spacing), asked.rays, asked.pairs, tell=print)
        plain = to_plain(fractions)
        rows = plain.pop("per_g")
        text = json.dumps(plain)[:-1] + ', "per_g": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n"
        (DATA / f"organ_fractions_{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

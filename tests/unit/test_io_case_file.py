"""The case file from disk, and its schema."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nichedose.errors import BadInput
from nichedose.io import case_json_schema, read_case

TEXT = """
title = "A case"
tumour = "prostate"
[lesion]
diameter = "20 mm"
[[sections]]
path = "section"
[[candidates]]
agent = "177Lu-PSMA-617"
[output]
folder = "results"
"""


def test_case_is_read(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())  # editors on Windows put a mark at the front
    case = read_case(path)
    assert case.lesion.diameter == 20.0 and case.sections[0].kind == "auto"


def test_case_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(TEXT.replace("20 mm", "20 Gy"))
    with pytest.raises(BadInput, match=r"case\.toml: 'lesion\.diameter'"):
        read_case(tmp_path / "case.toml")
    with pytest.raises(BadInput, match=r"no such case file. Did you mean 'case\.toml'"):
        read_case(tmp_path / "csae.toml")
    with pytest.raises(BadInput, match="is a folder"):
        read_case(tmp_path)
    (tmp_path / "empty.toml").write_text(" \n")
    with pytest.raises(BadInput, match="the file is empty"):
        read_case(tmp_path / "empty.toml")
    (tmp_path / "binary.toml").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_case(tmp_path / "binary.toml")


def test_schema_is_for_the_text_that_users_write() -> None:
    schema = json.loads(json.dumps(case_json_schema()))
    assert schema["additionalProperties"] is False and schema["title"] == "nichedose case"
    lesion = schema["$defs"]["Lesion"]["properties"]
    assert lesion["diameter"]["type"] == "string"

    def defaults(node: object) -> list[tuple[object, object]]:
        if isinstance(node, dict):
            own = [(node["type"], node["default"])] if "default" in node and "type" in node else []
            return own + [d for v in node.values() for d in defaults(v)]
        return [d for v in node for d in defaults(v)] if isinstance(node, list) else []

    found = defaults(schema)
    assert found and all(isinstance(value, str) for kind, value in found if kind == "string")


def test_io_is_light_to_import() -> None:
    code = "import sys, nichedose.io; print(sorted({'anndata', 'h5py', 'zarr'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The reference that is committed is what the code says today."""

import json
import subprocess
import sys

from services import reference
from services.reference import PAGES, ROOT, SCHEMAS


def test_making_the_reference_again_gives_the_same_bytes():
    differs = [
        str(path)
        for path, text in reference.documents().items()
        if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert not differs, f"run `make reference` and commit {', '.join(differs)}"


def test_another_process_makes_the_same(tmp_path):
    code = "import sys; from pathlib import Path; from services import reference; reference.write(Path(sys.argv[1]))"
    run = {"cwd": ROOT, "check": True, "env": {"PYTHONHASHSEED": "7", "COLUMNS": "40", "LANG": "C", "PYTHONUTF8": "1"}}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], **run)
    made = {path.relative_to(tmp_path): path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.*")}
    assert made == reference.documents()


def test_no_schema_is_left_of_an_event_that_is_gone():
    assert reference.unknown() == []


def test_a_stale_page_is_written_anew_and_a_stray_schema_is_named(tmp_path):
    reference.write(tmp_path)
    page, stray = tmp_path / PAGES / "settings.md", tmp_path / SCHEMAS / "OrderMislaid.json"
    page.write_text("old")
    stray.write_text("{}")
    assert reference.write(tmp_path) == [PAGES / "settings.md"]
    assert reference.unknown(tmp_path) == [SCHEMAS / "OrderMislaid.json"]


def test_the_whole_edge_is_described_and_every_operation_says_who_may_call_it():
    paths = json.loads((ROOT / PAGES / "openapi.json").read_text(encoding="utf-8"))["paths"]
    assert {path.split("/")[2] for path in paths if path.startswith("/v1/")} >= {
        *("sessions", "requests", "orders", "visits", "parts", "surveys", "reports", "events")
    }
    assert all(operation["x-roles"] for path in paths.values() for operation in path.values())

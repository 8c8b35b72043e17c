"""Manifests of recordings: tab-separated values with a header, or JSON lines; a recording a line."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path


def read_rows(manifest: Path) -> list[dict[str, str]]:
    """Return the lines of a manifest by the names of their columns."""
    lines = manifest.read_text("utf-8-sig").split("\n")
    return [json.loads(line) for line in lines if line] if manifest.suffix == ".jsonl" else rows_of(lines)


def rows_of(lines: Iterable[str]) -> list[dict[str, str]]:
    """Return lines, the header first, by the names of their columns."""
    return list(csv.DictReader((line.rstrip("\r\n") for line in lines), delimiter="\t"))

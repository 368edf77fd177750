"""Where the published instances lie: beside the checkout; they are read and never copied into it."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[4] / "shared" / "data" / "dispatch"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the published instances are not beside the checkout")


def files(pattern: str) -> list[Path]:
    return sorted(DATA.glob(pattern))


def named(path: Path) -> str:
    return path.name

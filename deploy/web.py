"""
Builds the screens into services/gateway/web/dist: with the Node of this machine, or with the one of its wheel.

`python -m deploy.web` does nothing where they are built from the sources that lie there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
WEB: Final = ROOT / "services" / "gateway" / "web"
BUILT: Final = WEB / "dist"
DOCUMENT: Final = ROOT / "docs" / "reference" / "openapi.json"
LOCKED_NODE: Final = ROOT / "requirements-node.txt"

NEEDED: Final = (20, 19)
"""The Node that Vite asks for."""


def main() -> None:
    try:
        built = build()
    except subprocess.CalledProcessError as error:
        sys.exit(f"the screens cannot be built: {' '.join(map(str, error.cmd))} ended with {error.returncode}")
    print(f"the screens are built in {BUILT.relative_to(ROOT)}" if built else "the screens are as their sources say")


def build() -> bool:
    """Build what is not built from these sources; whether it did. Raises CalledProcessError."""
    stamp, made_from = BUILT / "built-from", _fingerprint(WEB)
    if stamp.exists() and stamp.read_text() == made_from:
        return False
    env = _node()
    installed = WEB / "node_modules" / "installed-from"
    locked = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if not installed.exists() or installed.read_text() != locked:
        print("installing what is locked in package-lock.json (about half a minute)")
        _run(["npm", "ci", "--silent"], env)
        installed.write_text(locked)
    _run(["npm", "run", "--silent", "build"], env)
    stamp.write_text(made_from)
    return True


def _fingerprint(web: Path) -> str:
    """Of all that the screens are built from."""
    whole = hashlib.sha256()
    for path in [*sorted(_sources(web)), DOCUMENT]:
        whole.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()


def _sources(web: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(web):
        folders[:] = [name for name in folders if name not in ("node_modules", "dist", "api")]
        yield from (Path(folder) / name for name in names)


def _node() -> Mapping[str, str]:
    """An environment in which `npm` and a Node that is new enough are found; the wheel is installed where none is."""
    env = dict(os.environ)
    if shutil.which("npm") and _version("node") >= NEEDED:
        return env
    beside = Path(sys.executable).parent
    if not (beside / "npm").exists():
        print("no Node here: installing the one of requirements-node.txt beside Python")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "-r", str(LOCKED_NODE)], check=True)
    return env | {"PATH": f"{beside}{os.pathsep}{env.get('PATH', '')}"}


def _version(node: str) -> tuple[int, ...]:
    if not shutil.which(node):
        return (0,)
    said = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def _run(command: list[str], env: Mapping[str, str]) -> None:
    subprocess.run(command, check=True, cwd=WEB, env=env)


if __name__ == "__main__":
    main()

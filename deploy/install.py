"""
Brings what the distributed form and its tests need, where that may be done: Debian's packages as root, Kafka's jars.

Where it may not, one line says what is missing; the tests that need it are skipped then.
"""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.kafka import local as kafka
from deploy.postgres import local as postgres

PACKAGES = {"java": "default-jre-headless", "mvn": "maven", "chromium": "chromium"}
CHINESE_FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"), "fonts-noto-cjk"


def main() -> None:
    try:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            font, package = CHINESE_FONT
            lacking = [package for program, package in PACKAGES.items() if not shutil.which(program)]
            _debian(lacking if font.exists() else [*lacking, package])
            postgres.install()
        if kafka.missing() is None:
            kafka.install()
    except (subprocess.CalledProcessError, RuntimeError) as error:
        print(f"could not be installed: {error}")
    no_browser = "" if shutil.which("chromium") else "Chromium (Debian: chromium)"
    for lack in (kafka.missing(), postgres.missing(), no_browser):
        if lack:
            print(f"not here, so its tests are skipped: {lack}")


def _debian(packages: list[str]) -> None:
    if packages:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], check=True, env=quiet)
        install = ["apt-get", "install", "-q", "-y", "--no-install-recommends"]
        subprocess.run([*install, *packages], check=True, env=quiet)


if __name__ == "__main__":
    main()

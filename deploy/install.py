"""
Brings what the distributed form and its tests need, where that may be done: Debian's packages as root, Kafka's jars.

Where it may not, one line says what is missing; the tests that need it are skipped then.
"""

import os
import shutil
import subprocess

from deploy.kafka import local as kafka
from deploy.postgres import local as postgres

PACKAGES = {"java": "default-jre-headless", "mvn": "maven"}


def main() -> None:
    try:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            _debian([package for program, package in PACKAGES.items() if not shutil.which(program)])
            postgres.install()
        if kafka.missing() is None:
            kafka.install()
    except (subprocess.CalledProcessError, RuntimeError) as error:
        print(f"could not be installed: {error}")
    for lack in (kafka.missing(), postgres.missing()):
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

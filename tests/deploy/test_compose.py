"""
The compose file says what the code wants. No engine runs it here: what is tested is what it says.

What Docker itself would do with it (names, networks, images) nobody has tried in this suite.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.kafka.local import HERE as KAFKA_FILES
from deploy.kafka.local import VERSION as KAFKA_VERSION
from deploy.local import TWICE
from services.host import discover
from services.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENT = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
SERVICES = DOCUMENT["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"] == "fieldloop"}
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")


def role(one):
    serve, what = one["command"]
    assert serve == "serve"
    return what


def settings(name):
    # What the operator has not set is empty.
    unset = {key: re.sub(r"\$\{\w+:-\}", "", value) for key, value in OURS[name]["environment"].items()}
    return Settings.from_env(env=unset)


def test_every_service_has_a_process_and_those_that_are_doubled_have_two():
    expected = {"gateway", *discover(), *[f"{name}-2" for name in TWICE]}
    assert set(OURS) == expected
    assert {name: role(one) for name, one in OURS.items()} == {name: name.removesuffix("-2") for name in expected}
    assert set(SERVICES) - set(OURS) == {"kafka", "postgres"}


@pytest.mark.parametrize("name", OURS)
class TestAProcess:
    def test_its_settings_exist_and_are_accepted(self, name):
        given = {one for one in OURS[name]["environment"] if one.startswith("FIELDLOOP_")}
        assert given <= {f"FIELDLOOP_{field.upper()}" for field in Settings.__annotations__}
        assert settings(name).cluster.bootstrap == ["kafka:9092"]
        assert settings(name).dsn == "postgresql://fieldloop@postgres:5432/fieldloop"

    def test_it_listens_under_the_name_by_which_the_others_reach_it(self, name):
        """Its address goes into the lease, and from there to the gateway."""
        assert OURS[name]["hostname"] == settings(name).host == name
        assert f"EXPOSE {settings(name).port}\n" in DOCKERFILE

    def test_it_is_asked_whether_it_is_ready(self, name):
        said = " ".join(OURS[name]["healthcheck"]["test"])
        assert f":{settings(name).port}/readyz" in said

    def test_it_begins_after_what_it_needs(self, name):
        needs = {"postgres"} if name == "gateway" else {"kafka", "postgres", "gateway"}
        assert {what: how["condition"] for what, how in OURS[name]["depends_on"].items()} == dict.fromkeys(
            needs, "service_healthy"
        )
        assert all("healthcheck" in SERVICES[what] for what in needs)

    def test_only_the_gateway_has_a_port_and_on_this_machine_only(self, name):
        assert OURS[name].get("ports", []) == (["127.0.0.1:8080:8080"] if name == "gateway" else [])


def test_the_gateway_knows_every_process():
    found = {
        service: {urlsplit(url).hostname for url in urls} for service, urls in settings("gateway").addresses.items()
    }
    assert found == {service: {name for name, one in OURS.items() if role(one) == service} for service in discover()}
    ports = {urlsplit(url).port for urls in settings("gateway").addresses.values() for url in urls}
    assert ports == {settings(name).port for name in OURS}


def test_the_services_find_the_gateway():
    assert {settings(name).gateway for name in OURS if name != "gateway"} == {"http://gateway:8080"}


def test_nothing_of_this_machine_is_mounted():
    mounted = [volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", ())]
    assert set(mounted) == set(DOCUMENT["volumes"])
    assert not any(one.get("privileged") or one.get("network_mode") for one in SERVICES.values())
    assert "ports" not in SERVICES["kafka"] and "ports" not in SERVICES["postgres"]


def test_no_secret_is_written_down():
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_kafka_is_the_one_that_the_tests_run_with_the_same_settings():
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    lines = (KAFKA_FILES / "server.properties").read_text().splitlines()
    tested = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    said = SERVICES["kafka"]["environment"]
    same = {name: value for name, value in tested.items() if "127.0.0.1" not in value and "${" not in value}
    for name in ("message.max.bytes", "auto.create.topics.enable", "offsets.topic.replication.factor"):
        assert f"KAFKA_{name.replace('.', '_').upper()}" in said
    for name, value in same.items():
        assert said.get(f"KAFKA_{name.replace('.', '_').upper()}", value) == value, name


class TestTheImage:
    def test_it_installs_what_is_locked_by_hash(self):
        assert "--require-hashes" in DOCKERFILE
        assert "--no-deps" in DOCKERFILE

    def test_it_runs_as_nobody_special(self):
        last = DOCKERFILE.rpartition("\nFROM ")[2]
        assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["fieldloop"]

    def test_it_has_every_package_and_copies_nothing_that_is_not_there(self):
        copied = re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE)
        assert all((ROOT / name).exists() for name in copied)
        packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
        assert packages <= set(copied)

    def test_it_builds_the_screens_before_it_installs_the_package(self):
        steps = re.findall(r"^RUN .*(deploy\.web|install --no-deps)", DOCKERFILE, re.MULTILINE)
        assert steps == ["deploy.web", "install --no-deps"]

    def test_its_data_lies_where_the_volume_is(self):
        assert "FIELDLOOP_DATA=/data" in DOCKERFILE
        assert {volume for one in OURS.values() for volume in one["volumes"]} == {"data:/data"}

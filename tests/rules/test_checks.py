"""The checks of `make test` catch what they are for: each is shown a planted violation in a copy of the code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PACKAGES = ("contracts", "services", "intake", "dispatcher", "fieldwork", "inventory", "quality", "reporting", "deploy")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checks")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".importlinter"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def plant(clean):
    """Writes code into the copy, and takes it out again."""
    before: dict[Path, str | None] = {}

    def write(name: str, code: str) -> None:
        path = clean / name
        before[path] = path.read_text() if path.exists() else None
        path.write_text((before[path] or "") + code)

    yield write
    for path, text in before.items():
        path.unlink() if text is None else path.write_text(text)


def check(folder: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(folder)}
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_checks_pass_on_the_code_as_it_is(clean):
    assert check(clean, "lint-imports", "--no-cache")[0] == 0
    assert check(clean, "ruff", "check", "--no-cache", ".")[0] == 0


@pytest.mark.parametrize(
    ("file", "code", "named"),
    [
        ("dispatcher/utils.py", "X = 1\n", "dispatcher.utils"),
        ("intake/policies.py", "\nimport dispatcher.commands\n", "intake.policies -> dispatcher.commands"),
        ("quality/domain/survey.py", "\nimport sqlalchemy\n", "quality.domain.survey -> sqlalchemy"),
        ("contracts/event.py", "\nimport services.chassis.clock\n", "contracts.event -> services.chassis.clock"),
        ("services/chassis/clock.py", "\nimport services.host\n", "services.chassis.clock -> services.host"),
        ("services/helpers.py", "X = 1\n", "services.helpers"),
    ],
)
def test_the_import_check_catches(clean, plant, file, code, named):
    plant(file, code)
    status, said = check(clean, "lint-imports", "--no-cache")
    assert status != 0
    assert named in said


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("\nfrom datetime import datetime as d\nNOW = d.now()\n", "TID251"),
        ("\nimport uuid\nID = uuid.uuid4()\n", "TID251"),
        ("\nimport random\nN = random.randint(1, 6)\n", "TID251"),
        ("\ndef f(x: list = []) -> list: return x\n", "B006"),
    ],
)
def test_the_style_check_catches(clean, plant, code, rule):
    plant("intake/domain/request.py", code)
    status, said = check(clean, "ruff", "check", "--no-cache", ".")
    assert status != 0
    assert rule in said


def test_the_type_check_catches_what_is_planted_in_contracts_domain_and_chassis(clean, plant):
    planted = {
        "contracts/topics.py": '\nWRONG: int = public_topic("intake")\n',
        "intake/domain/request.py": "\n\ndef untyped(x):\n    return x\n",
        "services/chassis/clock.py": "\n\ndef missing() -> str:\n    return micros(EPOCH)\n",
    }
    for file, code in planted.items():
        plant(file, code)
    status, said = check(clean, "mypy", "--cache-dir", str(ROOT / ".mypy_cache_rules"))
    assert status != 0
    assert [file for file in planted if f"{file}:" not in said] == []


def test_the_type_checker_names_a_state_that_a_decision_forgot(clean, plant):
    plant(
        "intake/domain/request.py",
        """

def forgetful(request: Request) -> str:
    match request:
        case Absent() | Incomplete() | Received() | Withdrawn():
            return ""
        case _:
            assert_never(request)
""",
    )
    status, said = check(clean, "mypy", "-p", "intake", "--cache-dir", str(ROOT / ".mypy_cache_rules"))
    assert status != 0
    assert "Closed" in said

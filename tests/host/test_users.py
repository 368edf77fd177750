"""`fieldloop users`: who may sign in, written without a password in sight."""

import io
import json
import stat

import pytest

from services.gateway.users import FILE, read_users

PASSWORD = "correct horse battery"
ADD = ("users", "add", "li@acme", "--role", "dispatcher", "--tenant", "acme", "--name", "李")


@pytest.fixture
def typed(fieldloop, monkeypatch):
    """Types a command, with the password on stdin."""

    def type_in(*words, password=PASSWORD):
        with monkeypatch.context() as now:
            now.setattr("sys.stdin", io.StringIO(f"{password}\n"))
            return fieldloop(*words)

    return type_in


def test_an_account_is_added_and_listed_and_its_password_is_nowhere(typed, tmp_path):
    added = typed(*ADD)
    assert (added.code, added.err) == (0, "")
    listed = typed("users", "list", "--json")
    assert listed.json == [
        {
            "user": "li@acme",
            "role": "dispatcher",
            "tenant": "acme",
            "name": "李",
            "person_id": "",
            "channel": "",
            "events": [],
            "suspended": False,
        }
    ]
    file = tmp_path / "data" / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())[0]["password"].startswith("$argon2id$")
    assert not any(PASSWORD in text for text in (file.read_text(), added.out, listed.out, typed("users", "list").out))


@pytest.mark.parametrize(
    ("words", "password", "told"),
    [
        (ADD[:3], PASSWORD, "--role"),
        ((*ADD[:4], "boss"), PASSWORD, "boss"),
        ((*ADD[:4], "engineer"), PASSWORD, "person_id"),
        ((*ADD, "--event", "OrderAssigned"), PASSWORD, "no partner"),
        ((*ADD[:4], "partner", "--person", "p-1", "--event", "Payroll"), PASSWORD, "Payroll"),
        ((*ADD, "--replace"), PASSWORD, "no account"),
        (ADD, "short", "12 to 200"),
        (("users", "suspend", "nobody"), "", "no account"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(typed, words, password, told):
    ran = typed(*words, password=password)
    assert ran.code == 2
    assert told in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert typed("users", "list", "--json").json == []


def test_an_account_is_not_replaced_by_mistake(typed, tmp_path):
    typed(*ADD)
    before = read_users(tmp_path / "data" / FILE)
    again = typed(*ADD, password="another long password")
    assert (again.code, "--replace" in again.err) == (2, True)
    assert read_users(tmp_path / "data" / FILE) == before


def test_a_replaced_account_keeps_what_is_not_given_and_its_sessions_end(typed, tmp_path):
    typed("users", "add", "erp", "--role", "partner", "--tenant", "acme", "--person", "p-1", "--event", "OrderAssigned")
    [before] = read_users(tmp_path / "data" / FILE)
    assert typed("users", "add", "erp", "--name", "ERP", "--replace", password="another long password").code == 0
    [after] = read_users(tmp_path / "data" / FILE)
    assert (after.role, after.tenant, after.person_id, after.events) == ("partner", "acme", "p-1", ("OrderAssigned",))
    assert (after.name, after.password == before.password) == ("ERP", False)
    assert (before.sessions_from, after.sessions_from > 0) == (0, True)


def test_a_suspended_account_can_be_given_back(typed, tmp_path):
    typed(*ADD)
    assert typed("users", "suspend", "li@acme").code == 0
    assert [one.suspended for one in read_users(tmp_path / "data" / FILE)] == [True]
    assert "suspended" in typed("users", "list").out
    assert typed("users", "suspend", "li@acme", "--undo").code == 0
    [account] = read_users(tmp_path / "data" / FILE)
    assert (account.suspended, account.sessions_from > 0) == (False, True)

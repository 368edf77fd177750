"""What is told of a process by its number."""

import subprocess

from deploy import command_line, until


def test_a_process_that_has_just_been_started_is_not_taken_for_a_dead_one():
    for _ in range(100):
        started = subprocess.Popen(["sleep", "30"], start_new_session=True)
        try:
            assert command_line(started.pid) == "sleep\0" + "30\0"
        finally:
            started.kill()
            # Dead, and nobody has asked how it ended.
            assert until(lambda pid=started.pid: not command_line(pid), 10)
            started.wait()
        assert command_line(started.pid) == ""

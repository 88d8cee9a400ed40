"""Nothing that devtools start outlives them: a pipe ends when all who hold it are gone."""

import os
import signal
import subprocess
import sys

from devtools.leash import Leash, run

SLEEP = ["/bin/sh", "-c", "echo started; sleep 60 & wait"]
HOLDER = f"from devtools.leash import Leash; held = Leash({SLEEP!r}); held.process.wait()"


def start() -> Leash:
    leash = Leash(SLEEP, output=subprocess.PIPE)
    assert leash.process.stdout
    assert leash.process.stdout.readline() == "started\n"
    return leash


def assert_ended(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=5)
    assert output == ""


def test_a_leashed_command_dies_with_its_holder() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout
        assert it.stdout.readline() == "started\n"
        it.kill()
        assert_ended(it)


def test_a_stopped_command_takes_its_children_with_it() -> None:
    leash = start()
    leash.stop()
    assert_ended(leash.process)


def test_a_command_whose_leash_was_killed_can_still_be_stopped() -> None:
    leash = start()
    os.kill(leash.process.pid, signal.SIGKILL)
    leash.stop()
    assert_ended(leash.process)


def test_a_command_is_asked_before_it_is_killed() -> None:
    polite = ["/bin/sh", "-c", "trap 'echo bye; exit' INT; echo started; sleep 60 & wait"]
    leash = Leash(polite, output=subprocess.PIPE)
    assert leash.process.stdout
    assert leash.process.stdout.readline() == "started\n"
    leash.stop()
    output, _ = leash.process.communicate(timeout=5)
    assert output == "bye\n"


def test_exit_code_and_output_are_those_of_the_command() -> None:
    assert run(["/bin/sh", "-c", "cat; echo two >&2; exit 7"], text="one\n") == (7, "one\ntwo\n")

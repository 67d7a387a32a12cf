"""Every console fence of the how-tos prints what it says, run from the project's folder.

A fence that holds a line `$ trafficcore …` is run, command after command, and each must print the
lines that follow it, word for word (blanks at the ends of lines aside). A command may go on in the
next line after a backslash. `$ echo $?` shows the exit code of the command before it; other
commands have no place in such a fence. Output is 100 columns wide and has no colours.
"""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from trafficcore.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT, PROGRAM, EXIT_CODE = "$ ", "trafficcore ", "echo $?"
PLAIN = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def fences(text: str) -> list[tuple[int, str]]:
    """The fences that run a command of ours, each with the line it begins in."""
    found = ((text.count("\n", 0, it.start()) + 1, it[1]) for it in FENCE.finditer(text))
    ours = f"{PROMPT}{PROGRAM}"
    return [(at, body) for at, body in found if f"\n{ours}" in f"\n{body}"]


def steps(body: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a fence, each with the lines it must print."""
    command, output = "", []
    for line in body.splitlines():
        if line.startswith(PROMPT):
            if command:
                yield command, output
            command, output = line.removeprefix(PROMPT), []
        elif command.endswith("\\"):
            command = command.removesuffix("\\") + line.removeprefix("> ").strip()
        else:
            assert command, f"output before any command: {line!r}"
            output.append(line)
    yield command, output


def printed(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def run(body: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Run a fence; yield each command with what it printed and what the fence says."""
    code = 0
    for command, expected in steps(body):
        if command == EXIT_CODE:
            lines = [str(code)]
        else:
            assert command.startswith(PROGRAM), f"cannot run {command!r}"
            arguments = shlex.split(command.removeprefix(PROGRAM))
            result = CliRunner(env=PLAIN).invoke(cli, arguments, prog_name="trafficcore")
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            code, lines = result.exit_code, printed(result.output)
        yield command, lines, printed("\n".join(expected))


@pytest.fixture
def at_home() -> Iterator[None]:
    before = Path.cwd()
    os.chdir(ROOT)
    yield
    os.chdir(before)


FENCES = [
    pytest.param(body, id=f"{page.name}:{line}")
    for page in PAGES
    for line, body in fences(page.read_text("utf-8"))
]


@pytest.mark.parametrize("body", FENCES)
def test_a_fence_prints_what_it_says(body: str, at_home: None) -> None:
    for command, found, expected in run(body):
        assert found == expected, f"$ {command}"


def test_fences_are_found_and_taken_apart(at_home: None) -> None:
    text = (
        "```console\n$ pip install x\n```\n\n"
        "```console\n$ trafficcore \\\n    check missing.yaml\n"
        "missing.yaml: what it says  \n\n$ echo $?\n1\n```\n"
    )
    ((line, body),) = fences(text)
    assert line == 5
    (check, found, expected), (echo, code, wanted) = run(body)
    assert check == "trafficcore check missing.yaml"
    assert expected == ["missing.yaml: what it says"]
    assert found[0] == "missing.yaml: cannot be read: no such file or directory"
    assert (echo, code, wanted) == ("echo $?", ["1"], ["1"])


def test_another_command_in_such_a_fence_is_a_fault(at_home: None) -> None:
    with pytest.raises(AssertionError, match="cannot run 'ls'"):
        list(run("$ trafficcore --version\n$ ls\n"))

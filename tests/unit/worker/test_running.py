"""What is read of a run, however it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.worker.running import Job, Tail, ended_by, last_place, read_run

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = """\
Fatal Python error: Segmentation fault

Thread 0x00007f01 (most recent call first):
  File "/app/background.py", line 9 in run

Current thread 0x00007f02 (most recent call first):
  File "/usr/lib/python3.12/ctypes/__init__.py", line 519 in string_at
  File "/app/.python_packages/lib/site-packages/fast/__init__.py", line 1 in <module>
  File "/app/pages.py", line 3 in load
  File "/app/function_app.py", line 7 in <module>
"""


def job(timeout: float = 60) -> Job:
    return Job(
        app="/app", packages="/app/p", worker="/w", library="azure_functions_runtime",
        result="/out/result.jsonl", faults="/out/faults.txt", timeout=timeout, prefix="api", v1=(),
        invoke=(), environment={"SECRET": "value"},
    )  # fmt: skip


def test_lines_that_are_cut_off_or_the_apps_own_are_passed_over(tmp_path: Path) -> None:
    run = read_run(
        job(), tmp_path, code=0, tail=Tail(), timed_out=False, interpreter="python", libc="glibc"
    )
    assert (run.stages, run.faults, run.timed_out) == ((), "", False)
    start = '{"stage": "start", "seconds": 0.1, "python": "3.12.1"}'
    text = f'{start}\n[1]\nnonsense\n{{"stage": 3}}\n{{"stage": "end"}}\n{{"stage": "index", "err'
    (tmp_path / "result.jsonl").write_text(text)
    (tmp_path / "faults.txt").write_text("Timeout (0:00:02)!\n")
    run = read_run(
        job(), tmp_path, code=1, tail=Tail(), timed_out=False, interpreter="python", libc="glibc"
    )
    assert [row["stage"] for row in run.stages] == ["start"]
    assert (run.code, run.faults) == (1, "Timeout (0:00:02)!\n")


def test_the_place_is_the_apps_own_and_of_the_thread_that_failed() -> None:
    assert last_place(FAULTS, "/app") == ("pages.py", 3)
    assert last_place(FAULTS, "/elsewhere") is None
    assert last_place("", "/app") is None


@pytest.mark.parametrize(
    ("code", "name"), [(-11, "SIGSEGV"), (139, "SIGSEGV"), (-9, "SIGKILL"), (0, ""), (3, ""),
                       (255, ""), (-99, "")],
)  # fmt: skip
def test_what_ended_it(code: int, name: str) -> None:
    assert ended_by(code) == name


def test_the_environment_is_not_in_the_jobs_file() -> None:
    assert "SECRET" not in job().text(1)


def test_the_tail_is_bounded() -> None:
    tail = Tail()
    for number in range(100_000):
        tail.add(f"{number} " + "x" * 10_000)
    assert len(tail.lines) <= 1000
    assert tail.lines[-1].startswith("99999 ")
    assert sum(map(len, tail.lines)) < 1_000_000

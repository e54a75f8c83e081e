"""Walking a project of 20,000 files: `collect_files` against a bare recursive `os.scandir`.

Run by `python benchmarks/walk.py`; prints the medians, and the ratio that azpack promises to keep
at or below 3. Both walk the same tree in turn, in one process, after a run that is not counted.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.collect import collect_files

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = 20_000
RUNS = 15
PROMISED_RATIO = 3.0

FUNCIGNORE = """\
# what a Functions project of some age ignores
.git*
.vscode
local.settings.json
__azurite_db*__.json
__blobstorage__
test/
tests
*.md
!README.md
*.log
*.tmp
/docs/*.rst
.env*
[Bb]uild/
scripts/**/*.sh
notebooks/**
coverage.xml
"""


def make_project(root: Path) -> None:
    """20,000 files of an app's kind, in folders of 25 up to five levels deep; a tenth ignored."""
    (root / ".funcignore").write_text(FUNCIGNORE)
    for number in range(FILES // 25):
        if number % 10 == 0:
            ignored = ("tests", "docs/test", "build", ".venv/lib")[number // 10 % 4]
            folder = root / ignored / f"a{number}"
        else:
            folder = root / f"package{number % 20}" / f"part{number % 7}" / f"module_{number}"
        folder.mkdir(parents=True)
        for index in range(25):
            kind = (".py", ".py", ".py", ".json", ".txt", ".pyi", ".md", ".html")[index % 8]
            name = "__init__.py" if index == 0 else f"handle_{number}_{index}{kind}"
            (folder / name).touch()


def bare_walk(folder: str) -> int:
    """The least that a walk can cost: how many files are below the folder."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += bare_walk(entry.path)
            else:
                count += 1
    return count


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> int:
    """Measure and print; the exit code is 1 if the ratio is over the promised one."""
    with tempfile.TemporaryDirectory(prefix="azpack-walk-") as folder:
        root = Path(folder)
        make_project(root)
        found = collect_files(root)
        assert bare_walk(folder) == FILES + 1
        bare, collect = [], []
        for _ in range(RUNS):
            bare.append(seconds(lambda: bare_walk(folder)))
            collect.append(seconds(lambda: collect_files(root)))
    ratio = statistics.median(collect) / statistics.median(bare)
    print(f"files         {FILES}, of which {len(found.included)} to pack")
    print(f"os.scandir    {statistics.median(bare) * 1000:.1f} ms")
    print(f"collect_files {statistics.median(collect) * 1000:.1f} ms")
    print(f"ratio         {ratio:.2f} (at most {PROMISED_RATIO})")
    return int(ratio > PROMISED_RATIO)


if __name__ == "__main__":
    sys.exit(main())

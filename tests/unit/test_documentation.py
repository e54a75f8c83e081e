"""The code in the documentation is valid, and what runs it reads it rightly."""

from __future__ import annotations

import ast
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from azpack.app.config import load_settings
from tests.documentation import PAGES, ROOT, Block, blocks_of, commands_of, is_as_shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.mark.structures import ParameterSet

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
NO_CODE = {"", "text"}
COMMANDS = {"bash", "console", "sh"}
# What a pyproject.toml begins with; azpack.toml has azpack's own settings at the top.
OTHERS = {"tool", "project", "build-system", "dependency-groups"}


def blocks(language: str) -> list[ParameterSet]:
    return [pytest.param(it, id=it.place) for it in BLOCKS if it.language == language]


def test_each_block_is_of_a_known_language() -> None:
    # What pycon shows, a test of the page runs as a doctest.
    known = {*NO_CODE, *COMMANDS, "toml", "yaml", "json", "python", "pycon"}
    assert {block.place for block in BLOCKS if block.language not in known} == set()


def test_what_is_not_run_says_why() -> None:
    reasons = [reason for block in BLOCKS for reason in block.said("not run")]
    assert all(len(reason.split()) > 2 for reason in reasons)
    # A reason stands before commands, and nowhere else.
    assert {
        it.place for it in BLOCKS if it.said("not run") and it.language not in COMMANDS
    } == set()
    comments = [line for page in PAGES for line in page.read_text().splitlines() if "<!--" in line]
    assert len(comments) == sum(len(block.comments) for block in BLOCKS)


@pytest.mark.parametrize("block", blocks("toml"))
def test_toml(block: Block, tmp_path: Path) -> None:
    content = tomllib.loads(block.text)
    name = "pyproject.toml" if content.keys() & OTHERS else "azpack.toml"
    (tmp_path / name).write_text(block.text, encoding="utf-8")
    settings = load_settings(tmp_path, {})
    assert bool(settings) == (name == "azpack.toml" or "azpack" in content.get("tool", {}))


@pytest.mark.parametrize("block", blocks("yaml"))
def test_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", blocks("json"))
def test_json(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("block", blocks("python"))
def test_python(block: Block) -> None:
    assert ast.parse(block.text).body


def test_links_of_the_readme_lead_somewhere() -> None:
    """Those of docs/ are looked at when the site is built."""
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    inside = {link for link in links if "://" not in link}
    assert "docs/index.md" in inside
    assert {link for link in inside if not (ROOT / link).is_file()} == set()


PAGE = """\
# A page

<!-- files: fixtures/apps/v2-blueprint as app -->
<!-- exit code: 1 -->
```console
$ azpack build \\
    --python 3.12
built
$ azpack check
```

```python title="a.py"
x = 1
```

1. A list:

    <!-- not run: needs an agent -->
    ```bash
    if true; then
      echo 1
    fi
    ```
"""


def test_blocks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    console, python, bash = blocks_of(page)
    assert (console.place, console.language, console.is_run) == ("page.md:5", "console", True)
    assert console.comments == (
        ("files", "fixtures/apps/v2-blueprint as app"),
        ("exit code", "1"),
    )
    build, check = commands_of(console)
    assert (build.line, build.shown) == ("azpack build \\\n    --python 3.12\n", "built\n")
    assert (check.line, check.shown) == ("azpack check\n", "")
    assert (python.title, python.text, python.comments, python.is_run) == (
        "a.py",
        "x = 1\n",
        (),
        False,
    )
    assert (bash.said("not run"), bash.is_run) == (["needs an agent"], False)
    assert [it.line for it in commands_of(bash)] == ["if true; then\n  echo 1\nfi\n"]


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        ("built x.zip in 0.66 s\n", "built x.zip in 1.5 s\n"),
        ("size 1.1 MB, 280 entries", "size 900 kB, 1,281 entries\n"),
        ("  digest abcdef0123456789\n", "  digest 0123456789abcdef\n"),
        ("idna 3.20.1", "idna 3.21.0"),
        ("a\n...\nd\n", "a\nb\nc\nd\n"),
        ("a\n...\n", "a\nb\nc\n"),
        ("a ... d\n", "a b c d\n"),
        ("a  \n", "a\n\n"),
        (
            "start-up: 0.43 s (interpreter 0.03, imports 0.34, indexing\n  0.00)\n",
            "start-up: 12.5 s (interpreter 0.30, imports 12.20, indexing 0.00)\n",
        ),
        ("built in 0.4 s\n", "wrote the zip in 0.6 s\nbuilt in 0.7 s\n"),
        ("distributions: 4, 1 with native code\n", "distributions: 5, 1 with native code\n"),
    ],
)
def test_what_is_as_shown(shown: str, output: str) -> None:
    assert is_as_shown(shown, output)


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        ("built x.zip in 0.66 s\n", "built y.zip in 0.66 s\n"),
        ("5 files\n", "6 files\n"),
        ("Python 3.11\n", "Python 3.12\n"),
        ("a\n...\nd\n", "a\nb\nc\n"),
        ("a ... d\n", "a b\nc d\n"),
        ("a\n", "a\nb\n"),
        ("a.c\n", "abc\n"),
    ],
)
def test_what_is_not_as_shown(shown: str, output: str) -> None:
    assert not is_as_shown(shown, output)

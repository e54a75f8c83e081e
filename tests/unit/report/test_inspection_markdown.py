from __future__ import annotations

from typing import TYPE_CHECKING

from azpack.report.inspection_markdown import inspection_markdown
from tests.objects import make_object
from tests.packages import APP, distribution, inspect

if TYPE_CHECKING:
    from pathlib import Path

NATIVE = {"one/_one.cpython-312-x86_64-linux-gnu.so": make_object()}
LINUX = ("cp312-cp312-manylinux_2_17_x86_64",)


def rows(page: str, title: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    _, _, rest = page.partition(f"### {title}: ")
    table = rest.split("\n\n")[1]
    assert len({row.replace("\\|", "").count("|") for row in table.splitlines()}) == 1
    return [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]


def test_a_page(tmp_path: Path) -> None:
    page = inspection_markdown(
        inspect(tmp_path, APP, distribution("One", files=NATIVE, tags=LINUX), python=None)
    )
    assert page.startswith("## app.zip\n\n|  |  |\n| --- | --- |\n| size | ")
    assert "| target | Functions 4, Python 3.12, glibc " in page
    assert "| native code | 1 file for x86&#95;64" in page
    assert rows(page, "Functions") == [
        ["hello", "httpTrigger", "/api/hello/&#123;name&#125;", "function&#95;app.py"]
    ]
    ((name, version, *_, native),) = rows(page, "Distributions")
    assert (name, version, native) == ("One", "1.0", "native")
    assert len(rows(page, "Largest files")) == 6


def test_findings_are_above_the_contents(tmp_path: Path) -> None:
    page = inspection_markdown(inspect(tmp_path, {"host.json": b"{}"}))
    codes = {row[1]: row for row in rows(page, "Findings")}
    assert codes["AZP104"][0] == "error"
    assert page.index("### Findings") < page.index("### Largest files")


def test_long_tables_are_cut(tmp_path: Path) -> None:
    many = [distribution(f"d{number}") for number in range(120)]
    page = inspection_markdown(inspect(tmp_path, APP, *many))
    assert "### Distributions: 120\n" in page
    assert len(rows(page, "Distributions")) == 100
    assert "\n\nand 20 more\n\n" in page

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from azpack.package.detection import Wishes
from azpack.package.inspection import inspect_package, inspection_table
from azpack.report.inspection_markdown import inspection_markdown
from azpack.report.overview import overview_lines
from tests.objects import make_object
from tests.packages import APP, SITE, codes_of, distribution, inspect, raw_zip, write_package

if TYPE_CHECKING:
    from pathlib import Path

NATIVE = {"one/_one.cpython-312-x86_64-linux-gnu.so": make_object()}
LINUX = ("cp312-cp312-manylinux_2_17_x86_64",)


def manifest_for(package: Path, **changes: object) -> None:
    manifest = {
        "schema_version": 1, "created_by": "azpack 0",
        "package": {
            "size": package.stat().st_size, "entries": 2, "content_digest": "c" * 64,
            "sha256": None, **changes,
        },
        "mode": "local", "target": {"functions": "4", "python": "3.10", "plan": "premium"},
    }  # fmt: skip
    path = package.with_name("app.manifest.json")
    path.write_text(json.dumps(manifest, indent=2))


def test_table(tmp_path: Path) -> None:
    found = inspect(tmp_path, APP, distribution("One", files=NATIVE, tags=LINUX), python=None)
    table = inspection_table(found)
    assert list(table) == ["package", "target", "functions", "distributions", "largest"]
    assert table["functions"] == [
        {"name": "hello", "model": "v2", "trigger": "httpTrigger", "script": "function_app.py"}
    ]
    (one,) = table["distributions"]
    assert list(one) == ["name", "version", "size", "compressed_size", "files", "native"]
    assert (one["name"], one["files"], one["native"]) == ("One", 4, True)
    assert table["target"]["python"] == "3.12"
    assert table["package"]["entries"] == 6
    assert table["package"]["size"] == found.package.path.stat().st_size
    json.dumps(table)
    owners = {file.path: file.distribution for file in found.files}
    assert owners["host.json"] is None
    assert owners[f"{SITE}one/_one.cpython-312-x86_64-linux-gnu.so"] == "One"
    assert list(owners) == sorted(owners)
    (native,) = (file.path for file in found.files if file.native)
    assert native == f"{SITE}one/_one.cpython-312-x86_64-linux-gnu.so"
    assert found.routes == ("/api/hello/{name}",)


@pytest.mark.parametrize(
    ("parts", "python", "grounds"),
    [
        ([distribution(name, tags=LINUX) for name in ("one", "two")], "3.12", "one 1.0 and 1 more"),
        ([distribution("one", tags=["cp311-abi3-manylinux_2_17_x86_64"])], "3.12", "assumed"),
        ([{"x/_a.cpython-310-x86_64-linux-gnu.so": b""}], "3.10", "extension modules"),
        ([{"x/_a.cp313-win_amd64.pyd": b""}], "3.13", "extension modules"),
        ([{"x/__pycache__/a.cpython-311.pyc": b""}], "3.11", "compiled modules"),
        ([{".python_packages/lib/python3.9/site-packages/a.py": b""}], "3.9", "the folder"),
        ([{"runtime.txt": b"python-3.10\n"}], "3.10", "runtime.txt"),
        ([{".python-version": b"3.13\n"}], "3.13", ".python-version"),
        ([{".python-version": b"odd\n"}], "3.12", "assumed"),
        ([distribution("one", tags=["cp39-cp39-win_amd64"])], "3.9", "wheels of one 1.0"),
        ([distribution("one", tags=["cp27-cp27-win_amd64"])], "3.14", "Azure does not run that"),
    ],
)  # fmt: skip
def test_target_that_is_detected(
    parts: list[dict[str, bytes]], python: str, grounds: str, tmp_path: Path
) -> None:
    found = inspect(tmp_path, APP, *parts, python=None)
    assert found.target.python == python
    assert grounds in found.grounds


def test_target_of_the_manifest_beside_it(tmp_path: Path) -> None:
    path = write_package(tmp_path / "app.zip", APP)
    manifest_for(path)
    found = inspect_package(path)
    assert (found.target.python, found.target.plan) == ("3.10", "premium")
    assert (found.grounds, found.package.content_digest) == ("app.manifest.json", "c" * 64)
    given = inspect_package(path, Wishes(python="3.12", plan="flex"))
    assert (given.target.python, given.target.plan, given.grounds) == ("3.12", "flex", "--python")
    manifest_for(path, entries=3)  # of another zip
    assert inspect_package(path).package.content_digest is None


def test_overview_fits_a_screen(tmp_path: Path) -> None:
    script = APP["function_app.py"]
    more = b"".join(
        b'\n@app.route(route="x%d")\ndef %s%d(req: func.HttpRequest) -> str:\n    return ""\n'
        % (number, b"long_name" * 9, number)
        for number in range(30)
    )
    parts = [
        distribution(f"d{number}" * 20, files={f"d{number}/a.abi3.so": make_object()})
        for number in range(40)
    ]
    found = inspect(tmp_path, {**APP, "function_app.py": script + more}, *parts)
    lines = overview_lines(found)
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 80
    assert "functions: 31 (v2)" in lines
    assert "distributions: 40, 40 with native code" in lines


def test_overview_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.zip").write_bytes(raw_zip([]))
    lines = overview_lines(inspect(tmp_path))
    assert "functions: 0" in lines
    assert "distributions: 0" in lines


def test_names_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    part = distribution("one")
    info = f"{SITE}one-1.0.dist-info/METADATA"
    part[info] = part[info].replace(b"Name: one", b"Name: \x1b[31mred")
    assert all(line.isprintable() for line in overview_lines(inspect(tmp_path, APP, part)))


def test_no_cut_off_password_is_shown(tmp_path: Path) -> None:
    # The columns are cut before the @, behind which the text is known to be a password.
    secret = "overview-pa55word-" + "x" * 60
    route = f"https://user:{secret}@example.test/{{name}}"
    script = APP["function_app.py"].replace(b"hello/{name}", route.encode())
    found = inspect(tmp_path, {**APP, "function_app.py": script})
    assert found.routes[0] is not None
    assert secret in found.routes[0]
    text = "\n".join(overview_lines(found)) + inspection_markdown(found)
    assert "overview-pa55" not in text
    assert "https://****@" in text


@pytest.mark.parametrize("char", "\u061c\u200e\u200f\u202a\u202e\u2066\u2069")
def test_names_that_reorder_what_is_seen(char: str, tmp_path: Path) -> None:
    part = distribution("one", files={f"one/a{char}b.py": b"x" * 1000})
    found = inspect(tmp_path, APP, part)
    assert found.findings == ()
    text = "\n".join(overview_lines(found)) + inspection_markdown(found)
    assert char not in text
    assert f"a&#92;u{ord(char):04x}b.py" in text


def test_an_app_that_can_not_be_read_lacks_nothing(tmp_path: Path) -> None:
    entries = [(path.encode(), content) for path, content in APP.items()]
    fields = {b"host.json": {"flags": 1}, b"function_app.py": {"flags": 1}}
    (tmp_path / "app.zip").write_bytes(raw_zip(entries, fields=fields))
    assert codes_of(inspect(tmp_path).findings) == [("AZP506", "error")]

"""`azpack build` checks the project before it builds, and the package after."""

from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands import Azpack, make_app, project_files
from tests.distributions import make_wheel
from tests.objects import EM_AARCH64, make_object

if TYPE_CHECKING:
    from pathlib import Path

FUNCTION = """\
import azure.functions as func

app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""


@pytest.fixture
def azpack(tmp_path: Path) -> Azpack:
    return Azpack(tmp_path, AZPACK_IGNORE="", AZPACK_PYTHON="3.12", AZPACK_NO_INDEX="1")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "a")
    files = {"function_app.py": FUNCTION}
    return make_app(tmp_path / "app", f"--find-links {wheels}\na\n", files=files)


def findings(azpack: Azpack, app: Path, *arguments: str) -> list[str]:
    data = azpack.run("build", app, "--json", *arguments).data()
    return [row["code"] for row in data["findings"]]


def test_errors_stop_a_build(azpack: Azpack, app: Path) -> None:
    (app / "host.json").write_text('{"version": "3.0", "x": 1}')
    done = azpack.run("build", app, "--json")
    assert {code: row["severity"] for code, row in done.findings().items()} == {
        "AZP102": "error",
        "AZP114": "warning",
    }
    assert not (app / "dist").exists()
    plan = azpack.run("build", app, "--dry-run", "--json")
    assert set(plan.findings()) == {"AZP102", "AZP114"}
    assert findings(azpack, app, "--no-check") == []
    assert (app / "dist/app.zip").exists()


def test_warnings_are_shown(azpack: Azpack, app: Path) -> None:
    (app / "calendar.py").touch()
    (app / ".funcignore").write_text("docs/*.md\n!docs/a.md\n")  # a note is for `check` alone
    (app / "docs").mkdir()
    (app / "docs/b.md").touch()
    for _ in range(3):  # found, then remembered
        done = azpack.run("build", app)
        assert done.code == 0
        assert "warning: AZP106: calendar.py has the name" in done.stderr
        assert "AZP110" not in done.stderr
    (app / "azpack.toml").write_text("[check]\nignore = ['AZP106']\n")
    assert findings(azpack, app) == []


def test_what_is_remembered_is_of_these_files(azpack: Azpack, app: Path) -> None:
    assert findings(azpack, app) == []
    assert findings(azpack, app) == []
    # As long as before, and said to be as old.
    before = os.stat(app / "host.json")
    (app / "host.json").write_text('{"versiom": "2.0"}\n')
    os.utime(app / "host.json", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert before.st_size == os.stat(app / "host.json").st_size
    assert "AZP102" in azpack.run("build", app, "--json").findings()
    (app / "host.json").write_text('{"version": "2.0"}\n')
    assert findings(azpack, app) == []
    (app / "typing.py").touch()
    assert findings(azpack, app) == ["AZP106"]
    assert "AZP106" in azpack.run("build", app, "--plan", "premium", "--json").findings()
    assert findings(azpack, app) == ["AZP106"]
    assert findings(azpack, app, "--exclude", "typing.py") == []


def test_no_store_is_needed(azpack: Azpack, app: Path) -> None:
    assert findings(azpack, app, "--mode", "none") == ["AZP502"]
    assert not azpack.cache.exists()


def inspected(azpack: Azpack, package: Path) -> Any:
    """The findings of `azpack inspect`, each as a row."""
    return json.loads(azpack.run("inspect", package, "--json").stdout)["data"]["findings"]


def edit(app: Path) -> None:
    with (app / "function_app.py").open("a") as script:
        script.write("\n")


def test_an_error_of_the_package_leaves_the_old_one(azpack: Azpack, app: Path) -> None:
    assert findings(azpack, app) == []
    old = project_files(app / "dist")
    (app / "function_app.py").write_text(f"import a, nowhere\n{FUNCTION}")
    for _ in range(2):  # found, then remembered
        done = azpack.run("build", app, "--json")
        (finding,) = done.findings().values()
        assert (finding["code"], finding["severity"]) == ("AZP403", "error")
        assert (finding["path"], finding["line"]) == ("function_app.py", 1)
        assert "nothing provides the module nowhere" in finding["message"]
        assert "nothing written" in done.stderr
        assert project_files(app / "dist") == old
    piped = azpack.run("build", app, "--output", "-")
    assert (piped.code, piped.stdout) == (1, b"")
    assert findings(azpack, app, "--no-check") == []
    assert project_files(app / "dist") != old
    assert [row["code"] for row in inspected(azpack, app / "dist/app.zip")] == ["AZP403"]


@pytest.mark.parametrize("plan", ["flex", "premium"])
def test_a_build_says_what_inspect_says(
    azpack: Azpack, app: Path, tmp_path: Path, plan: str
) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "needs", requires=["protobuf", "grpcio"])
    make_wheel(wheels, "grpcio", "1.99", files={"grpc/__init__.py": b"", "spare.py": b""})
    make_wheel(wheels, "protobuf", "9.9", files={"google/protobuf/x.py": b"", "spare.py": b"1"})
    (app / "requirements.txt").write_text(f"--find-links {wheels}\nneeds\nprotobuf\n")
    for name in ("needs.py", "calendar.py"):
        (app / name).touch()
    (app / "function_app.py").write_text(
        f"import needs, grpc\n{FUNCTION}\n\ndef later():\n    import google.protobuf.x, nowhere\n"
    )
    for _ in range(2):  # without a lock, and with one
        for change in (edit, edit, None):  # found, remembered of the dependencies, and as a whole
            if change is not None:
                change(app)
            rows = azpack.run("build", app, "--plan", plan, "--json").data()["findings"]
            of_package = [row for row in rows if row["code"] != "AZP109"]
            assert of_package == inspected(azpack, app / "dist/app.zip")
            codes = [row["code"] for row in rows]
            assert sorted(codes) == ["AZP106", "AZP106", "AZP109", "AZP403", "AZP409", "AZP409"]
        assert azpack.run("lock", app).code == 0


def test_what_is_packed_tells_more_than_what_is_listed(
    azpack: Azpack, app: Path, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "grpcio", "1.59.9")  # of the worker's own line
    (app / "requirements.txt").write_text(f"--find-links {tmp_path}/wheels\ngrpcio<2\n")
    listed = azpack.run("check", app, "--json", "--python", "3.11").data()["findings"]
    assert [row["code"] for row in listed] == ["AZP409"]
    assert findings(azpack, app, "--python", "3.11") == []


def test_whoever_overrides_a_requirement_is_warned(
    azpack: Azpack, app: Path, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "b", requires=["a>=2"])
    (app / "requirements.txt").unlink()
    (app / "pyproject.toml").write_text(
        "[project]\nname = 'app'\nversion = '1'\ndependencies = ['b']\n"
        "[tool.uv]\noverride-dependencies = ['a==1.0']\n"
        f"[tool.azpack]\nfind-links = ['{tmp_path}/wheels']\n"
    )
    assert azpack.run("lock", app).code == 0
    for _ in range(2):
        (row,) = azpack.run("build", app, "--json").data()["findings"]
        assert (row["code"], row["severity"]) == ("AZP509", "warning")
        assert "b 1.0 needs a>=2, and 1.0 is in the package" in row["message"]
        edit(app)


def test_native_code_of_the_app(azpack: Azpack, app: Path) -> None:
    (app / "one.so").write_bytes(make_object(machine=EM_AARCH64))
    for _ in range(2):
        assert set(azpack.run("build", app, "--json").findings()) == {"AZP503"}
        edit(app)


def test_a_package_that_is_nearly_too_large(azpack: Azpack, app: Path) -> None:
    with (app / "zeros.bin").open("wb") as file:
        file.truncate(450 << 20)
    done = azpack.run("build", app, "--plan", "consumption", "--json").data()
    assert [row["code"] for row in done["findings"]] == ["AZP507"]
    assert done["findings"] == inspected(azpack, app / "dist/app.zip")


def test_dependencies_of_the_project_itself(azpack: Azpack, app: Path) -> None:
    site_packages = app / ".python_packages/lib/site-packages"
    with zipfile.ZipFile(make_wheel(app, "a", files={"a/__init__.py": b"", "a/b.py": b""})) as a:
        a.extractall(site_packages)
    (app / "a-1.0-py3-none-any.whl").unlink()
    assert findings(azpack, app, "--mode", "none") == []
    (site_packages / "a/b.py").unlink()
    done = azpack.run("build", app, "--mode", "none", "--json")
    assert "a/b.py is missing" in done.findings()["AZP508"]["message"]


@pytest.mark.parametrize("record", [b"", b"[", b"[1]", b'[{"code": 1}]', b"\xff"])
def test_records_that_are_damaged(azpack: Azpack, app: Path, record: bytes) -> None:
    (app / "a.py").touch()
    assert findings(azpack, app) == ["AZP106"]
    for path in azpack.cache.glob("v*/plans/*"):
        path.write_bytes(record)
    assert findings(azpack, app) == ["AZP106"]


def test_two_builds_at_once(azpack: Azpack, app: Path, tmp_path: Path) -> None:
    (app / "a.py").touch()
    outputs = [tmp_path / "one/app.zip", tmp_path / "two/app.zip"]
    started = [azpack.start("build", app, "--json", "--output", output) for output in outputs]
    for process in started:
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr
        assert [row["code"] for row in json.loads(stdout)["data"]["findings"]] == ["AZP106"]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert findings(azpack, app) == ["AZP106"]

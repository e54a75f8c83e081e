from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from azpack.app.project import Project
from azpack.errors import UsageError
from azpack.options import Options
from azpack.outputs import find_output
from azpack.pipeline import build, plan
from azpack.progress import Progress


class Warnings(Progress):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def warn(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "app"
    root.mkdir()
    (root / "host.json").write_text("{}")
    monkeypatch.chdir(root)
    return Project(root=root, name="app")


def packed(project: Project, output: str | None = None, **options: Any) -> list[str]:
    """What is in the package that `build --mode none` makes at `output`."""
    given = Options(
        mode="none",
        python="3.11",
        output=Path(output) if output else None,
        no_check=True,
        **options,
    )
    place = find_output(project, given)
    build(project, given, output=place, environ={}, progress=Progress())
    with zipfile.ZipFile(place) as package:
        return package.namelist()


def refused(project: Project, output: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        find_output(project, Options(output=Path(output)))
    return caught.value


# What is there already.


@pytest.mark.parametrize(
    "content", [b"{}", b"PK", b"PK\5\7", b"\x1f\x8b\x08\0", b"\n", b"text with PK\3\4 in it"]
)
def test_a_file_that_is_no_zip_is_not_overwritten(project: Project, content: bytes) -> None:
    place = project.root / "notes.txt"
    place.write_bytes(content)
    error = refused(project, "notes.txt")
    assert (error.code, error.exit_code) == ("output-is-no-zip", 2)
    assert str(place) in error.message
    assert "--output" in error.hint
    assert place.read_bytes() == content


def test_the_files_of_the_project_are_safe(project: Project) -> None:
    assert refused(project, "host.json").code == "output-is-no-zip"
    assert (project.root / "host.json").read_text() == "{}"
    with pytest.raises(UsageError):
        plan(
            project,
            Options(mode="none", python="3.11", output=Path("host.json")),
            environ={},
            progress=Progress(),
        )


def test_an_empty_file_and_a_zip_are_replaced(project: Project) -> None:
    place = project.root / "out.zip"
    place.touch()  # as by mktemp
    assert packed(project, "out.zip") == ["host.json"]
    assert packed(project, "out.zip") == ["host.json"]
    with zipfile.ZipFile(place, "w"):
        pass  # it begins with the end of its directory
    assert packed(project, "out.zip") == ["host.json"]


def test_what_is_no_regular_file_is_not_opened(project: Project) -> None:
    os.mkfifo(project.root / "pipe")  # reading from it would never end
    assert refused(project, "pipe").code == "output-not-a-file"


# What earlier builds made.


def test_packages_that_azpack_made_beside_are_not_packed(project: Project) -> None:
    (project.root / "app.py").touch()
    for output in ("dist/app-3.11.zip", "dist/a.b.zip", None, "dist/plain", "dist/app-3.11.zip"):
        assert packed(project, output, checksum=True) == ["app.py", "host.json"]
    # What stood beside a package is no file of the project, when that has gone.
    (project.root / "dist/plain").unlink()
    (project.root / "dist/a.b.zip").unlink()
    (project.root / "dist/plain").mkdir()
    (project.root / "dist/plain/data.json").touch()
    assert packed(project) == ["app.py", "dist/plain/data.json", "host.json"]


@pytest.mark.parametrize("manifest", [None, "{}", '{"created_by": "another tool 1.0"}'])
def test_a_zip_of_the_users_own_is_packed(project: Project, manifest: str | None) -> None:
    dist = project.root / "dist"
    dist.mkdir()
    with zipfile.ZipFile(dist / "data.zip", "w") as data:
        data.writestr("a", "b")
    expected = ["dist/data.zip", "host.json"]
    if manifest is not None:
        (dist / "data.manifest.json").write_text(manifest)
        expected.insert(0, "dist/data.manifest.json")
    for _ in range(2):
        assert packed(project) == expected


# What can't run.


def test_a_package_without_host_json_is_refused(project: Project) -> None:
    (project.root / ".funcignore").write_text("*.json\n")
    with pytest.raises(UsageError) as caught:
        packed(project)
    assert (caught.value.code, caught.value.exit_code) == ("no-host-json", 2)
    assert ".funcignore" in caught.value.message
    assert not (project.root / "dist").exists()
    with pytest.raises(UsageError, match=r"\.funcignore"):
        plan(
            project,
            Options(mode="none", python="3.11", no_check=True),
            environ={},
            progress=Progress(),
        )
    (project.root / ".funcignore").write_text("*.json\n!host.json\n")
    assert packed(project) == ["host.json"]


@pytest.mark.parametrize("there", [False, True])
def test_mode_none_without_dependencies_is_doubted(project: Project, there: bool) -> None:
    if there:
        (project.root / ".python_packages/lib").mkdir(parents=True)
        (project.root / ".python_packages/lib/a.py").touch()
    progress = Warnings()
    options = Options(mode="none", python="3.11", no_check=True)
    build(project, options, output=find_output(project, options), environ={}, progress=progress)
    assert bool(progress.messages) is not there
    assert all(".python_packages" in message for message in progress.messages)

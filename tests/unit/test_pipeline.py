from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack import pipeline
from azpack.app.project import Project
from azpack.deps.lock import Lock
from azpack.errors import FileError, UsageError
from azpack.options import Options
from azpack.outputs import find_output
from azpack.pipeline import build, choose_mode, lock, plan, support_findings
from azpack.progress import Progress
from azpack.target.target import find_target

if TYPE_CHECKING:
    from azpack.pipeline import LockResult, Result


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "app"
    root.mkdir()
    (root / "host.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return Project(root=root, name="app")


@pytest.mark.parametrize("mode", ["auto", "local"])
def test_modes_with_dependencies(mode: str) -> None:
    chosen, reason = choose_mode(mode)
    assert chosen == "local"
    assert reason


def test_modes_that_are_not_there_yet() -> None:
    for mode in ("docker", "remote"):
        with pytest.raises(UsageError, match=f"mode {mode} is not there yet") as caught:
            choose_mode(mode)
        assert caught.value.exit_code == 2


def test_where_the_zip_goes(project: Project, tmp_path: Path) -> None:
    assert find_output(project, Options()) == project.root / "dist/app.zip"
    assert find_output(project, Options(output=Path("x/../y.zip"))) == tmp_path / "y.zip"
    with pytest.raises(UsageError, match="is a folder") as caught:
        find_output(project, Options(output=Path("app")))
    assert "app/app.zip" in caught.value.hint


@pytest.mark.parametrize(
    ("days", "found"), [(-1, True), (0, True), (182, True), (190, False), (900, False)]
)
def test_the_end_of_support(tmp_path: Path, days: int, found: bool) -> None:
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    end = (today + datetime.timedelta(days=days)).isoformat()
    target = replace(find_target(tmp_path, python="3.11"), end_of_support=end)
    findings = support_findings(target)
    assert [finding.code for finding in findings] == (["AZP112"] if found else [])
    for finding in findings:
        assert finding.severity == "warning"
        assert f"{'ended' if days <= 0 else 'ends'} on {end}" in finding.message


def build_none(project: Project, **options: Any) -> Result:
    output = find_output(project, Options())
    given = Options(mode="none", python="3.11", **options)
    return build(project, given, output=output, environ={}, progress=Progress())


def test_mode_none_takes_the_projects_own_dependencies(project: Project) -> None:
    packages = project.root / ".python_packages/lib/site-packages"
    packages.mkdir(parents=True)
    (packages / "a.py").touch()
    (project.root / "requirements.txt").write_text("never==1\n")
    result = build_none(project, checksum=True)
    assert (result.mode, result.mode_reason, result.distributions) == ("none", "asked for", ())
    assert ".python_packages/lib/site-packages/a.py" in result.files.included
    assert result.package.sha256
    beside = sorted(path.name for path in (project.root / "dist").iterdir())
    assert beside == ["app.manifest.json", "app.settings.json", "app.zip", "app.zip.sha256"]
    assert result.manifest == project.root / "dist/app.manifest.json"
    assert set(result.timings) == {"collect", "assemble"}
    # What was built does not get into the next one.
    again = build_none(project)
    assert again.files.included == result.files.included
    assert again.package.content_digest == result.package.content_digest
    assert not (project.root / "dist/app.zip.sha256").exists()


def test_a_plan_writes_nothing(project: Project) -> None:
    found = plan(project, Options(mode="none", python="3.11"), environ={}, progress=Progress())
    assert (found.output, found.mode) == (project.root / "dist/app.zip", "none")
    assert found.files.included == ("host.json",)
    assert [path.name for path in project.root.iterdir()] == ["host.json"]


@pytest.fixture
def _renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    def renew(request: Any, **_: Any) -> Lock:
        return Lock(
            distributions=(), target=request.target.record(), requirements_digest="d",
            files=("requirements.txt", "sub/more.txt"),
        )  # fmt: skip

    monkeypatch.setattr(pipeline, "renew_lock", renew)


def write(project: Project, requirements_txt: str | None = None, **options: Any) -> LockResult:
    return lock(
        project,
        Options(python="3.11", **options),
        environ={},
        progress=Progress(),
        requirements_txt=Path(requirements_txt) if requirements_txt else None,
    )


@pytest.mark.usefixtures("_renewed")
def test_locks_are_written_where_they_change(project: Project, tmp_path: Path) -> None:
    first = write(project, "pins.txt")
    assert first.written
    assert first.paths == (project.root / "pylock.toml", tmp_path / "pins.txt")
    inodes = [path.stat().st_ino for path in first.paths]
    again = write(project, "pins.txt")
    assert not again.written
    assert [path.stat().st_ino for path in again.paths] == inodes
    first.paths[1].unlink()
    assert write(project, "pins.txt").written


@pytest.mark.usefixtures("_renewed")
def test_locked_writes_no_lock(project: Project) -> None:
    result = write(project, locked=True)
    assert (result.written, result.paths) == (False, (project.root / "pylock.toml",))
    assert not (project.root / "pylock.toml").exists()


@pytest.mark.usefixtures("_renewed")
@pytest.mark.parametrize("name", ["requirements.txt", "sub/../sub/more.txt", "pylock.toml"])
def test_what_was_read_is_not_overwritten(project: Project, name: str) -> None:
    (project.root / "sub").mkdir()
    with pytest.raises(UsageError) as caught:
        write(project, f"app/{name}")
    assert caught.value.code == "overwrites-requirements"
    assert not (project.root / "pylock.toml").exists()


@pytest.mark.usefixtures("_renewed")
def test_a_lock_that_cannot_be_written(project: Project) -> None:
    (project.root / "file").touch()
    with pytest.raises((FileError, OSError)):
        write(project, "app/file/pins.txt")

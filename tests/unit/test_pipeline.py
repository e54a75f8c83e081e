from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack.app.project import Project
from azpack.errors import UsageError
from azpack.options import Options
from azpack.outputs import find_output
from azpack.pipeline import build, choose_mode, plan
from azpack.progress import Progress

if TYPE_CHECKING:
    from azpack.pipeline import Result


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "app"
    root.mkdir()
    (root / "host.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return Project(root=root, name="app")


@pytest.mark.parametrize("mode", ["auto", "local"])
def test_modes_with_dependencies(mode: str) -> None:
    chosen, reason = choose_mode(Options(mode=mode))
    assert chosen == "local"
    assert reason


def test_only_what_the_platform_installs_can_be_unpinned() -> None:
    assert choose_mode(Options(mode="remote", no_pin=True)) == ("remote", "asked for")
    with pytest.raises(UsageError, match="--no-pin is for --mode remote") as caught:
        choose_mode(Options(no_pin=True))
    assert caught.value.exit_code == 2


def test_where_the_zip_goes(project: Project, tmp_path: Path) -> None:
    assert find_output(project, Options()) == project.root / "dist/app.zip"
    assert find_output(project, Options(output=Path("x/../y.zip"))) == tmp_path / "y.zip"
    with pytest.raises(UsageError, match="is a folder") as caught:
        find_output(project, Options(output=Path("app")))
    assert "app/app.zip" in caught.value.hint


def build_none(project: Project, **options: Any) -> Result:
    output = find_output(project, Options())
    given = Options(mode="none", python="3.11", no_check=True, **options)
    return build(project, given, output=output, environ={}, progress=Progress())


def test_mode_none_takes_the_projects_own_dependencies(project: Project) -> None:
    packages = project.root / ".python_packages/lib/site-packages"
    packages.mkdir(parents=True)
    (packages / "a.py").touch()
    (project.root / "requirements.txt").write_text("never==1\n")
    result = build_none(project, checksum=True)
    assert (result.mode, result.mode_reason) == ("none", "asked for")
    assert result.contents.distributions == ()
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

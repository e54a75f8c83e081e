from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azpack import locking
from azpack.app.project import Project
from azpack.deps.lock import Lock
from azpack.errors import FileError, UsageError
from azpack.locking import lock
from azpack.options import Options
from azpack.progress import Progress

if TYPE_CHECKING:
    from azpack.locking import LockResult


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "app"
    root.mkdir()
    (root / "host.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return Project(root=root, name="app")


@pytest.fixture
def _renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    def renew(request: Any, **_: Any) -> Lock:
        return Lock(
            distributions=(), target=request.target.record(), requirements_digest="d",
            files=("requirements.txt", "sub/more.txt"),
        )  # fmt: skip

    monkeypatch.setattr(locking, "renew_lock", renew)


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

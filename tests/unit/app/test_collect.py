from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azpack.app import collect
from azpack.app.collect import FileSet, collect_files
from azpack.app.ignore import Rule
from azpack.errors import FileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def make(root: Path, *paths: str, funcignore: str | None = None) -> None:
    """Make files (and folders, where a path ends with a slash) below the root."""
    for path in paths:
        place = root / path
        (place if path.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            place.touch()
    if funcignore is not None:
        (root / ".funcignore").write_text(funcignore)


def link(root: Path, path: str, target: str | Path) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


def ignored(files: FileSet) -> dict[str, str]:
    """What decided, "SOURCE PATTERN", by ignored path; `.funcignore` itself aside."""
    return {
        found.path: f"{found.rule.source} {found.rule.pattern}"
        for found in files.ignored
        if found.path != ".funcignore"
    }


def problems(error: FileError) -> list[tuple[str, str, str | None]]:
    paths = error.context["paths"]
    assert isinstance(paths, list)
    return [(found["path"], found["code"], found["target"]) for found in paths]


def test_without_an_ignore_file(tmp_path: Path) -> None:
    make(tmp_path, "host.json", "b/c.py", "b/d/e.py", "a.py", "empty/", "local.settings.json")
    files = collect_files(tmp_path)
    assert files == FileSet(
        root=tmp_path,
        included=("a.py", "b/c.py", "b/d/e.py", "host.json"),
        ignored=files.ignored,
        kept_by={},
    )
    assert ignored(files) == {"local.settings.json": "azpack local.settings.json"}


def test_ignore_file(tmp_path: Path) -> None:
    make(
        tmp_path,
        *("a.md", "docs/a.rst", "docs/b/c.rst", "README.md", "sub/docs/a.rst", "x/a.log", "x/b.py"),
        funcignore="*.md\n/docs/\n!README.md\nx/*.log\n",
    )
    files = collect_files(tmp_path)
    assert files.included == ("README.md", "sub/docs/a.rst", "x/b.py")
    assert ignored(files) == {
        "a.md": ".funcignore:1 *.md",
        "docs/": ".funcignore:2 /docs/",
        "x/a.log": ".funcignore:4 x/*.log",
    }
    assert files.kept_by == {
        "README.md": Rule(pattern="!README.md", source=".funcignore:3", negated=True)
    }
    assert [found.path for found in files.ignored] == [".funcignore", "a.md", "docs/", "x/a.log"]


def test_nothing_below_an_ignored_folder_is_kept(tmp_path: Path) -> None:
    make(tmp_path, "a/b.py", "a/c/d.py", funcignore="a\n!a/b.py\n!a/c/\n!d.py\n")
    files = collect_files(tmp_path)
    assert files.included == ()
    assert ignored(files) == {"a/": ".funcignore:1 a"}


def test_allow_list(tmp_path: Path) -> None:
    make(
        tmp_path,
        *("a.py", "a.txt", "b/c.py", "b/c.txt", ".venv/lib/d.py", "my/lib/e.py", "my/pyvenv.cfg"),
        *("b/__pycache__/c.py", "node_modules/f.py", "host.json"),
        funcignore="*\n!*/\n!*.py\n!host.json\n",
    )
    files = collect_files(tmp_path)
    assert files.included == ("a.py", "b/c.py", "host.json")
    assert ignored(files) == {
        ".venv/": "azpack .venv",
        "a.txt": ".funcignore:1 *",
        "b/__pycache__/": "azpack __pycache__",
        "b/c.txt": ".funcignore:1 *",
        "my/": "azpack pyvenv.cfg",
        "node_modules/": "azpack node_modules",
    }
    assert {path: rule.pattern for path, rule in files.kept_by.items()} == {
        "a.py": "!*.py",
        "b/c.py": "!*.py",
        "host.json": "!host.json",
    }


def test_excludes_come_last(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.py", "c.md", funcignore="*.md\n!a.py\n")
    files = collect_files(tmp_path, excludes=("*.py", "!c.md"))
    assert files.included == ("c.md",)
    assert ignored(files) == {"a.py": "--exclude *.py", "b.py": "--exclude *.py"}


def test_paths_are_sorted_by_their_bytes(tmp_path: Path) -> None:
    names = [
        "a.b",
        "a/b",
        "a-b",
        "aé",
        "a\N{FULLWIDTH LATIN SMALL LETTER A}",
        "a\N{GRINNING FACE}",
        "Z",
    ]
    make(tmp_path, *names)
    assert collect_files(tmp_path).included == tuple(sorted(names, key=str.encode))


@pytest.mark.parametrize("name", [".git", ".hg", ".svn", ".funcignore", "local.settings.json"])
@pytest.mark.parametrize("folder", ["", "a/b/"])
@pytest.mark.parametrize("inside", ["", "/x"])
def test_never_packed(tmp_path: Path, name: str, folder: str, inside: str) -> None:
    if (name, folder) == (".funcignore", ""):
        make(tmp_path, funcignore="!.funcignore\n")
        assert collect_files(tmp_path).included == ()
        return
    make(tmp_path, f"{folder}{name}{inside}", funcignore=f"!{name}\n!{folder}{name}\n!/**/{name}\n")
    files = collect_files(tmp_path, excludes=(f"!{name}",))
    assert files.included == ()
    assert ignored(files) == {f"{folder}{name}" + "/" * bool(inside): f"azpack {name}"}


def test_python_packages(tmp_path: Path) -> None:
    make(tmp_path, ".python_packages/lib/a.py", "b/.python_packages/c.py", funcignore="!.python*\n")
    files = collect_files(tmp_path)
    assert files.included == ("b/.python_packages/c.py",)
    assert ignored(files) == {".python_packages/": "azpack .python_packages"}
    files = collect_files(tmp_path, keep_python_packages=True)
    assert files.included == (".python_packages/lib/a.py", "b/.python_packages/c.py")


PACKED_IF_NAMED = [
    *(".gitignore", ".gitattributes", ".vscode", ".idea", ".azure", ".venv", "__pycache__"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox", "node_modules", ".DS_Store"),
]


@pytest.mark.parametrize("name", PACKED_IF_NAMED)
@pytest.mark.parametrize(
    ("funcignore", "expected"),
    [
        (None, "azpack {}"),
        ("!*\n", "azpack {}"),
        ("!**/{}\n", "azpack {}"),
        ("!{}\n*\n!*\n", "azpack {}"),
        ("{}\n", ".funcignore:1 {}"),
        ("!{}\n*\n!*/\n!*.py\n{}\n", ".funcignore:5 {}"),
        ("!{}\n", None),
        ("*\n!a/\n!x.py\n!{}\n", None),
        ("!/a/{}\n", None),
        ("!a/{}\n", None),
        ("!/{}\n", "azpack {}"),
    ],
)
def test_packed_if_named(
    tmp_path: Path, name: str, funcignore: str | None, expected: str | None
) -> None:
    make(tmp_path, f"a/{name}/x.py", funcignore=funcignore and funcignore.replace("{}", name))
    files = collect_files(tmp_path)
    if expected is None:
        assert files.included == (f"a/{name}/x.py",)
        assert ignored(files) == {}
    else:
        assert files.included == ()
        assert ignored(files) == {f"a/{name}/": expected.format(name)}


def test_virtual_environment_of_any_name(tmp_path: Path) -> None:
    make(tmp_path, "a/my env/pyvenv.cfg", "a/my env/bin/x", "b/pyvenv.cfg", "b/.venv/y", "c/z")
    files = collect_files(tmp_path)
    assert files.included == ("c/z",)
    assert ignored(files) == {"a/my env/": "azpack pyvenv.cfg", "b/": "azpack pyvenv.cfg"}

    make(tmp_path, funcignore="!my\\ env/\n")
    assert collect_files(tmp_path).included == ("a/my env/bin/x", "a/my env/pyvenv.cfg", "c/z")
    make(tmp_path, funcignore="!/b\n")
    assert collect_files(tmp_path).included == ("b/pyvenv.cfg", "c/z")
    make(tmp_path, funcignore="!*\n!b/*\n")
    assert collect_files(tmp_path).included == ("c/z",)
    make(tmp_path, funcignore="b\n")
    assert ignored(collect_files(tmp_path))["b/"] == ".funcignore:1 b"


def test_the_root_is_no_virtual_environment(tmp_path: Path) -> None:
    make(tmp_path, "pyvenv.cfg", "a.py")
    assert collect_files(tmp_path).included == ("a.py", "pyvenv.cfg")


def test_outputs(tmp_path: Path) -> None:
    make(tmp_path, "dist/a.zip", "dist/a.manifest.json", "dist/b.zip", "a.zip", funcignore="!a.zip")
    outputs = [tmp_path / "dist/a.zip", tmp_path / "dist/a.manifest.json", Path("/elsewhere/a.zip")]
    files = collect_files(tmp_path, outputs=outputs)
    assert files.included == ("a.zip", "dist/b.zip")
    assert ignored(files) == {
        "dist/a.manifest.json": "azpack a.manifest.json",
        "dist/a.zip": "azpack a.zip",
    }


def test_outputs_are_compared_by_their_real_places(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    make(project, "host.json", "dist/a.zip", "dist/c.zip")
    make(elsewhere, "b.zip")
    link(tmp_path, "another-name", project)
    link(project, "also-dist", "dist")
    link(project, "latest.zip", "dist/a.zip")
    link(project, "b.zip", elsewhere / "b.zip")
    outputs = [tmp_path / "another-name/dist/../dist/a.zip", project / "b.zip"]
    for root in (project, tmp_path / "another-name"):
        files = collect_files(root, outputs=outputs)
        assert files.included == ("also-dist/c.zip", "dist/c.zip", "host.json")
        assert ignored(files) == {
            "also-dist/a.zip": "azpack a.zip",
            "b.zip": "azpack b.zip",
            "dist/a.zip": "azpack a.zip",
            "latest.zip": "azpack a.zip",
        }


def test_link_within_the_project(tmp_path: Path) -> None:
    make(tmp_path, "shared/a.py", "shared/b.md", "app/c.py", "host.json")
    link(tmp_path, "app/shared", "../shared")
    link(tmp_path, "app/host", tmp_path / "host.json")
    link(tmp_path, "app/again", "shared")
    make(tmp_path, funcignore="/app/shared/*.md\n")
    files = collect_files(tmp_path)
    assert files.included == (
        *("app/again/a.py", "app/again/b.md", "app/c.py", "app/host", "app/shared/a.py"),
        *("host.json", "shared/a.py", "shared/b.md"),
    )
    assert ignored(files) == {"app/shared/b.md": ".funcignore:1 /app/shared/*.md"}


def test_link_to_what_is_ignored_at_its_own_place(tmp_path: Path) -> None:
    make(tmp_path, "data/a.csv", funcignore="/data\n!kept/a.csv\n")
    link(tmp_path, "kept", "data")
    files = collect_files(tmp_path)
    assert files.included == ("kept/a.csv",)
    assert list(files.kept_by) == ["kept/a.csv"]


def test_rules_for_folders_apply_to_links_to_folders(tmp_path: Path) -> None:
    make(tmp_path, "real/a.py", "b.py", funcignore="build/\n")
    link(tmp_path, "build", "real")
    link(tmp_path, "x/build", "../b.py")
    files = collect_files(tmp_path)
    assert files.included == ("b.py", "real/a.py", "x/build")
    assert ignored(files) == {"build/": ".funcignore:1 build/"}


def test_ignored_links_are_no_errors(tmp_path: Path) -> None:
    make(tmp_path, "a.py", funcignore="out*\nbroken\nloop\nself\nfifo\n")
    link(tmp_path, "outside", "/")
    link(tmp_path, "out-file", "/etc/hosts")
    link(tmp_path, "broken", "nothing")
    link(tmp_path, "loop", ".")
    link(tmp_path, "self", "self")
    link(tmp_path, ".venv", "nothing")
    os.mkfifo(tmp_path / "fifo")
    files = collect_files(tmp_path)
    assert files.included == ("a.py",)
    assert ignored(files) == {
        ".venv": "azpack .venv",
        "broken": ".funcignore:2 broken",
        "fifo": ".funcignore:5 fifo",
        "loop/": ".funcignore:3 loop",
        "out-file": ".funcignore:1 out*",
        "outside/": ".funcignore:1 out*",
        "self": ".funcignore:4 self",
    }


def test_link_to_what_is_never_packed(tmp_path: Path) -> None:
    make(tmp_path, "local.settings.json", ".git/hooks/x", ".python_packages/lib/a.py", "sub/.git")
    link(tmp_path, "dev.json", "local.settings.json")
    link(tmp_path, "hooks", ".git/hooks")
    link(tmp_path, "lib", ".python_packages/lib")
    files = collect_files(tmp_path)
    assert files.included == ()
    assert ignored(files) == {
        ".git/": "azpack .git",
        ".python_packages/": "azpack .python_packages",
        "dev.json": "azpack local.settings.json",
        "hooks/": "azpack .git",
        "lib/": "azpack .python_packages",
        "local.settings.json": "azpack local.settings.json",
        "sub/.git": "azpack .git",
    }


def test_link_to_a_virtual_environment(tmp_path: Path) -> None:
    project, venv = tmp_path / "project", tmp_path / "venvs/project"
    make(project, "a.py", "tools/pyvenv.cfg")
    make(venv, "pyvenv.cfg", "lib/b.py")
    link(project, "env", venv)
    link(project, "inner", "tools")
    files = collect_files(project)
    assert files.included == ("a.py",)
    assert ignored(files) == dict.fromkeys(["env/", "inner/", "tools/"], "azpack pyvenv.cfg")
    make(project, funcignore="!/inner\n")
    assert collect_files(project).included == ("a.py", "inner/pyvenv.cfg")
    make(project, funcignore="!/env\n")
    with pytest.raises(FileError) as caught:
        collect_files(project)
    assert caught.value.code == "link-outside-project"


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ("../outside", "link-outside-project", "a/l is a link to ../outside, outside"),
        ("../../outside", "link-outside-project", "a/l is a link to ../../outside, outside"),
        ("../../outside/f", "link-outside-project", "a/l is a link to ../../outside/f, outside"),
        ("/", "link-outside-project", "a/l is a link to /, outside of the project"),
        ("../../project-2", "link-outside-project", "a/l is a link to ../../project-2, outside"),
        ("nothing", "broken-link", "a/l is a link to nothing, which does not exist"),
        ("f/x", "broken-link", "a/l is a link to f/x, which does not exist"),
        ("/nothing", "broken-link", "a/l is a link to /nothing, which does not exist"),
        ("l", "link-loop", "a/l is a link to l, which leads to itself or"),
        (".", "link-loop", "a/l is a link to ., a folder that holds the link"),
        ("..", "link-loop", "a/l is a link to .., a folder that holds the link"),
        ("../other/back", "link-loop", "a/l is a link to ../other/back, a folder that"),
    ],
)
def test_unusable_link(tmp_path: Path, target: str, code: str, message: str) -> None:
    project = tmp_path / "project"
    make(tmp_path, "outside/f", "project-2/f", "project/a/f", "project/other/")
    link(project, "outside", tmp_path / "outside")
    link(project, "other/back", project / "a")
    make(project, funcignore="/outside\n/other\n")
    link(project, "a/l", target)
    with pytest.raises(FileError) as caught:
        collect_files(project)
    assert caught.value.code == code
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message
    assert ".funcignore" in caught.value.hint
    assert "copy" in caught.value.hint
    assert problems(caught.value) == [("a/l", code, target)]


def test_links_that_lead_to_each_other(tmp_path: Path) -> None:
    make(tmp_path, "a/f", "b/f")
    link(tmp_path, "a/to-b", "../b")
    link(tmp_path, "b/to-a", "../a")
    with pytest.raises(FileError) as caught:
        collect_files(tmp_path)
    assert problems(caught.value) == [
        ("a/to-b/to-a", "link-loop", "../a"),
        ("b/to-a/to-b", "link-loop", "../b"),
    ]


def test_link_to_a_folder_that_holds_an_earlier_link(tmp_path: Path) -> None:
    make(tmp_path, "a/b/f", "x/")
    link(tmp_path, "x/l", "../a/b")
    link(tmp_path, "a/b/up", "..")
    with pytest.raises(FileError) as caught:
        collect_files(tmp_path)
    assert problems(caught.value) == [
        ("a/b/up", "link-loop", ".."),
        ("x/l/up", "link-loop", ".."),
    ]


def test_all_problems_are_in_one_error(tmp_path: Path) -> None:
    for number in range(12):
        link(tmp_path, f"l{number:02}", "nothing")
    link(tmp_path, "a", "/")
    os.mkfifo(tmp_path / "z")
    with pytest.raises(FileError) as caught:
        collect_files(tmp_path)
    assert caught.value.code == "link-outside-project"
    lines = caught.value.message.splitlines()
    assert lines[0] == "14 paths can't be packed:"
    assert lines[1] == "  a is a link to /, outside of the project"
    assert lines[2] == "  l00 is a link to nothing, which does not exist"
    assert lines[11:] == ["  and 4 more"]
    assert [path for path, _, _ in problems(caught.value)] == [
        *("a", *(f"l{number:02}" for number in range(12)), "z"),
    ]


def test_links_that_multiply(tmp_path: Path) -> None:
    for number in range(20):
        make(tmp_path, f"f{number}/x")
        if number:
            link(tmp_path, f"f{number - 1}/a", f"../f{number}")
            link(tmp_path, f"f{number - 1}/b", f"../f{number}")
    with pytest.raises(FileError, match="more than 50000 files and folders") as caught:
        collect_files(tmp_path)
    assert caught.value.code == "too-many-files-behind-links"


def test_more_links_in_a_row_than_the_system_follows(tmp_path: Path) -> None:
    for number in range(60):
        make(tmp_path, f"f{number}/x")
        if number:
            link(tmp_path, f"f{number - 1}/a", f"../f{number}")
    with pytest.raises(FileError) as caught:
        collect_files(tmp_path)
    assert caught.value.code == "link-loop"


def test_special_file(tmp_path: Path) -> None:
    make(tmp_path, "a/b.py")
    os.mkfifo(tmp_path / "a/fifo")
    link(tmp_path, "l", "a/fifo")
    with pytest.raises(FileError) as caught:
        collect_files(tmp_path)
    assert problems(caught.value) == [
        ("a/fifo", "not-a-regular-file", None),
        ("l", "not-a-regular-file", "a/fifo"),
    ]
    assert "a/fifo is neither a file nor a folder" in caught.value.message


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    bad = os.fsdecode(b"caf\xe9")
    make(tmp_path, "café/a.py")
    try:
        make(tmp_path, f"{bad}/b.py", f"x/{bad}")
    except OSError:
        pytest.skip("this file system has UTF-8 names alone")
    with pytest.raises(FileError) as caught:
        collect_files(tmp_path)
    assert problems(caught.value) == [
        ("caf\\xe9/b.py", "name-not-utf8", None),
        ("x/caf\\xe9", "name-not-utf8", None),
    ]
    caught.value.message.encode()
    (tmp_path / ".funcignore").write_bytes(b"caf\xe9\n")
    files = collect_files(tmp_path)
    assert files.included == ("café/a.py",)
    assert ignored(files) == {
        f"{bad}/": ".funcignore:1 caf\\xe9",
        f"x/{bad}": ".funcignore:1 caf\\xe9",
    }


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "unreadable"),
        (errno.EIO, "unreadable"),
        (errno.ENOENT, "vanished"),
        (errno.ENOTDIR, "vanished"),
        (errno.ENAMETOOLONG, "path-too-long"),
    ],
)
def test_folder_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    make(tmp_path, "a/b/c.py", "d.py")
    scandir = os.scandir

    def failing(path: str) -> Iterator[os.DirEntry[str]]:
        if path.rstrip("/").endswith("a/b"):
            raise OSError(number, os.strerror(number), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(FileError, match=r"^a/b/ ") as caught:
        collect_files(tmp_path)
    assert caught.value.code == code
    assert caught.value.context == {"path": "a/b/"}
    make(tmp_path, funcignore="/a/b\n")
    assert collect_files(tmp_path).included == ("d.py",)


def test_root_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nothing") as caught:
        collect_files(tmp_path / "nothing")
    assert caught.value.code == "vanished"


def test_link_whose_target_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.py")
    link(tmp_path, "l", "a.py")

    class Entry:
        name = "l"
        path = str(tmp_path / "l")

        def stat(self) -> os.stat_result:
            raise PermissionError(errno.EACCES, "Permission denied")

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return follow_symlinks

        is_file = is_dir

    monkeypatch.setattr(collect._Walk, "_entries", lambda *_: [Entry()])
    with pytest.raises(FileError, match=r"^l can't be read: Permission denied$") as caught:
        collect_files(tmp_path)
    assert problems(caught.value) == [("l", "unreadable", "a.py")]


@contextmanager
def nested(root: Path, name: str, levels: int) -> Iterator[None]:
    """A folder in a folder in a folder. No path in here is long, and none is left behind:
    pytest, which removes old folders, can't remove one so deep.
    """
    top, aside = root / name, root / "aside"
    (top / "f.py").parent.mkdir()
    (top / "f.py").touch()
    for _ in range(levels - 1):
        top.rename(aside)
        top.mkdir()
        aside.rename(top / name)
    yield
    while (top / name).exists():
        (top / name).rename(aside)
        top.rmdir()
        aside.rename(top)


def test_deep_nesting(tmp_path: Path) -> None:
    levels = (3500 - len(str(tmp_path))) // 2
    with nested(tmp_path, "d", levels):
        assert collect_files(tmp_path).included == ("d/" * levels + "f.py",)


def test_path_longer_than_the_system_opens(tmp_path: Path) -> None:
    with nested(tmp_path, "d" * 200, 30):
        with pytest.raises(FileError) as caught:
            collect_files(tmp_path)
        assert caught.value.code == "path-too-long"
        assert len(caught.value.message) < 400
        make(tmp_path, funcignore="ddd*\n")
        assert collect_files(tmp_path).included == ()


def test_ignore_file_in_utf16(tmp_path: Path) -> None:
    (tmp_path / ".funcignore").write_bytes("*.md\n".encode("utf-16"))
    with pytest.raises(UsageError) as caught:
        collect_files(tmp_path)
    assert caught.value.code == "ignore-file-encoding"


def test_ignore_file_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / ".funcignore").mkdir()
    with pytest.raises(UsageError) as caught:
        collect_files(tmp_path)
    assert caught.value.code == "ignore-file-not-a-file"
    (tmp_path / ".funcignore").rmdir()
    os.mkfifo(tmp_path / ".funcignore")
    with pytest.raises(UsageError):
        collect_files(tmp_path)


def test_ignore_file_that_is_a_link(tmp_path: Path) -> None:
    make(tmp_path, "project/a.md", "project/b.py", "common")
    (tmp_path / "common").write_text("*.md\n")
    link(tmp_path, "project/.funcignore", "../common")
    assert collect_files(tmp_path / "project").included == ("b.py",)
    (tmp_path / "common").unlink()
    with pytest.raises(FileError) as caught:
        collect_files(tmp_path / "project")
    assert caught.value.code == "broken-link"


def test_ignore_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.md", funcignore="*.md\n")

    def failing(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(
        FileError, match=r"^\.funcignore can't be read: Permission denied$"
    ) as caught:
        collect_files(tmp_path)
    assert caught.value.code == "unreadable"

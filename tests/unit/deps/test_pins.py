from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from packaging.requirements import Requirement

from azpack.deps.lock import Lock, LockedDistribution
from azpack.deps.pins import out_of_reach, requirements_text, unhashed
from tests.unit.deps.test_lock import COMMIT, FOLDER, SHA, locks


@given(lock=locks())
def test_pips_format(lock: Lock) -> None:
    lines = requirements_text(lock, root=FOLDER, head="Pins.").replace("\\\n", "").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert len(entries) == len(lock.distributions)
    hashed = all(entry.sha256 for entry in lock.distributions)
    for line, entry in zip(entries, lock.distributions, strict=True):
        text, *hashes = line.split("    --hash=")
        assert hashes == ([f"sha256:{entry.sha256}"] if hashed else [])
        if entry.kind == "directory":
            folder = os.path.relpath(os.path.join(entry.url, entry.subdirectory), FOLDER)
            assert line == (folder if folder.startswith("../") else f"./{folder}")
            continue
        if entry.kind == "archive" and entry.url.startswith("file:") and not entry.subdirectory:
            start = "./wheels/" if entry.url.startswith("file:///project/") else "../srv/"
            assert text.strip() == f"{start}{entry.filename}"
            continue
        parsed = Requirement(text.strip())
        assert parsed.name == entry.name
        if entry.kind == "vcs":
            assert parsed.url is not None
            assert parsed.url.startswith(f"git+{entry.url}@{COMMIT}")
        if entry.kind in ("wheel", "sdist"):
            assert str(parsed.specifier) == f"=={entry.version}"
        if entry.kind in ("archive", "vcs") and entry.subdirectory:
            assert text.rstrip().endswith("#subdirectory=sub/folder")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/project/v/a-1.0+l.tar.gz", "./v/a-1.0+l.tar.gz"),
        ("/project/été/a.tar.gz", "./été/a.tar.gz"),
        ("/elsewhere/a.tar.gz", "../elsewhere/a.tar.gz"),
        # In these pip's reader sees extras, variables, comments, options or markers.
        ("/project/my wheels/a.tar.gz", "a @ file:///project/my%20wheels/a.tar.gz"),
        ("/project/v[x]/a.tar.gz", "a @ file:///project/v%5Bx%5D/a.tar.gz"),
        ("/project/v;x/a.tar.gz", "a @ file:///project/v%3Bx/a.tar.gz"),
    ],
)
def test_paths_in_pips_format(path: str, line: str) -> None:
    entry = LockedDistribution(
        name="a", version="1", kind="archive", url=Path(path).as_uri(), sha256=SHA
    )
    text = requirements_text(Lock(distributions=(entry,), target={}), root=FOLDER, head="Pins.")
    assert text.splitlines()[2:] == [f"{line} \\", f"    --hash=sha256:{SHA}"]


def entry(kind: Any, url: str, **more: Any) -> LockedDistribution:
    sha256 = "" if kind in ("directory", "vcs") else SHA
    return LockedDistribution(name="a", version="1", kind=kind, url=url, sha256=sha256, **more)


def test_a_file_of_the_project_is_named_by_its_path_where_it_is_packed() -> None:
    wheel = "/project/wheels/a-1-py3-none-any.whl"
    lock = Lock(distributions=(entry("wheel", Path(wheel).as_uri()),), target={})
    lines = [
        requirements_text(lock, root=FOLDER, head="Pins.", packed=packed).splitlines()[2]
        for packed in ([], ["wheels/a-1-py3-none-any.whl"])
    ]
    assert lines == ["a==1 \\", "./wheels/a-1-py3-none-any.whl \\"]


def test_the_package_names_no_place_of_this_machine() -> None:
    paths = ["/project/my lib", "/project/v[x]", "/elsewhere/lib"]
    for path, line in zip(paths, ["./my lib", "./v[x]", "../elsewhere/lib"], strict=True):
        lock = Lock(distributions=(entry("directory", path),), target={})
        text = requirements_text(lock, root=FOLDER, head="Pins.", packed=())
        assert text.splitlines()[-1] == line


def test_the_head_is_a_comment() -> None:
    text = requirements_text(Lock(distributions=(), target={}), root=FOLDER, head="One.\nTwo.")
    assert text.splitlines() == ["# One.", "# Two.", ""]


PACKED = [
    "lib/pyproject.toml", "old/setup.py", "sub/pkg/setup.py", "v/a.whl", "s p/a.whl", "s #p/a.whl",
]  # fmt: skip
FILE = "file:///project"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (entry("wheel", "https://x.example/a.whl"), ""),
        (entry("sdist", "https://x.example/a.tar.gz"), ""),
        (entry("archive", "https://x.example/a.zip"), ""),
        (entry("archive", "https://closed.example/a.zip"), "no password"),
        (entry("archive", "https://me:pw@x.example/a.zip"), "no password"),
        (entry("vcs", "https://x.example/a.git"), ""),
        (entry("vcs", "https://closed.example/a.git"), "no password"),
        (entry("vcs", "ssh://git@x.example/a.git"), "no access"),
        (entry("vcs", "file:///srv/a.git"), "no access"),
        (entry("wheel", f"{FILE}/v/a.whl"), ""),
        (entry("archive", f"{FILE}/v/a.whl"), ""),
        (entry("wheel", f"{FILE}/v/b.whl"), "v/b.whl is not in the package"),
        (entry("wheel", "file:///srv/a.whl"), "../srv/a.whl is outside the project"),
        (entry("archive", f"{FILE}/s%20p/a.whl"), ""),
        (entry("archive", f"{FILE}/s%20%23p/a.whl"), "can't name s #p/a.whl"),
        (entry("archive", f"{FILE}/v/a.whl", subdirectory="x"), "can't name v/a.whl"),
        (entry("directory", "/project/lib"), ""),
        (entry("directory", "/project/old"), ""),
        (entry("directory", "/project/sub", subdirectory="pkg"), ""),
        (entry("directory", "/project/sub"), "sub is not in the package"),
        (entry("directory", "/project"), ". is not in the package"),
        (entry("directory", "/lib"), "../lib is outside the project"),
        (entry("directory", "/"), ".. is outside the project"),
    ],
)
def test_what_the_platform_can_reach(found: LockedDistribution, reason: str) -> None:
    closed = {"https://closed.example/a.zip", "https://closed.example/a.git"}
    said = out_of_reach(found, root=FOLDER, packed=frozenset(PACKED), closed=closed)
    assert reason in said
    assert bool(said) is bool(reason)
    assert "pw" not in said.replace("password", "")


def test_the_project_itself_is_reached_where_it_can_be_built() -> None:
    here = entry("directory", "/project")
    assert not out_of_reach(here, root=FOLDER, packed={"pyproject.toml"}, closed=())
    text = requirements_text(Lock(distributions=(here,), target={}), root=FOLDER, head="")
    assert text.splitlines()[-1] == "./."


def test_what_has_no_hash() -> None:
    found = (entry("vcs", "https://x.example/a.git"), entry("wheel", "https://x.example/a.whl"))
    assert unhashed(Lock(distributions=found, target={})) == ("a",)
    assert unhashed(Lock(distributions=found[1:], target={})) == ()

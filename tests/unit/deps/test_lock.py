from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.pylock import Pylock

from azpack.deps.lock import (
    Lock,
    LockedDistribution,
    file_path,
    lock_text,
    normalized,
    read_lock,
)
from azpack.deps.pins import requirements_text
from azpack.errors import ResolutionError
from azpack.target.target import find_target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = Path("/project")
SHA = "ab" * 32
OTHER = "cd" * 32
COMMIT = "0123456789" * 4
TARGETS = {
    python: find_target(FOLDER, python=python) for python in ("3.10", "3.11", "3.12", "3.13")
}


def wheel(filename: str, sha256: str = SHA) -> dict[str, Any]:
    url = f"https://files.example/{filename}"
    return {"name": filename, "url": url, "hashes": {"sha256": sha256}}


def package(*tags: str, name: str = "a", sdist: bool = False, **more: Any) -> dict[str, Any]:
    table: dict[str, Any] = {"name": name, "version": "1.0", **more}
    if tags:
        table["wheels"] = [wheel(f"{name}-1.0-{tag}.whl") for tag in tags]
    if sdist:
        table["sdist"] = wheel(f"{name}-1.0.tar.gz")
    return table


def table_of(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"lock-version": "1.0", "created-by": "test", "packages": list(packages), **more}


def read(
    *packages: dict[str, Any],
    python: str = "3.11",
    allowed: dict[str, frozenset[str]] | None = None,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
) -> tuple[LockedDistribution, ...]:
    return read_lock(
        table_of(*packages, **(more or {})),
        folder=FOLDER,
        target=TARGETS[python],
        name="pylock.toml",
        allowed=allowed,
        extras=extras,
        groups=groups,
    ).distributions


def fails(*packages: dict[str, Any], code: str, **more: Any) -> ResolutionError:
    """The error of reading a lock with `more` at its top, each name with _ for a dash."""
    with pytest.raises(ResolutionError) as caught:
        read(*packages, more={name.replace("_", "-"): value for name, value in more.items()})
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize(
    ("python", "tags", "chosen"),
    [
        ("3.11", ["py3-none-any", "cp311-cp311-manylinux_2_17_x86_64"], 1),
        ("3.11", ["cp311-abi3-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_5_x86_64"], 1),
        ("3.11", ["cp37-abi3-manylinux2014_x86_64", "py3-none-any"], 0),
        ("3.11", ["py3-none-any", "py311-none-any"], 1),
        ("3.11", ["py3-none-manylinux1_x86_64", "py3-none-any"], 0),
        ("3.11", ["py2.py3-none-any"], 0),
        # The newest platform that still runs.
        ("3.11", ["cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_31_x86_64"], 1),
        ("3.11", ["cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
                  "cp311-cp311-manylinux_2_34_x86_64"], 0),
        # glibc 2.31 on 3.11, 2.36 on 3.12.
        ("3.11", ["cp311-cp311-manylinux_2_34_x86_64"], None),
        ("3.12", ["cp311-abi3-manylinux_2_34_x86_64"], 0),
        ("3.12", ["cp312-cp312-manylinux_2_36_x86_64"], 0),
        ("3.12", ["cp312-cp312-manylinux_2_37_x86_64"], None),
        # Of another Python, ABI, platform or architecture.
        ("3.13", ["cp313-cp313t-manylinux_2_17_x86_64"], None),
        ("3.13", ["cp313-cp313t-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_17_x86_64"], 1),
        ("3.10", ["cp311-abi3-manylinux_2_17_x86_64"], None),
        ("3.11", ["cp310-cp310-manylinux_2_17_x86_64"], None),
        ("3.11", ["cp311-cp311-linux_x86_64"], None),
        ("3.11", ["cp311-cp311-musllinux_1_2_x86_64"], None),
        ("3.11", ["cp311-cp311-manylinux_2_17_aarch64"], None),
        ("3.11", ["cp311-cp311-win_amd64", "cp311-cp311-macosx_11_0_x86_64"], None),
        ("3.11", ["pp311-pypy311_pp73-manylinux_2_17_x86_64"], None),
        # The highest build of the same tags, in numbers, then in letters; none is the lowest.
        ("3.11", ["py3-none-any", "2-py3-none-any"], 1),
        ("3.11", ["10-py3-none-any", "9-py3-none-any"], 0),
        ("3.11", ["1a-py3-none-any", "1b-py3-none-any"], 1),
        ("3.11", ["9-py3-none-any", "cp311-cp311-manylinux1_x86_64"], 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("turned", [False, True])
def test_the_best_wheel_for_the_target(
    python: str, tags: list[str], chosen: int | None, turned: bool
) -> None:
    (entry,) = read(package(*(tags[::-1] if turned else tags)), python=python)
    if chosen is None:
        assert (entry.url, entry.tag) == ("", "")
        assert entry.reason == "no wheel fits the target"
    else:
        assert entry.filename == f"a-1.0-{tags[chosen]}.whl"
        assert entry.tag
        assert (entry.kind, entry.sha256, entry.is_wheel) == ("wheel", SHA, True)


def test_the_sdist_where_no_wheel_fits() -> None:
    (entry,) = read(package("cp311-cp311-win_amd64", sdist=True))
    assert (entry.kind, entry.filename, entry.reason) == (
        "sdist",
        "a-1.0.tar.gz",
        "no wheel fits the target",
    )
    (entry,) = read(package(sdist=True))
    assert (entry.is_wheel, entry.reason) == (False, "there is no wheel")
    (entry,) = read(package("py3-none-any", sdist=True))
    assert (entry.kind, entry.reason) == ("wheel", "the only wheel that fits")


@pytest.mark.parametrize(
    ("marker", "python", "there"),
    [
        ("sys_platform == 'linux'", "3.11", True),
        ("sys_platform == 'win32' or os_name == 'nt'", "3.11", False),
        ("platform_machine == 'x86_64'", "3.11", True),
        ("platform_machine == 'aarch64' or platform_machine == 'AMD64'", "3.11", False),
        ("platform_system == 'Linux'", "3.11", True),
        ("implementation_name == 'cpython'", "3.11", True),
        ("python_version < '3.12'", "3.13", False),
        ("python_version < '3.12'", "3.11", True),
        ("python_version >= '3.9'", "3.10", True),
        ("python_full_version >= '3.11.4'", "3.11", True),
        ("python_full_version < '3.11.4'", "3.11", False),
        ("'cp' in implementation_name", "3.11", True),
        ("'x' in extras", "3.11", False),
    ],
)
def test_markers_are_those_of_the_target(marker: str, python: str, there: bool) -> None:
    assert bool(read(package("py3-none-any", marker=marker), python=python)) is there


@pytest.mark.parametrize(
    ("marker", "extras", "groups", "there"),
    [
        ("'x' in extras", ["x"], [], True),
        ("'x-y' in extras", ["X_Y"], [], True),
        ("'x' in extras or 'z' in extras", ["y"], [], False),
        ("'g' in dependency_groups", [], ["g"], True),
        ("'g' in dependency_groups", ["g"], [], False),
        ("'main' in dependency_groups", [], [], True),  # of the default ones
    ],
)
def test_extras_and_groups(marker: str, extras: list[str], groups: list[str], there: bool) -> None:
    found = read(
        package("py3-none-any", marker=marker),
        extras=extras,
        groups=groups,
        more={"default-groups": ["main"]},
    )
    assert bool(found) is there


@pytest.mark.parametrize(
    "marker", ["sys_platform ~= 'x'", "python_version < '3.12' and os_name ~= 'a'"]
)
def test_a_marker_that_cannot_be_evaluated(marker: str) -> None:
    assert "pylock.toml" in fails(package("py3-none-any", marker=marker), code="bad-lock").message


def test_another_python() -> None:
    error = fails(requires_python=">=3.12", code="lock-for-another-python")
    assert "the target is 3.11." in error.message
    assert read(more={"requires-python": ">=3.11.4,<3.12"}) == ()
    table = {**package("py3-none-any"), "requires-python": "<3.11"}
    assert "a needs Python <3.11" in fails(table, code="lock-for-another-python").message
    # What the target does not install may need what it likes.
    assert read({**table, "marker": "sys_platform == 'win32'"}) == ()


def test_another_environment() -> None:
    windows, linux = "sys_platform == 'win32'", "sys_platform == 'linux'"
    error = fails(environments=[windows], code="lock-for-another-environment")
    assert "win32" in error.message
    assert read(more={"environments": [windows, linux]}) == ()


def test_two_entries_of_one_name() -> None:
    old = package("py3-none-any", marker="python_version < '3.12'")
    new = package("py3-none-any", marker="python_version >= '3.11'")
    assert "two entries of a" in fails(old, new, code="bad-lock").message
    assert len(read(old, new, python="3.10")) == len(read(old, new, python="3.13")) == 1


def test_only_allowed_hashes_count() -> None:
    table = package("py3-none-any", "py311-none-any", sdist=True)
    table["wheels"][0]["hashes"]["sha256"] = OTHER
    allowed = {"a": frozenset({f"sha256:{OTHER}"})}
    (entry,) = read(table, allowed=allowed)
    assert entry.filename == "a-1.0-py3-none-any.whl"
    (entry,) = read(table, allowed={"b": frozenset({f"sha256:{OTHER}"})})
    assert entry.filename == "a-1.0-py311-none-any.whl"
    table["wheels"].pop(0)
    (entry,) = read(table, allowed=allowed)
    assert entry.url == ""
    assert "hashes" in entry.reason


@pytest.mark.parametrize("filename", ["a-1.0-py3-none-any.whl", "a-1.0.tar.gz"])
def test_the_hash_of_an_archive_is_compared_too(filename: str) -> None:
    table = {
        "name": "a",
        "archive": {"url": f"https://x.example/{filename}", "hashes": {"sha256": SHA}},
    }
    (entry,) = read(table, allowed={"a": frozenset({f"sha256:{OTHER}"})})
    assert (entry.url, entry.sha256) == ("", "")
    (entry,) = read(table, allowed={"a": frozenset({f"sha256:{SHA}"})})
    assert entry.sha256 == SHA


def test_what_no_sha256_fixes_is_refused() -> None:
    table = package("py3-none-any")
    table["wheels"][0]["hashes"] = {"sha512": "ab" * 64}
    fails(table, code="no-hash")


def archive(filename: str) -> LockedDistribution:
    url = f"https://files.example/{filename}?x=1#y"
    (entry,) = read({"name": "a", "archive": {"url": url, "hashes": {"sha256": SHA}}})
    return entry


def test_archives() -> None:
    entry = archive("a-1.0-py3-none-any.whl")
    assert (entry.kind, entry.filename, entry.tag) == (
        "archive", "a-1.0-py3-none-any.whl", "py3-none-any",
    )  # fmt: skip
    assert (entry.is_wheel, entry.is_from_index) == (True, False)
    entry = archive("a%2B1-1.0.tar.gz")
    assert (entry.filename, entry.tag, entry.is_wheel) == ("a+1-1.0.tar.gz", "", False)


def test_an_archive_of_another_platform() -> None:
    entry = archive("a-1.0-cp311-cp311-win_amd64.whl")
    assert (entry.is_wheel, entry.tag) == (True, "")
    assert "does not fit the target" in entry.reason


@pytest.mark.parametrize("filename", ["latest.whl", "a-1.whl", "..", "%2E%2E", "a%00.whl"])
def test_archives_with_names_of_no_use(filename: str) -> None:
    with pytest.raises(ResolutionError):
        archive(filename)


def test_folders_and_repositories() -> None:
    url = "https://git.example/a.git"
    found = read(
        {"name": "a", "directory": {"path": "../lib", "subdirectory": "sub"}},
        {"name": "b", "vcs": {"type": "git", "url": url, "commit-id": COMMIT}},
        {"name": "c", "vcs": {"type": "git", "path": "c", "commit-id": COMMIT}},
    )
    a, b, c = found
    assert (a.kind, a.url, a.subdirectory, a.is_path) == ("directory", "/lib", "sub", True)
    assert (b.kind, b.url, b.commit, b.is_path) == ("vcs", url, COMMIT, False)
    assert c.url == "file:///project/c"
    assert (a.is_from_index, b.is_from_index) == (False, False)


def test_other_repositories_than_git_are_refused() -> None:
    vcs = {"type": "hg", "url": "https://x.example", "commit-id": "1"}
    assert "hg" in fails({"name": "a", "vcs": vcs}, code="not-git").message


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"lock-version": "9.0", "created-by": "x", "packages": []},
        {"lock-version": 1, "created-by": "x", "packages": []},
        table_of({"name": "A_B", "version": "1"}),
        table_of({"name": "a"}),
        table_of({"name": "a", "wheels": 3}),
        table_of({"name": "a", "wheels": [wheel("x.whl")]}),
        table_of({"name": "a", "wheels": [{**wheel("a-1-py3-none-any.whl"), "hashes": {}}]}),
        table_of(package("py3-none-any", marker="nonsense")),
        {"lock-version": "1.0", "created-by": "x", "packages": "a"},
    ],
)  # fmt: skip
def test_what_is_no_lock(table: dict[str, Any]) -> None:
    with pytest.raises(ResolutionError) as caught:
        read_lock(table, folder=FOLDER, target=TARGETS["3.11"], name="some.toml")
    assert caught.value.code == "bad-lock"
    assert "some.toml" in caught.value.message


def test_distributions_are_sorted() -> None:
    names = [entry.name for entry in read(*(package("py3-none-any", name=name) for name in "cab"))]
    assert names == ["a", "b", "c"]


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?", fullmatch=True)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def distributions(draw: st.DrawFn, name: str) -> LockedDistribution:
    version = draw(st.sampled_from(["1.0", "2", "1!3.0.post1", "0.1rc1"]))
    stem = f"{name.replace('-', '_')}-{version}"
    kind = draw(st.sampled_from(["wheel", "sdist", "archive", "directory", "vcs"]))
    place = draw(
        st.sampled_from(["https://files.example/p", "file:///project/wheels", "file:///srv"])
    )
    size = draw(st.none() | st.integers(0, 9_999_999))
    subdirectory = draw(st.sampled_from(["", "sub/folder"]))
    if kind == "directory":
        return LockedDistribution(
            name=name, version=draw(st.sampled_from(["", version])), kind="directory",
            url=f"{draw(st.sampled_from(['/project', '/']))}/{name}".replace("//", "/"),
            subdirectory=subdirectory, reason="a folder",
        )  # fmt: skip
    if kind == "vcs":
        url = draw(st.sampled_from(["https://g.example/a", "ssh://git@g.example/a", "file:///g/a"]))
        return LockedDistribution(
            name=name, version="", kind="vcs", url=url, commit=COMMIT, subdirectory=subdirectory,
            reason=f"commit {COMMIT[:12]}",
        )  # fmt: skip
    if kind == "sdist":
        return LockedDistribution(
            name=name, version=version, kind="sdist",
            url=f"{place}/{stem}.tar.gz".replace("!", "%21"),
            filename=f"{stem}.tar.gz", sha256=draw(HASHES), size=size, reason="there is no wheel",
        )  # fmt: skip
    if kind == "wheel":
        tag = draw(st.sampled_from(["py3-none-any", "cp311-cp311-manylinux_2_17_x86_64"]))
        filename = f"{stem}-{tag}.whl"
        return LockedDistribution(
            name=name, version=version, kind="wheel", url=f"{place}/{filename}".replace("!", "%21"),
            filename=filename, sha256=draw(HASHES), size=size, tag=tag,
            reason="the only wheel that fits",
        )  # fmt: skip
    return LockedDistribution(
        name=name, version=version, kind="archive", url=f"{place}/{name}.tar.gz",
        filename=f"{name}.tar.gz", sha256=draw(HASHES), size=size, subdirectory=subdirectory,
        reason="named by its URL",
    )  # fmt: skip


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    names = sorted(draw(st.sets(NAMES, max_size=5)))
    return Lock(
        distributions=tuple(draw(distributions(name)) for name in names),
        target=TARGETS["3.11"].record(),
        requirements_digest=draw(HASHES),
        files=("requirements.txt", "more.txt"),
    )


@given(lock=locks())
def test_what_is_written_is_what_is_read(lock: Lock) -> None:
    text = lock_text(lock, root=FOLDER)
    table = tomllib.loads(text)
    pylock = Pylock.from_dict(table)
    pylock.validate()
    assert str(pylock.requires_python) == "==3.11.*"
    read = read_lock(table, folder=FOLDER, target=TARGETS["3.11"], name="pylock.toml")
    assert read.distributions == lock.distributions
    own = table["tool"]["azpack"]
    assert own["requirements-digest"] == lock.requirements_digest
    assert own["target"] == lock.target == read.target
    assert own["requirements"] == ["requirements.txt", "more.txt"]
    assert lock_text(Lock(distributions=read.distributions, target=lock.target,
                          requirements_digest=lock.requirements_digest, files=lock.files),
                     root=FOLDER) == text  # fmt: skip


def test_a_lock_that_is_a_reader_sees_in_a_diff() -> None:
    (entry,) = read(package("py3-none-any"))
    lock = Lock(distributions=(entry,), target=TARGETS["3.12"].record())
    text = lock_text(lock, root=FOLDER)
    assert text.startswith("# ")
    assert text.count("\n\n") >= 2
    assert 'requires-python = "==3.12.*"' in text


@pytest.mark.parametrize("name", ["b-1.0-py3-none-any.whl", "a-2.0-py3-none-any.whl"])
def test_an_archive_of_something_else(name: str) -> None:
    archived = {"archive": {"path": name, "hashes": {"sha256": SHA}}}
    error = fails({"name": "a", "version": "1.0", **archived}, code="bad-lock")
    assert f"{name} for a 1.0" in error.message
    assert [entry.name for entry in read({"name": name[0], **archived})] == [name[0]]


@pytest.mark.parametrize("kind", ["wheel", "sdist", "archive", "vcs"])
def test_no_credentials_get_into_a_lock(kind: Any) -> None:
    entry = LockedDistribution(
        name="a", version="1", kind=kind, url="https://me:s3cret@x.example/a-1.tar.gz",
        filename="a-1.tar.gz" if kind != "wheel" else "a-1-py3-none-any.whl", sha256=SHA,
        commit=COMMIT,
    )  # fmt: skip
    lock = Lock(distributions=(entry,), target=TARGETS["3.11"].record())
    for text in (lock_text(lock, root=FOLDER), requirements_text(lock, root=FOLDER, head="Pins.")):
        assert "s3cret" not in text
        assert "me:" not in text
    assert "https://x.example/a-1.tar.gz" in lock_text(lock, root=FOLDER)


def test_file_path() -> None:
    assert file_path("file:///a%20b/c") == Path("/a b/c")
    assert file_path("https://x.example/a") is None


@pytest.mark.parametrize("name", ["A.b_C", "a--b..c", "a-b-c", "A_-.b-_C"])
def test_names_that_are_equal(name: str) -> None:
    assert normalized(name) == "a-b-c"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///project/my%20wheels/a-1.0.tar.gz", {"path": "my wheels/a-1.0.tar.gz"}),
        ("file:///project/sub/../a-1.0.tar.gz", {"path": "a-1.0.tar.gz"}),
        ("file:///project-2/a-1.0.tar.gz", {"path": "../project-2/a-1.0.tar.gz"}),
        ("https://me@x.example/a-1.0.tar.gz", {"url": "https://x.example/a-1.0.tar.gz"}),
    ],
)  # fmt: skip
def test_a_file_in_the_project_is_named_from_there(url: str, place: dict[str, str]) -> None:
    entry = LockedDistribution(name="a", version="", kind="archive", url=url, sha256=SHA)
    text = lock_text(Lock(distributions=(entry,), target=TARGETS["3.11"].record()), root=FOLDER)
    (package,) = tomllib.loads(text)["packages"]
    assert {key: package["archive"].get(key) for key in place} == place
    assert {"path", "url"} & package["archive"].keys() == place.keys()

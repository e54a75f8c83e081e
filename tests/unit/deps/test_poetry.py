from __future__ import annotations

import copy
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from azpack.app.config import read_toml
from azpack.deps.lock import Lock, LockedDistribution
from azpack.deps.poetry import check_answer, choices
from azpack.deps.requirements import Requirements, find_requirements
from azpack.errors import AzpackError, ResolutionError, UsageError
from azpack.target.target import find_target

# Each made by the Poetry of that version.
MADE_BY_POETRY = Path(__file__).parent / "data"
VERSIONS = ("poetry-1.1", "poetry-1.8", "poetry-2.5")
SHA = "a" * 64
PYPROJECT = """
[tool.poetry.dependencies]
python = "^3.10"
a = "^1"
[tool.poetry.group.dev.dependencies]
dev = "*"
"""


def make_project(root: Path, *packages: dict[str, Any], pyproject: str = PYPROJECT) -> Path:
    """A project whose lock has these packages, in the form of lock version 2.0."""
    for package in packages:
        package.setdefault("version", "1.0")
        package.setdefault("files", [{"file": "x", "hash": f"sha256:{SHA}"}])
    lock = {"package": list(packages), "metadata": {"lock-version": "2.0"}}
    (root / "pyproject.toml").write_text(pyproject)
    (root / "poetry.lock").write_text(tomli_w.dumps(lock))
    return root


def read(root: Path, *, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> Requirements:
    found = find_requirements(root, extras=extras, groups=groups)
    assert found is not None
    assert found.kind == "poetry.lock"
    return found


def pins(requirements: Requirements) -> list[str]:
    return [entry.text for entry in requirements.constraints]


def chosen(requirements: Requirements, python: str) -> list[list[str]]:
    """The constraints of each choice, without folders and markers."""
    target = find_target(Path(), python=python)
    return [
        [text.partition(" ")[0] for text in pins(choice)]
        for choice in choices(requirements, target)
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_locks_that_poetry_made(version: str) -> None:
    found = read(MADE_BY_POETRY / version)
    assert found.files == ("poetry.lock",)
    assert not found.stale
    assert {entry.place for entry in found.constraints} == {"poetry.lock"}
    folder = (MADE_BY_POETRY / version / "lib").as_uri()
    assert f"our-prices @ {folder}" in pins(found)
    assert "iniconfig==2.1.0" not in pins(found)
    # The release of each is another for Poetry 2, since that had another range of Pythons.
    zipp, click = ("4.1.2", "8.5.1") if version == "poetry-2.5" else ("3.23.1", "8.1.8")
    common = {f"click=={click}", "our-prices", "six==1.17.0", f"zipp=={zipp}"}
    elsewhere = set() if version == "poetry-2.5" else {"colorama==0.4.6", "pyreadline3==3.5.6"}
    (only,) = chosen(found, "3.11")
    assert set(only) == common | elsewhere
    # Of the extra there are two versions for Poetry 2, each with its marker.
    (with_extra,) = chosen(read(MADE_BY_POETRY / version, extras=("human",)), "3.11")
    more = "4.16.0" if version == "poetry-2.5" else "4.10.0"
    assert set(with_extra) - set(only) == {f"humanize=={more}"}
    (with_group,) = chosen(read(MADE_BY_POETRY / version, groups=("dev",)), "3.11")
    (package,) = set(with_group) - set(only)
    assert package.startswith("iniconfig==2.")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_hashes_are_those_of_the_lock(version: str) -> None:
    hashes = {
        entry.text.partition("=")[0]: entry.hashes
        for entry in read(MADE_BY_POETRY / version).constraints
    }
    assert hashes["six"] == (
        "sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
        "sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81",
    )
    assert all(len(found) >= 2 for name, found in hashes.items() if "@" not in name)


def test_a_change_makes_it_stale(tmp_path: Path) -> None:
    for version in VERSIONS:
        app = shutil.copytree(MADE_BY_POETRY / version, tmp_path / version)
        path = app / "pyproject.toml"
        text = path.read_text()
        path.write_text(text.replace('version = "0.1.0"', 'version = "0.2.0"'))
        assert not read(app).stale
        path.write_text(text.replace("8.0", "8.1"))
        assert read(app).stale


def test_a_lock_of_a_newer_poetry_is_not_said_to_be_stale(tmp_path: Path) -> None:
    app = shutil.copytree(MADE_BY_POETRY / "poetry-2.5", tmp_path / "app")
    path = app / "poetry.lock"
    path.write_text(path.read_text().replace("by Poetry 2.5.1", "by Poetry 2.99.0"))
    (app / "pyproject.toml").write_text(PYPROJECT)
    assert not read(app).stale


def test_only_what_can_be_reached(tmp_path: Path) -> None:
    feed = {"type": "legacy", "url": "https://feed.example/simple", "reference": "feed"}
    other = {"type": "legacy", "url": "https://other.example/simple", "reference": "other"}
    make_project(
        tmp_path,
        {"name": "A", "dependencies": {"b_c": {"version": "*", "markers": "os_name == 'nt'"}}},
        {"name": "B.C", "source": feed},
        {"name": "dev", "source": other, "dependencies": {"a": "*", "deep": "*"}},
        {"name": "deep"},
    )
    found = read(tmp_path)
    assert pins(found) == ["a==1.0", "b-c==1.0"]
    assert found.extra_index_urls == ("https://feed.example/simple",)
    with_dev = read(tmp_path, groups=("dev",))
    assert pins(with_dev) == ["a==1.0", "b-c==1.0", "deep==1.0", "dev==1.0"]
    assert with_dev.extra_index_urls == (feed["url"], other["url"])


@pytest.mark.parametrize(
    ("source", "pin"),
    [
        ({"type": "git", "url": "https://code.example/a.git", "resolved_reference": "c0ffee"},
         "a @ git+https://code.example/a.git@c0ffee"),
        ({"type": "git", "url": "git@code.example:me/a.git", "resolved_reference": "c0ffee",
          "reference": "main", "subdirectory": "part"},
         "a @ git+ssh://git@code.example/me/a.git@c0ffee#subdirectory=part"),
        ({"type": "git", "url": "../a", "resolved_reference": "c0ffee"},
         "a @ git+{up}/a@c0ffee"),
        ({"type": "url", "url": "https://files.example/a-1.0.zip", "subdirectory": "part"},
         "a @ https://files.example/a-1.0.zip#subdirectory=part"),
        ({"type": "file", "url": "files/a-1.0.zip"}, "a @ {here}/files/a-1.0.zip"),
        ({"type": "directory", "url": "../my lib"}, "a @ {up}/my%20lib"),
        ({"type": "legacy", "url": "https://feed.example/simple"}, "a==1.0"),
        ({"url": "https://feed.example/simple", "reference": "feed"}, "a==1.0"),
    ],
)  # fmt: skip
def test_sources(tmp_path: Path, source: dict[str, str], pin: str) -> None:
    app = tmp_path / "app"
    app.mkdir()
    found = read(make_project(app, {"name": "a", "source": source}))
    here, up = app.resolve().as_uri(), tmp_path.resolve().as_uri()
    assert pins(found) == [pin.format(here=here, up=up)]
    assert found.constraints[0].hashes == (f"sha256:{SHA}",)


def test_several_versions_without_markers(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    several = [
        {"name": "a", "version": "1.9", "python-versions": ">=3.8"},
        {"name": "a", "version": "1.10", "python-versions": "^3.12"},
        {"name": "b", "version": "1.0", "python-versions": ">=3.8"},
        {"name": "b", "version": "2.0", "python-versions": "anything"},
        {"name": "c", "version": "1.0"},
        {"name": "c", "version": "3.0"},
    ]
    several[0]["dependencies"] = {"b": "*", "c": "*"}  # type: ignore[assignment]
    pyproject = PYPROJECT.replace('a = "^1"', 'a = "^1"\nc = "<2"\n')
    found = read(make_project(tmp_path / "app", *several, pyproject=pyproject))
    assert chosen(found, "3.11") == [["a==1.9", "b==2.0", "c==1.0"], ["a==1.9", "b==1.0", "c==1.0"]]
    assert [choice[0] for choice in chosen(found, "3.12")] == ["a==1.10"] * 2 + ["a==1.9"] * 2


def test_markers_by_group(tmp_path: Path) -> None:
    make_project(
        tmp_path,
        {"name": "a", "groups": ["main", "dev"], "dependencies": {"b": "*", "c": "*"},
         "markers": {"main": "python_version < '3.12' or extra == 'x'"}},
        {"name": "b", "groups": ["dev"]},
        {"name": "c", "groups": ["Main"], "markers": "extra != 'x'"},
        {"name": "dev", "groups": ["dev"], "markers": "sys_platform == 'win32'"},
        pyproject=PYPROJECT + "[tool.poetry.extras]\nx = []\n",
    )  # fmt: skip
    assert chosen(read(tmp_path), "3.11") == [["a==1.0", "c==1.0"]]
    assert chosen(read(tmp_path), "3.12") == [["c==1.0"]]
    assert chosen(read(tmp_path, extras=("X",)), "3.12") == [["a==1.0"]]
    # For the group it is asked for everywhere.
    assert chosen(read(tmp_path, groups=("Dev",)), "3.12") == [["a==1.0", "b==1.0", "c==1.0"]]


def distribution(name: str, version: str = "1.0", **more: Any) -> LockedDistribution:
    return LockedDistribution(name=name, version=version, **{"kind": "wheel", "url": "u", **more})


@pytest.mark.parametrize(
    ("entries", "code", "named"),
    [
        ([distribution("a")], "", ""),
        ([distribution("a", "1")], "", ""),
        ([distribution("a"), distribution("folder", "", kind="directory")], "", ""),
        ([], "", ""),
        ([distribution("a", "1.1")], "lock-does-not-fit", "a 1.1"),
        ([distribution("a", "1.0+local")], "lock-does-not-fit", "a 1.0+local"),
        ([distribution("stranger", "2.0")], "lock-does-not-fit", "stranger 2.0"),
        ([distribution("a", kind="directory")], "lock-does-not-fit", "a 1.0"),
        ([distribution("folder")], "lock-does-not-fit", "folder 1.0"),
        ([distribution("bare")], "hash-missing", "bare 1.0"),
        ([distribution("x", "2"), distribution("y", "3")], "lock-does-not-fit", "x 2, y 3"),
    ],
)
def test_an_answer_is_checked(
    tmp_path: Path, entries: list[LockedDistribution], code: str, named: str
) -> None:
    make_project(
        tmp_path,
        {"name": "a", "dependencies": {"bare": "*", "folder": "*"}},
        {"name": "bare", "files": []},
        {"name": "folder", "files": [], "source": {"type": "directory", "url": "x"}},
    )
    target = find_target(tmp_path, python="3.11").record()
    answer = Lock(distributions=tuple(entries), target=target)
    if not code:
        check_answer(read(tmp_path), answer)
        return
    with pytest.raises(ResolutionError) as caught:
        check_answer(read(tmp_path), answer)
    assert caught.value.code == code
    assert named in caught.value.message
    assert caught.value.message.startswith("poetry.lock")
    assert "poetry lock" in caught.value.hint


def test_the_digest_is_of_what_is_said(tmp_path: Path) -> None:
    digests = []
    for folder in ("one", "two"):
        app = shutil.copytree(MADE_BY_POETRY / "poetry-2.5", tmp_path / folder)
        digests.append(read(app).digest)
    path = tmp_path / "two/poetry.lock"
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("#", "description"))]
    path.write_text("\n".join(lines) + "\n")
    digests.append(read(tmp_path / "two").digest)
    assert len(set(digests)) == 1
    digests.append(read(tmp_path / "two", extras=("human",)).digest)
    digests.append(read(tmp_path / "two", groups=("dev",)).digest)
    for old, new in (("1.17.0", "1.17.1"), ("4721f391", "5721f391"), ('"lib"', '"lib2"')):
        path.write_text(text.replace(old, new))
        digests.append(read(tmp_path / "two").digest)
    assert len(set(digests)) == 6


def test_the_digest_is_that_of_earlier_versions(tmp_path: Path) -> None:
    # Locks in the world hold it: another way to reckon makes all of them stale.
    digest = read(make_project(tmp_path, {"name": "a"})).digest
    assert digest == "a0626f3f08da5070c1d589b0b455b15fb643f5552468a41c79efcf2fc09722b2"


def test_what_old_locks_leave_out(tmp_path: Path) -> None:
    target = find_target(tmp_path, python="3.11").record()
    answer = Lock(distributions=(distribution("setuptools", "80.0"),), target=target)
    with pytest.raises(ResolutionError) as caught:
        check_answer(read(make_project(tmp_path, {"name": "a"})), answer)
    assert "Poetry 1.2" in caught.value.hint


@pytest.mark.parametrize("missing", ["poetry.lock", "pyproject.toml"])
def test_both_files_are_needed(tmp_path: Path, missing: str) -> None:
    make_project(tmp_path, {"name": "a"})
    (tmp_path / missing).unlink()
    with pytest.raises(UsageError) as caught:
        find_requirements(tmp_path, files=[str(tmp_path / "poetry.lock")])
    assert caught.value.code == "no-requirements-file"
    assert missing in caught.value.message


def test_a_lock_beside_the_project_of_another_tool(tmp_path: Path) -> None:
    make_project(tmp_path, {"name": "a"}, pyproject="[project]\nname = 'x'\n")
    found = find_requirements(tmp_path)
    assert found is not None
    assert found.kind == "pyproject"
    (tmp_path / "pyproject.toml").write_text("[tool.black]\n")
    assert find_requirements(tmp_path) is None
    with pytest.raises(UsageError) as caught:
        find_requirements(tmp_path, files=["poetry.lock"])
    assert caught.value.code == "no-poetry-project"


def test_a_lock_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "app/locks").mkdir(parents=True)
    source = {"type": "directory", "url": "../lib"}
    make_project(tmp_path / "app/locks", {"name": "a", "source": source})
    found = find_requirements(tmp_path / "app", files=["locks/poetry.lock"])
    assert found is not None
    assert found.files == ("locks/poetry.lock",)
    assert pins(found) == [f"a @ {(tmp_path / 'app/lib').resolve().as_uri()}"]
    assert found.requirements[0].place == "locks/pyproject.toml [tool.poetry.dependencies]"


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    pyproject = "[tool.poetry.dependencies]\npython = '*'\n"
    assert read(make_project(tmp_path, {"name": "a"}, pyproject=pyproject)).is_empty


VALUES = st.one_of(
    st.sampled_from([
        1, True, "", "x", "a\nb", ">=", "^1", "*", [], {}, [1], ["x"], [{}], [["x"]],
        {"a": 1}, {"version": 3}, {"python": "new"}, {"type": "git", "url": "x"}, "extra == 'x'",
    ]),
    st.text(max_size=5).filter(str.isprintable),
)  # fmt: skip


@given(data=st.data(), version=st.sampled_from(VERSIONS))
def test_whatever_the_files_say_the_error_is_ours(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, version: str
) -> None:
    root = tmp_path_factory.mktemp("changed")
    tables = {
        name: read_toml(MADE_BY_POETRY / version / name)
        for name in ("pyproject.toml", "poetry.lock")
    }
    changed: Any = copy.deepcopy(data.draw(st.sampled_from(list(tables.values()))))
    value: Any = changed
    tables = {name: changed if table == changed else table for name, table in tables.items()}
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        inner = value[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            value[key] = data.draw(VALUES)
            break
        value = inner
    for name, table in tables.items():
        (root / name).write_text(tomli_w.dumps(table))
    with suppress(AzpackError):
        found = find_requirements(root, extras=["human"], groups=["dev"])
        if found is not None and found.kind == "poetry.lock":
            list(choices(found, find_target(root, python="3.11")))

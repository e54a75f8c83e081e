from __future__ import annotations

import codecs
import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azpack.deps.requirements import (
    Requirement,
    Requirements,
    find_requirements,
    is_lock_name,
    locate,
)
from azpack.errors import FileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHA_A = "a" * 64
SHA_B = "b" * 64


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def read(root: Path, text: str | bytes, **files: str) -> Requirements:
    """Read requirements.txt with `text`, among `files` (whose names have _ for a dot)."""
    write(root, {"requirements.txt": text})
    write(root, {name.replace("_", "."): content for name, content in files.items()})
    found = find_requirements(root)
    assert found is not None
    return found


def texts(requirements: tuple[Requirement, ...]) -> list[str]:
    return [entry.text for entry in requirements]


def fails(root: Path, text: str | bytes, code: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(root, text)
    assert caught.value.code == code
    return caught.value


def test_included_files_are_relative_to_the_one_that_includes_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": "-r deps/base.txt\n-c deps/limits.txt\na==1\n",
            "deps/base.txt": "-r more/more.txt\nb==2\n",
            "deps/more/more.txt": "-r ../../top.txt\nc==3\n",
            "deps/limits.txt": "d<4\n-r ../other-limits.txt\n",
            "other-limits.txt": "-c last-limits.txt\ne<5\n",
            "last-limits.txt": "f<6\n",
            "top.txt": "g==7\n",
        },
    )
    found = find_requirements(tmp_path)
    assert found is not None
    places = [(entry.text, entry.place) for entry in found.requirements]
    assert places == [
        ("g==7", "top.txt:1"),
        ("c==3", "deps/more/more.txt:2"),
        ("b==2", "deps/base.txt:2"),
        ("a==1", "requirements.txt:3"),
    ]
    # What a constraints file includes with -r is a constraint too.
    assert texts(found.constraints) == ["d<4", "f<6", "e<5"]
    assert found.files[:3] == ("requirements.txt", "deps/base.txt", "deps/more/more.txt")


def test_a_file_outside_of_the_project_is_named_the_same_everywhere(tmp_path: Path) -> None:
    write(tmp_path, {"common.txt": "a==1\n", "app/requirements.txt": "-r ../common.txt\n"})
    found = find_requirements(tmp_path / "app")
    assert found is not None
    assert found.files == ("requirements.txt", "../common.txt")
    assert found.requirements[0].place == "../common.txt:1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a comment\na==1  # another\n\n  \n  # indented\n", ["a==1"]),
        ("a==1#not-a-comment\n", ["a==1#not-a-comment"]),
        ("a @ https://x.example/a.zip#egg=a\n", ["a @ https://x.example/a.zip#egg=a"]),
        ("git+https://x.example/a#egg=a # why\n", ["git+https://x.example/a#egg=a"]),
        ("a\\\n>=1,\\\n<2\n", ["a >=1, <2"]),
        # A comment ends what is continued, and is not continued itself.
        ("a>=1,\\\n# why\nb\n", ["a>=1,", "b"]),
        ("# C:\\folder\\\nb==1\n", ["b==1"]),
        ("a # C:\\folder\\\nb==1\n", ["a"]),
        ("a==1\\", ["a==1"]),
        ("a==1\r\nb==2\r\n", ["a==1", "b==2"]),
        ("a[x,y]==1; python_version < '3.12'\n", ["a[x,y]==1; python_version < '3.12'"]),
        ("-e ./lib\n--editable=./other[x]\n", ["-e ./lib", "-e ./other[x]"]),
        ("-e'./my lib'\n", ["-e ./my lib"]),
        ("\u00e9==1\n", ["\u00e9==1"]),
        ("", []),
    ],
)
def test_lines(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert texts(read(tmp_path, text).requirements) == expected


def test_the_place_of_a_continued_requirement_is_its_first_line(tmp_path: Path) -> None:
    found = read(tmp_path, "# one\n\na==1 \\\n  --hash=sha256:aa\nb\n")
    places = [entry.place for entry in found.requirements]
    assert places == ["requirements.txt:3", "requirements.txt:5"]


@pytest.mark.parametrize(
    "line",
    [
        f"a==1 --hash=sha256:{SHA_A} --hash=sha256:{SHA_B.upper()}",
        f"a==1 --hash sha256:{SHA_A} --hash=sha256:{SHA_B}",
        f"a==1 \\\n    --hash=sha256:{SHA_A} \\\n\t--hash=sha256:{SHA_B}",
        f"a==1\t--hash='sha256:{SHA_A}' --hash=\"sha256:{SHA_B}\" # why",
    ],
)
def test_hashes(tmp_path: Path, line: str) -> None:
    (entry,) = read(tmp_path, line).requirements
    assert entry.text == "a==1"
    assert entry.hashes == (f"sha256:{SHA_A}", f"sha256:{SHA_B}")


@pytest.mark.parametrize(
    "line", ["a==1 --hash=sha256:xyz", "a==1 --hash=abc", "a==1 --hash", f"a --hashes=md5:{SHA_A}"]
)
def test_a_hash_that_cannot_be_read_is_not_passed_over(tmp_path: Path, line: str) -> None:
    assert "requirements.txt:1" in fails(tmp_path, line, "bad-requirement").message


def test_options(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    found = read(
        tmp_path,
        "--index-url=https://${USER}:${PASS}@one.example/simple\n"
        "--extra-index-url https://two.example/simple\n"
        "--extra-index-url=https://three.example/simple\n"
        "-f wheels\n--find-links https://four.example/links\n"
        "--no-index\n--pre\n--no-binary=a,b\n--only-binary :all:\n"
        "--trusted-host x.example\n--require-hashes\n--prefer-binary\n",
    )
    # What ${NAME} stands for is a secret: it must not get into what is kept.
    assert found.index_url == "https://${USER}:${PASS}@one.example/simple"
    assert found.extra_index_urls == ("https://two.example/simple", "https://three.example/simple")
    assert found.find_links == (str(tmp_path / "wheels"), "https://four.example/links")
    assert (found.no_index, found.prereleases) == (True, True)
    assert found.options == ("--no-binary", "a,b", "--only-binary", ":all:")
    assert found.trusted_hosts == ("x.example",)


@pytest.mark.parametrize(
    ("line", "index", "extra", "no_index"),
    [
        ("-i https://a.example --extra-index-url https://b.example", "a", ["b"], False),
        ("--extra-index-url=https://b.example --extra-index-url=https://c.example", "", ["b", "c"],
         False),
        ("--no-index --index-url https://a.example", "a", [], True),
        ("-ihttps://a.example", "a", [], False),
        ("--pypi-url 'https://a.example'", "a", [], False),
    ],
)  # fmt: skip
def test_several_options_on_one_line(
    tmp_path: Path, line: str, index: str, extra: list[str], no_index: bool
) -> None:
    found = read(tmp_path, line)
    assert found.index_url == (f"https://{index}.example" if index else None)
    assert found.extra_index_urls == tuple(f"https://{name}.example" for name in extra)
    assert found.no_index is no_index


@pytest.mark.parametrize("option", ["-rb.txt", "-r b.txt", "--requirement=b.txt", "-r 'b.txt'"])
def test_including(tmp_path: Path, option: str) -> None:
    assert texts(read(tmp_path, option, b_txt="b==1\n").requirements) == ["b==1"]


@pytest.mark.parametrize("option", ["-cb.txt", "-c b.txt", "--constraint=b.txt"])
def test_constraining(tmp_path: Path, option: str) -> None:
    found = read(tmp_path, option, b_txt="b==1\n")
    assert (found.requirements, texts(found.constraints)) == ((), ["b==1"])
    assert found.is_empty


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("--unknown", "unknown-requirements-option"),
        ("-x", "unknown-requirements-option"),
        ("--index https://user:word@x.example", "unknown-requirements-option"),
        ("-r", "bad-requirement"),
        ("--extra-index-url", "bad-requirement"),
        ("--index-url=", "bad-requirement"),
        ("--index-url 'https://user:word@x.example", "bad-requirement"),
        ("-r https://user:word@x.example/r.txt", "remote-requirements"),
        ("-chttps://user:word@x.example/c.txt", "remote-requirements"),
        ("-r none.txt", "no-requirements-file"),
    ],
)
def test_options_that_are_refused(tmp_path: Path, line: str, code: str) -> None:
    error = fails(tmp_path, f"a==1\n{line}\n", code)
    assert "requirements.txt:2" in error.message
    assert "word" not in f"{error.message} {error.hint} {error.context}"


def test_an_editable_requirement_is_no_constraint(tmp_path: Path) -> None:
    write(tmp_path, {"c.txt": "-e ./lib\n"})
    assert "c.txt:1" in fails(tmp_path, "-c c.txt\n", "editable-constraint").message


@pytest.mark.parametrize(
    ("first", "second"),
    [("-r b.txt", "-r requirements.txt"), ("-r sub/../b.txt", "-r sub/../requirements.txt"),
     ("-c b.txt", "-r ./requirements.txt"), ("-r requirements.txt", "")],
)  # fmt: skip
def test_a_circle_is_an_error(tmp_path: Path, first: str, second: str) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, {"b.txt": f"{second}\n"})
    fails(tmp_path, f"{first}\n", "circular-requirements")


def test_a_circle_through_a_link_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to("requirements.txt")
    fails(tmp_path, "-r link.txt\n", "circular-requirements")


def test_the_same_file_twice_is_no_circle(tmp_path: Path) -> None:
    found = read(tmp_path, "-r b.txt\n-r c.txt\n", b_txt="-r d.txt", c_txt="-r d.txt", d_txt="d\n")
    assert texts(found.requirements) == ["d", "d"]
    assert found.files == ("requirements.txt", "b.txt", "d.txt", "c.txt")


ENCODED = [
    "a==1\n# \u00e9\n".encode(),
    codecs.BOM_UTF8 + b"a==1\n",
    codecs.BOM_UTF16_LE + "a==1\n".encode("utf-16-le"),
    codecs.BOM_UTF16_BE + "a==1\n".encode("utf-16-be"),
    codecs.BOM_UTF32_LE + "a==1\n".encode("utf-32-le"),
    codecs.BOM_UTF32_BE + "a==1\n".encode("utf-32-be"),
    b"# -*- coding: latin-1 -*-\na==1 # \xe9\n",
    b"\n# vim: set fileencoding=cp1252 :\na==1 # \x80\n",
]


@pytest.mark.parametrize("content", ENCODED)
def test_encodings(tmp_path: Path, content: bytes) -> None:
    assert texts(read(tmp_path, content).requirements) == ["a==1"]


@pytest.mark.parametrize(
    "content",
    [
        b"a==1 # \xe9\n",
        b"# coding: no-such-codec\na==1\n",
        b"# coding: hex\na==1\n",
        b"# coding: undefined\na==1\n",
        b"\n\n# coding: latin-1\na==1 # \xe9\n",
        codecs.BOM_UTF16_LE + b"a",
        "a==1\n".encode("utf-16-le"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    assert "requirements.txt" in fails(tmp_path, content, "bad-encoding").message


@given(content=st.binary(max_size=200))
def test_whatever_the_bytes_the_error_is_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    root = tmp_path_factory.mktemp("bytes")
    with suppress(UsageError, FileError):
        read(root, content)


BASE = "-c limits.txt\na==1\nb[x]>=2; sys_platform == 'linux'\n"


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("# new\n-c limits.txt\n\na==1   # why\nb[x]>=2; sys_platform == 'linux'", "c<3"),
        (BASE.replace("\n", "\r\n"), "c<3\r\n"),
        ("\ufeff" + BASE, "# none\nc<3 \n"),
        ("-climits.txt\n" + BASE.partition("\n")[2], "c<3"),
        ("--index-url https://other.example\n" + BASE, "c<3"),
    ],
)
def test_the_digest_is_of_what_is_said(tmp_path: Path, text: str, limits: str) -> None:
    before = read(tmp_path, BASE, limits_txt="c<3\n").digest
    assert read(tmp_path, text, limits_txt=limits).digest == before


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        (BASE.replace("==1", "==2"), "c<3"),
        (BASE.replace("linux", "win32"), "c<3"),
        (BASE.replace("a==1", f"a==1 --hash=sha256:{SHA_A}"), "c<3"),
        (BASE + "d\n", "c<3"),
        (BASE + "--pre\n", "c<3"),
        (BASE + "--no-binary a\n", "c<3"),
        (BASE, "c<4"),
        (BASE, f"c<3 --hash=sha256:{SHA_A}"),
        (BASE + "c<3\n", ""),
    ],
)
def test_the_digest_changes_with_what_is_said(tmp_path: Path, text: str, limits: str) -> None:
    before = read(tmp_path, BASE, limits_txt="c<3\n").digest
    assert read(tmp_path, text, limits_txt=limits).digest != before


def test_the_digest_is_that_of_earlier_versions(tmp_path: Path) -> None:
    # Locks in the world hold it: another way to reckon makes all of them stale.
    digest = read(tmp_path, "a==1\n").digest
    assert digest == "86e717ff61a203d7bec3a43ed73edc83e64ea6ecf38d3d698ec484b72dc29efc"


PYPROJECT = """
[project]
name = "app"
version = "1"
dependencies = ["a==1"]
[project.optional-dependencies]
Extra_One = ["b"]
[dependency-groups]
base = ["c"]
more = ["d", {include-group = "base"}]
[tool.uv]
constraint-dependencies = ["a<2"]
override-dependencies = ["e==5"]
"""


def test_pyproject(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT})
    found = find_requirements(tmp_path, extras=["extra-one"], groups=["more"])
    assert found is not None
    assert (found.kind, found.files) == ("pyproject", ("pyproject.toml",))
    assert (found.extras, found.groups) == (("extra-one",), ("more",))
    assert texts(found.constraints) == ["a<2"]
    assert found.overrides == ("e==5",)
    assert not found.is_empty


def test_indexes_of_uv(tmp_path: Path) -> None:
    tables = {
        "main": 'url = "https://${USER}:${PASS}@a.example"\ndefault = true',
        "more": 'url = "https://b.example"',
        "unused": 'url = "https://c.example"\nexplicit = true',
        "torch": 'url = "https://d.example"\nexplicit = true',
        "here": 'url = "./index"',
        "flat": 'url = "wheels"\nformat = "flat"',
    }
    text = "".join(f'[[tool.uv.index]]\nname = "{name}"\n{it}\n' for name, it in tables.items())
    sources = '[tool.uv.sources]\na = {path = "a"}\nb = [{index = "torch"}, {index = "more"}]\n'
    write(tmp_path, {"pyproject.toml": f"[project]\nname = 'a'\n{text}{sources}"})
    found = find_requirements(tmp_path)
    assert found is not None
    assert found.index_url == "https://${USER}:${PASS}@a.example"
    assert found.extra_index_urls == ("https://b.example", (tmp_path / "index").as_uri())
    assert found.explicit_index_urls == ("https://d.example",)
    assert found.find_links == (str(tmp_path / "wheels"),)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ('"a==1"', '"a==2"', True),
        ('["c"]', '["c", "cc"]', True),  # of a group that is included
        ('["b"]', '["b>1"]', True),
        ('"a<2"', '"a<3"', True),
        ('"e==5"', '"e==6"', True),
        ("[tool.uv]", "[tool.uv]\nsources = {a = {path = 'x'}}", True),
        ('version = "1"', 'version = "2"', False),
        ("[tool.uv]", "# a comment\n[tool.uv]", False),
    ],
)
def test_the_digest_of_pyproject(tmp_path: Path, old: str, new: str, changes: bool) -> None:
    digests = []
    for text in (PYPROJECT, PYPROJECT.replace(old, new)):
        write(tmp_path, {"pyproject.toml": text})
        found = find_requirements(tmp_path, extras=["extra-one"], groups=["more"])
        assert found is not None
        digests.append(found.digest)
    assert (digests[0] != digests[1]) is changes


@pytest.mark.parametrize(
    ("extras", "groups", "code"),
    [(["two"], [], "unknown-extra"), ([], ["none"], "unknown-group")],
)
def test_an_extra_or_group_that_is_not_there(
    tmp_path: Path, extras: list[str], groups: list[str], code: str
) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT})
    with pytest.raises(UsageError) as caught:
        find_requirements(tmp_path, extras=extras, groups=groups)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[project]\nname = 'a'\ndynamic = ['version', 'dependencies']\n", "dynamic-dependencies"),
        ("[tool.x]\n", "no-project-table"),
        ("project = 3\n", "no-project-table"),
        ("[project\n", "bad-toml"),
        ("[project]\n[tool.uv]\nconstraint-dependencies = 'a'\n", "bad-setting"),
        ("[project]\n[tool.uv]\noverride-dependencies = [3]\n", "bad-setting"),
        ("[project]\n[[tool.uv.index]]\nname = 'a'\n", "bad-setting"),
        ("[project]\n[tool.uv]\nindex = 'a'\n", "bad-setting"),
    ],
)
def test_a_pyproject_that_cannot_be_used(tmp_path: Path, text: str, code: str) -> None:
    write(tmp_path, {"pyproject.toml": text})
    with pytest.raises(UsageError) as caught:
        find_requirements(tmp_path, files=["pyproject.toml"])
    assert caught.value.code == code
    assert "pyproject.toml" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "tool = 3\n[project]\nname = 'a'\n",
        "[project]\nname = 'a'\ndynamic = true\n[tool]\nuv = 'index'\n",
        "dependency-groups = 1\n[project]\nname = 'a'\ndependencies = 3\n",
    ],
)
def test_tables_of_other_types_are_no_fault(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"pyproject.toml": text})
    found = find_requirements(tmp_path)
    assert found is not None
    assert found.kind == "pyproject"


@pytest.mark.parametrize(
    "text",
    [
        "[tool.poetry.dependencies]\npython = '*'\n",
        "[tool.poetry.dependencies]\na = '*'\n",
        "[project]\nname = 'x'\n[tool.poetry.dependencies]\na = '*'\n",
        "[project]\ndynamic = ['dependencies']\n[tool.poetry.dependencies]\na = '*'\n",
    ],
)
@pytest.mark.parametrize("files", [[], ["pyproject.toml"]])
def test_poetry_without_its_lock_is_said_not_to_be_read(
    tmp_path: Path, text: str, files: list[str]
) -> None:
    write(tmp_path, {"pyproject.toml": text})
    with pytest.raises(UsageError) as caught:
        find_requirements(tmp_path, files=files)
    assert caught.value.code == "poetry-dependencies"
    assert caught.value.hint.startswith("run 'poetry lock'")


@pytest.mark.parametrize(
    "text",
    [
        "[project]\ndependencies = ['a']\n[tool.poetry.dependencies]\na = {source = 'x'}\n",
        "[project]\nname = 'x'\n[tool.poetry.dependencies]\npython = '*'\n",
    ],
)
def test_a_poetry_project_that_lists_as_others_do(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"pyproject.toml": text})
    found = find_requirements(tmp_path)
    assert found is not None
    assert found.kind == "pyproject"


def test_the_digest_of_a_uv_lock_is_of_its_bytes_and_choices(tmp_path: Path) -> None:
    digests = set()
    for content in (b"one", b"two"):
        write(tmp_path, {"uv.lock": content})
        for extras, groups in (([], []), (["x"], []), ([], ["x"])):
            found = find_requirements(tmp_path, extras=extras, groups=groups)
            assert found is not None
            assert (found.kind, found.files) == ("uv.lock", ("uv.lock",))
            digests.add(found.digest)
    assert len(digests) == 6


def test_which_source_is_chosen(tmp_path: Path) -> None:
    def kind() -> str | None:
        found = find_requirements(tmp_path)
        return found.kind if found else None

    assert kind() is None
    write(tmp_path, {"pyproject.toml": "[tool.azpack]\n"})
    assert kind() is None
    write(tmp_path, {"pyproject.toml": PYPROJECT})
    assert kind() == "pyproject"
    # It is not one of a Poetry project.
    write(tmp_path, {"poetry.lock": "[metadata]\nlock-version = '2.1'\n"})
    assert kind() == "pyproject"
    write(tmp_path, {"pyproject.toml": PYPROJECT + "[tool.poetry]\n"})
    assert kind() == "poetry.lock"
    write(tmp_path, {"uv.lock": ""})
    assert kind() == "uv.lock"
    write(tmp_path, {"requirements.txt": ""})
    assert kind() == "requirements"


def test_the_projects_own_file_is_not_that_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"app/requirements.txt": "app\n", "here/requirements.txt": "here\n"})
    monkeypatch.chdir(tmp_path / "here")
    found = find_requirements(tmp_path / "app")
    assert found is not None
    assert texts(found.requirements) == ["app"]
    named = find_requirements(tmp_path / "app", files=["requirements.txt"])
    assert named is not None
    assert texts(named.requirements) == ["here"]
    assert locate(tmp_path / "app", "none.txt") == tmp_path / "app" / "none.txt"


def test_several_files_add_up(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "a\n", "b.txt": "b\n"})
    found = find_requirements(tmp_path, files=["a.txt", "b.txt"])
    assert found is not None
    assert (texts(found.requirements), found.files) == (["a", "b"], ("a.txt", "b.txt"))


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock", "poetry.lock"])
def test_kinds_are_not_mixed(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"requirements.txt": "", name: PYPROJECT})
    with pytest.raises(UsageError) as caught:
        find_requirements(tmp_path, files=["requirements.txt", name])
    assert caught.value.code == "mixed-requirements"


@pytest.mark.parametrize(
    "name", ["none.txt", "pyproject.toml", "uv.lock", "sub/uv.lock", "poetry.lock"]
)
def test_a_named_file_that_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_requirements(tmp_path, files=[name])
    assert caught.value.code == "no-requirements-file"
    assert Path(name).name in caught.value.message


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").mkdir()
    with pytest.raises(FileError, match="can't be read"):
        find_requirements(tmp_path)


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"requirements.txt": ""})

    def refuse(path: Path) -> NoReturn:  # for root the system does not
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(FileError, match="Permission denied"):
        find_requirements(tmp_path)


@pytest.mark.parametrize(
    ("name", "is_lock"),
    [
        ("pylock.toml", True),
        ("sub/pylock.prod.toml", True),
        ("pylock.a.b.toml", False),
        ("pylock..toml", False),
        ("mypylock.toml", False),
        ("uv.lock", False),
        ("pylock.toml.bak", False),
    ],
)
def test_names_of_locks(name: str, is_lock: bool) -> None:
    assert is_lock_name(name) is is_lock


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("a==1\n", False),
        ("--require-hashes\na==1\n", True),
        (f"a==1 --hash=sha256:{SHA_A}\nb\n", True),
    ],
)
def test_one_hash_asks_for_all(tmp_path: Path, text: str, asked: bool) -> None:
    write(tmp_path, {"requirements.txt": text})
    found = find_requirements(tmp_path)
    assert found is not None
    assert found.require_hashes is asked


@pytest.mark.parametrize(
    ("url", "in_plain"),
    [
        ("https://me:secret@feed.example/simple", True),
        ("https://me:${TOKEN}@feed.example/simple", False),
        ("https://${USER}:secret@feed.example/simple", True),
        ("https://me@feed.example/simple", False),
        ("https://feed.example/a:b@c", False),
    ],
)
@pytest.mark.parametrize("option", ["--index-url", "--extra-index-url", "--find-links"])
def test_a_password_in_plain(tmp_path: Path, option: str, url: str, in_plain: bool) -> None:
    write(tmp_path, {"requirements.txt": f"{option} {url}\na\n"})
    found = find_requirements(tmp_path)
    assert found is not None
    assert found.has_password is in_plain

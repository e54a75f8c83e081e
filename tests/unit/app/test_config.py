from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from azpack.app.config import SETTINGS, Value, load_settings, read_toml
from azpack.errors import AzpackError, FileError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def settings(root: Path, text: str = "", **environ: str) -> dict[str, Value]:
    (root / "azpack.toml").write_text(text)
    return load_settings(root, {f"AZPACK_{name}": value for name, value in environ.items()})


def fails(root: Path, text: str = "", **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        settings(root, text, **environ)
    return caught.value


def test_without_files(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"PATH": "x", "AZPACK": "y"}) == {}


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    text = "plan = 'premium'\nextras = ['a', 'b']\nchecksum = true\n"
    assert settings(tmp_path, text) == {
        "plan": "premium",
        "extras": ("a", "b"),
        "checksum": True,
    }
    found = settings(tmp_path, text, PLAN="flex", EXTRAS="c  d", CHECKSUM="off", MODE="")
    assert found == {"plan": "flex", "extras": ("c", "d"), "checksum": False}


def test_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.azpack]\npython = '3.12'\n")
    assert load_settings(tmp_path, {}) == {"python": "3.12"}
    assert "both azpack.toml" in fails(tmp_path, "python = '3.13'").message
    assert settings(tmp_path, "") == {"python": "3.12"}


def test_paths_in_files_start_at_the_project(tmp_path: Path) -> None:
    text = """
    output = "out/app.zip"
    cache-dir = "~/cache"
    requirements = ["sub/requirements.txt", "/srv/requirements.txt"]
    find-links = ["wheels", "https://x.example/links", "~/wheels"]
    """
    home = os.path.expanduser("~")
    assert settings(tmp_path, text) == {
        "output": f"{tmp_path}/out/app.zip",
        "cache-dir": f"{home}/cache",
        "requirements": (f"{tmp_path}/sub/requirements.txt", "/srv/requirements.txt"),
        "find-links": (f"{tmp_path}/wheels", "https://x.example/links", f"{home}/wheels"),
    }
    # Those of the environment start at the working folder.
    assert settings(tmp_path, "", OUTPUT="out/app.zip", REQUIREMENTS="a b") == {
        "output": "out/app.zip",
        "requirements": ("a", "b"),
    }
    assert settings(tmp_path, "output = '-'") == {"output": "-"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("python = 3.12", "python must be a string"),
        ("functions-version = 4", "functions-version must be a string"),
        ("checksum = 'yes'", "checksum must be true or false"),
        ("checksum = 1", "checksum must be true or false"),
        ("exclude = 'a'", "exclude must be a list of strings"),
        ("exclude = ['a', 1]", "exclude must be a list of strings"),
        ("plan = true", "plan must be a string"),
        ("plan = {}", "plan must be a string"),
        ("plan = 'free'", "plan is 'free'"),
        ("resolver = 'pip'", "resolver is 'pip'"),
    ],
)
def test_values_of_another_type(tmp_path: Path, text: str, message: str) -> None:
    error = fails(tmp_path, text)
    assert (error.code, error.exit_code) == ("bad-setting", 2)
    assert message in error.message
    assert "azpack.toml" in error.message


def test_choices_are_named(tmp_path: Path) -> None:
    assert fails(tmp_path, "plan = 'x'").hint.endswith("flex, consumption, premium, dedicated")
    error = fails(tmp_path, MODE="x")
    assert (error.message, "auto, local" in error.hint) == ("AZPACK_MODE is 'x'", True)
    assert "AZPACK_LOCKED" in fails(tmp_path, LOCKED="perhaps").message


@pytest.mark.parametrize(
    ("text", "environ", "hint"),
    [
        ("pyhton = '3.12'", {}, "perhaps you meant python"),
        ("extra_index_url = []", {}, "perhaps you meant extra-index-url"),
        ("quux = 1", {}, "there are cache-dir, "),
        ("", {"PYHTON": "3.12"}, "perhaps you meant AZPACK_PYTHON"),
        ("", {"INDEXURL": "x"}, "perhaps you meant AZPACK_INDEX_URL"),
    ],
)
def test_an_unknown_key(tmp_path: Path, text: str, environ: dict[str, str], hint: str) -> None:
    error = fails(tmp_path, text, **environ)
    assert error.code == "unknown-setting"
    assert error.hint.startswith(hint)


@pytest.mark.parametrize("text", ["tool = 3\n", "[tool]\nother = 1\n", "[project]\nname = 'a'\n"])
def test_a_pyproject_without_our_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert load_settings(tmp_path, {}) == {}


def test_our_table_of_another_type(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nazpack = 3\n")
    with pytest.raises(UsageError, match="not a table"):
        load_settings(tmp_path, {})


def test_a_mark_at_the_start_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "azpack.toml").write_bytes(b"\xef\xbb\xbfplan = 'flex'\r\n")
    assert load_settings(tmp_path, {}) == {"plan": "flex"}


@pytest.mark.parametrize("content", [b"plan = ", b"plan = '\xff'", b"a = 1\na = 2", b"\0"])
def test_what_is_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "azpack.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert caught.value.code == "bad-toml"
    assert caught.value.message.startswith("azpack.toml")


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "azpack.toml").mkdir()
    with pytest.raises(FileError, match=r"azpack\.toml can't be read"):
        load_settings(tmp_path, {})


def test_each_setting_can_come_from_both(tmp_path: Path) -> None:
    for name, setting in SETTINGS.items():
        value = setting.choices[0] if setting.choices else "x"
        if setting.kind == "table":
            continue  # of files alone
        written = {"flag": "true", "list": f"['{value}']", "text": f"'{value}'"}[setting.kind]
        given = "1" if setting.kind == "flag" else value
        from_file = settings(tmp_path, f"{name} = {written}")
        from_environ = settings(tmp_path, "", **{name.upper().replace("-", "_"): given})
        assert from_file.keys() == from_environ.keys() == {name}
        assert type(from_file[name]) is type(from_environ[name])


def test_whatever_the_table_holds_the_error_is_ours(tmp_path: Path) -> None:
    for name in SETTINGS:
        for value in ("1", "1.5", "true", "'x'", "[]", "[[]]", "{}", "1979-05-27", "['x', 1]"):
            try:
                settings(tmp_path, f"{name} = {value}")
            except AzpackError as error:
                assert name in error.message  # noqa: PT017  # many pass


def test_the_table_of_checks(tmp_path: Path) -> None:
    text = """
    exclude = ["a"]
    [check]
    ignore = ["AZP110"]
    fail-on = "never"
    per-file-ignores = {"tools/" = ["AZP4", "AZP5"]}
    """
    assert settings(tmp_path, text) == {
        "exclude": ("a",),
        "ignore": ("AZP110",),
        "fail-on": "never",
        "per-file-ignores": {"tools/": ("AZP4", "AZP5")},
    }
    assert settings(tmp_path, "", SELECT="AZP1 AZP2") == {"select": ("AZP1", "AZP2")}


@pytest.mark.parametrize(
    ("text", "variables", "says"),
    [
        ("[check]\nplan = 'flex'", {}, "unknown key: check.plan"),
        ("[check]\nignored = []", {}, "unknown key: check.ignored"),
        ("check = 1", {}, "unknown key: check"),
        ("[check]\nfail-on = 'info'", {}, "fail-on is 'info'"),
        ("[check]\nper-file-ignores = ['x']", {}, "per-file-ignores must be a table"),
        ("[check.per-file-ignores]\n'a' = 'x'", {}, "per-file-ignores.a must be a list"),
        ("", {"PER_FILE_IGNORES": "a"}, "per-file-ignores is for a file"),
    ],
)
def test_tables_of_checks_that_are_refused(
    tmp_path: Path, text: str, variables: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        settings(tmp_path, text, **variables)


def test_what_azure_pipelines_makes_of_a_steps_outputs_is_no_setting(tmp_path: Path) -> None:
    assert settings(tmp_path, "", PACKAGEPATH="/a.zip", PACKAGESHA256="f" * 64) == {}

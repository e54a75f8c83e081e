from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azpack.app.config import SETTINGS
from azpack.options import Options

if TYPE_CHECKING:
    import pytest


def test_the_defaults_are_those_of_the_contract() -> None:
    options = Options.from_settings({})
    assert options == Options()
    assert (options.mode, options.functions_version, options.plan) == ("auto", "4", "flex")
    assert (options.index_strategy, options.resolver) == ("first-match", "uv")
    assert (options.locked, options.checksum, options.no_index) == (False, False, False)


def test_settings_by_their_long_names() -> None:
    options = Options.from_settings(
        {
            "output": "-",
            "cache-dir": "cache",
            "index-url": "https://x.example",
            "extra-index-url": ("a", "b"),
            "no-index": True,
            "functions-version": "3",
            "color": "never",  # of the command line alone
        }
    )
    assert options == Options(
        output=Path("-"),
        cache_dir=Path("cache"),
        index_url="https://x.example",
        extra_index_url=("a", "b"),
        no_index=True,
        functions_version="3",
    )


def test_home_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert Options.from_settings({"output": "~/x.zip"}).output == Path("/home/me/x.zip")
    # As a shell does with a name that is nobody's.
    assert Options.from_settings({"output": "~no-such-user/x"}).output == Path("~no-such-user/x")


def test_each_setting_of_a_build_has_its_option() -> None:
    of_the_command_line = {"color", "fail-on", "format"}
    no_settings = {"python_origin"}
    names = {name.replace("-", "_") for name in SETTINGS.keys() - of_the_command_line}
    assert names == set(Options.__slots__) - no_settings

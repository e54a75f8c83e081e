"""App settings for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azpack.errors import UsageError
from azpack.redaction import redact
from azpack.worker.app_settings import parse_app_settings, read_app_settings

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "Qf71-app-settings-c3Zk"


def test_given_one_by_one() -> None:
    given = ["A=1", "B=", "A=x=y", "Section__Name=z"]
    assert parse_app_settings(given) == {"A": "x=y", "B": "", "Section__Name": "z"}


@pytest.mark.parametrize("text", ["A", "", "=1", "1A=2", "A B=1", f"{TOKEN * 3}"])
def test_not_a_setting(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_app_settings([text])
    assert TOKEN not in caught.value.message


def test_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text(
        '\ufeff{// as Core Tools writes it\n"IsEncrypted": false, "Host": {"CORS": "*"},'
        '"Values": {"A": "1", "ON": true, "N": 3, "none": null, "bad name": "x"},}',
        encoding="utf-8",
    )
    assert read_app_settings(path) == {"A": "1", "ON": "true", "N": "3"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", 'no object "Values"'),
        ('{"Values": []}', 'no object "Values"'),
        ('{"IsEncrypted": true, "Values": {"A": "x"}}', "is encrypted"),
    ],
)
def test_of_a_bad_file(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_app_settings(path)
    assert says in caught.value.message


def test_secrets_are_masked_and_the_emulators_storage_is_none() -> None:
    parse_app_settings([f"SERVICE_KEY={TOKEN}", "AzureWebJobsStorage=UseDevelopmentStorage=true"])
    assert redact(f"it is {TOKEN}") == "it is ****"
    assert redact("UseDevelopmentStorage=true") == "UseDevelopmentStorage=true"

from __future__ import annotations

import shlex

import pytest

from azpack.deps.git_credentials import (
    repositories_in,
    with_git_credentials,
    without_git_credentials,
)


@pytest.mark.parametrize(
    ("requirement", "repository", "without"),
    [
        (
            "a @ git+https://me:t%2Fk@a.example:81/org/a.git@v1#subdirectory=x ; os_name == 'x'",
            "https://me:t%2Fk@a.example:81/org/a.git",
            "a @ git+https://a.example:81/org/a.git@v1#subdirectory=x ; os_name == 'x'",
        ),
        ("-e git+http://tok@a.example/a", "http://tok@a.example/a", "-e git+http://a.example/a"),
        ("git+https://m:p@ss@a.example/a", "https://m:p@ss@a.example/a", "git+https://a.example/a"),
    ],
)
def test_repositories(requirement: str, repository: str, without: str) -> None:
    assert repositories_in(requirement) == (repository,)
    assert without_git_credentials(requirement) == without


@pytest.mark.parametrize(
    "requirement",
    [
        "a==1",
        "git+https://a.example/a@v1",
        "git+ssh://git@a.example/a",
        "a @ https://me:x@b.c/a.whl",
    ],
)
def test_nothing_of_these(requirement: str) -> None:
    assert repositories_in(requirement) == ()
    assert without_git_credentials(requirement) == requirement


def settings_in(environment: dict[str, str]) -> list[tuple[str, str]]:
    words = shlex.split(environment["GIT_CONFIG_PARAMETERS"])
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def test_the_environment_of_git() -> None:
    urls = ["https://me:p%40'ss@a.example/a", "https://you:w0rd@a.example/b", "https://c.example/c"]
    environment = with_git_credentials(urls, {"PATH": "x", "GIT_CONFIG_PARAMETERS": "'a.b=c'"})
    assert environment.pop("PATH") == "x"
    names = [name for name, value in settings_in(environment) if value.startswith("!")]
    # The host's other repositories get what the first one has.
    assert names == [
        "credential.https://a.example.helper",
        "credential.https://a.example/a.helper",
        "credential.https://a.example/b.helper",
    ]
    # Before our helper all others are taken away.
    for name in names:
        values = [value for other, value in settings_in(environment) if other == name]
        assert values[0] == ""
        assert len(values) == 2
    assert settings_in(environment)[0] == ("a.b", "c")
    parameters = environment.pop("GIT_CONFIG_PARAMETERS")
    assert "ss" not in parameters.replace("password", "").replace("PASSWORD", "")
    assert "w0rd" not in parameters
    assert environment == {
        "AZPACK_GIT_USER_0": "me",
        "AZPACK_GIT_PASSWORD_0": "p@'ss",
        "AZPACK_GIT_USER_1": "you",
        "AZPACK_GIT_PASSWORD_1": "w0rd",
    }


def test_more_repositories_do_not_take_the_place_of_the_first() -> None:
    first = with_git_credentials(["https://me:one@a.example/a"], {})
    both = with_git_credentials(["https://you:two@b.example/b"], first)
    assert both["AZPACK_GIT_PASSWORD_0"] == "one"
    assert both["AZPACK_GIT_PASSWORD_1"] == "two"
    assert "AZPACK_GIT_PASSWORD_1" in both["GIT_CONFIG_PARAMETERS"]


def test_a_user_alone_may_be_known_to_another_helper() -> None:
    environment = with_git_credentials(["https://me@a.example/a"], {})
    values = [value for name, value in settings_in(environment) if name.endswith(".helper")]
    assert all(value.startswith("!") for value in values)
    assert ("credential.https://a.example/a.username", "me") in settings_in(environment)
    asking = with_git_credentials(["https://me@a.example/a"], {"GIT_ASKPASS": "x"})
    assert not [name for name, _ in settings_in(asking) if name.endswith(".helper")]


def test_without_credentials_nothing_is_set() -> None:
    assert with_git_credentials(["https://a.example/a"], {"PATH": "x"}) == {"PATH": "x"}

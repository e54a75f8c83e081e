from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azpack.checks.selection import Selection
from azpack.errors import FileError
from azpack.package import contents
from azpack.package.changes import Comparison, ValueChange, comparison_table
from azpack.package.contents import PackageContents, Twin
from azpack.package.inspection import inspect_contents
from azpack.package.native_files import NativeFiles, read_native
from azpack.package.two_zips import compare_zips
from azpack.package.zip_tree import ZipTree
from azpack.report.comparison import comparison_lines
from azpack.report.markdown import comparison_markdown
from tests.objects import make_object
from tests.packages import APP, SITE, distribution, raw_zip, write_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LINUX = ("cp312-cp312-manylinux_2_17_x86_64",)
NATIVE = {"one/_one.cpython-312-x86_64-linux-gnu.so": make_object()}
ACCOUNT_KEY = "k3Jx9Q" * 14 + "Zz=="
TOKEN = "s3cret-of-the-feed-in-diff"


def compare(
    folder: Path, old: Mapping[str, bytes], new: Mapping[str, bytes], **more: Any
) -> Comparison:
    """Compare packages of these files; every file has the same mode and time."""
    first = write_package(folder / "old.zip", old)
    return compare_zips(first, write_package(folder / "new.zip", new), **more)


def manifest_beside(package: Path, **more: object) -> None:
    with zipfile.ZipFile(package) as archive:
        entries = len(archive.infolist())
    manifest = {
        "schema_version": 1,
        "created_by": "azpack 0",
        "package": {"size": package.stat().st_size, "entries": entries, "content_digest": "d" * 64},
        "mode": "local",
        "target": {"functions": "4", "python": "3.11", "plan": "flex"},
        **more,
    }
    path = package.with_name(f"{package.stem}.manifest.json")
    path.write_text(json.dumps(manifest, indent=2))


def with_manifests(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    paths = [write_package(folder / f"{name}.zip", APP) for name in ("old", "new")]
    manifest_beside(paths[0], **old)
    manifest_beside(paths[1], **new)
    return compare_zips(paths[0], paths[1])


def test_the_same_bytes(tmp_path: Path) -> None:
    found = compare(tmp_path, APP, APP)
    assert (found.differs, found.same_content, found.repacked) == (False, True, None)
    path = tmp_path / "old.zip"
    assert compare_zips(path, path).repacked is None


SMALL = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([b"", b"1", b"2"]))


@given(old=SMALL, new=SMALL)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_are_those_that_differ(
    old: dict[str, bytes], new: dict[str, bytes], tmp_path: Path
) -> None:
    found = compare(tmp_path, old, new)
    wanted = dict.fromkeys(old.keys() - new.keys(), "removed")
    wanted |= dict.fromkeys(new.keys() - old.keys(), "added")
    wanted |= {path: "changed" for path in old.keys() & new.keys() if old[path] != new[path]}
    assert {file.path: file.change for file in found.files} == wanted
    assert [file.path for file in found.files] == sorted(wanted)
    assert found.differs is (old != new)
    assert {file.path: file.new.size for file in found.files if file.new} == {
        path: len(new[path]) for path in wanted if path in new
    }


def test_content_is_not_told_by_the_crc_alone(tmp_path: Path) -> None:
    # Two words with the same CRC-32.
    found = compare(tmp_path, {"a": b"plumless"}, {"a": b"buckeroo"})
    assert [(file.path, file.change) for file in found.files] == [("a", "changed")]
    (entry,) = found.files
    assert entry.old is not None
    assert entry.new is not None
    assert (entry.old.crc, entry.old.size) == (entry.new.crc, entry.new.size)


@pytest.mark.parametrize("method", [0, 8])
def test_a_damaged_file_is_not_the_same(method: int, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    content = raw_zip([(b"a", b"content " * 90)], fields={b"a": {"method": method}})
    old, new = tmp_path / "old" / "app.zip", tmp_path / "new" / "app.zip"
    old.write_bytes(content)
    at = content.index(b"a", 26) + 4
    new.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
    for one, other in ((old, new), (new, old)):
        with pytest.raises(FileError) as caught:
            compare_zips(one, other)
        assert caught.value.code == "bad-zip"
        assert str(new) in caught.value.message  # both have the same name


def write_entries(path: Path, entries: list[zipfile.ZipInfo], comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = comment
        for entry in entries:
            archive.writestr(entry, b"" if entry.is_dir() else entry.filename.encode() * 100)
    return path


def entry_of(name: str, **changes: Any) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o100644 << 16
    for field, value in changes.items():
        setattr(entry, field, value)
    return entry


@pytest.mark.parametrize(
    ("entries", "comment", "differences"),
    [
        ([entry_of("b"), entry_of("a")], b"", ("the order of entries",)),
        ([entry_of("a"), entry_of("b", date_time=(2024, 5, 6, 7, 8, 10))], b"", ("their times",)),
        ([entry_of("a"), entry_of("b", compress_type=8)], b"", ("compression",)),
        ([entry_of("a"), entry_of("b"), entry_of("c/")], b"", ("entries for folders",)),
        ([entry_of("a"), entry_of("b")], b"a comment", ("other details",)),
        (
            [entry_of("b", compress_type=8), entry_of("a")],
            b"",
            ("the order of entries", "compression"),
        ),
    ],
)
def test_the_same_content_in_another_zip(
    entries: list[zipfile.ZipInfo], comment: bytes, differences: tuple[str, ...], tmp_path: Path
) -> None:
    old = write_entries(tmp_path / "old.zip", [entry_of("a"), entry_of("b")])
    found = compare_zips(old, write_entries(tmp_path / "new.zip", entries, comment))
    assert (found.differs, found.same_content) == (False, True)
    assert found.repacked == differences


@pytest.mark.parametrize(("system", "mode", "alone"), [(3, 0o100755, True), (0, 0, False)])
def test_modes_count_where_both_are_known(
    system: int, mode: int, alone: bool, tmp_path: Path
) -> None:
    old = write_entries(tmp_path / "old.zip", [entry_of("a")])
    changed = entry_of("a", create_system=system, external_attr=mode << 16)
    found = compare_zips(old, write_entries(tmp_path / "new.zip", [changed]))
    assert found.differs is alone
    assert [file.mode_alone for file in found.files] == [True] * alone
    assert found.repacked == (() if alone else ("other details",))


def test_distributions(tmp_path: Path) -> None:
    old = {
        **distribution("gone"), **distribution("Bumped", "1.0"), **distribution("same"),
        **distribution("rewritten"), **distribution("Flask"),
    }  # fmt: skip
    new = {
        **distribution("new.one", files={"new/a.py": b"1", "new/b.py": b"2"}),
        **distribution("bumped", "1.1"), **distribution("same"),
        **distribution("rewritten", files={"rewritten/__init__.py": b"VALUE = 2\n"}),
        **distribution("flask"),
    }  # fmt: skip
    found = compare(tmp_path, {**APP, **old}, {**APP, **new})
    rows = {row.name: row for row in found.distributions}
    assert {name: row.change for name, row in rows.items()} == {
        "new.one": "added", "bumped": "changed", "rewritten": "changed", "gone": "removed",
        "flask": "changed",  # its metadata have other bytes
    }  # fmt: skip
    bumped, rewritten, gone = rows["bumped"], rows["rewritten"], rows["gone"]
    assert bumped.old is not None
    assert bumped.new is not None
    assert (bumped.old.version, bumped.new.version) == ("1.0", "1.1")
    assert (bumped.files_added, bumped.files_removed, bumped.files_changed) == (3, 3, 0)
    assert (rewritten.files_added, rewritten.files_removed, rewritten.files_changed) == (0, 0, 2)
    assert rewritten.old is not None
    assert rewritten.old.version == "1.0"
    assert (gone.new, gone.files_removed) == (None, 4)
    assert rows["new.one"].files_added == 5
    assert found.app_files == ()


def test_a_distribution_that_is_there_twice(tmp_path: Path) -> None:
    one, two = distribution("one", "1.0"), distribution("one", "2.0")
    (row,) = compare(tmp_path, one, {**one, **two}).distributions
    assert row.old is not None
    assert row.new is not None
    assert (row.old.version, row.new.version) == ("1.0", "1.0 and 2.0")


def functions(*bodies: str) -> dict[str, bytes]:
    head = "import azure.functions as func\n\napp = func.FunctionApp()\n"
    return {**APP, "function_app.py": "\n\n".join([head, *bodies]).encode()}


HELLO = '@app.route(route="{}")\ndef hello(req: func.HttpRequest) -> str:\n    return ""\n'
TICK = '@app.{}(schedule="{}", arg_name="t")\ndef tick(t: func.TimerRequest) -> None:\n    pass\n'


def test_functions(tmp_path: Path) -> None:
    old = functions(HELLO.format("a"), TICK.format("timer_trigger", "0 0 * * * *"))
    new = functions("# moved down\n", HELLO.format("b"), TICK.replace("tick", "tock").format(
        "timer_trigger", "0 0 * * * *"))  # fmt: skip
    hello, tick, tock = compare(tmp_path, old, new).functions
    assert (hello.name, hello.change, hello.route) == ("hello", "changed", "/api/b")
    assert hello.values == (ValueChange(name="route", old="/api/a", new="/api/b"),)
    assert (tick.change, tick.trigger, tick.route) == ("removed", "timerTrigger", None)
    assert (tock.change, tock.script, tock.values) == ("added", "function_app.py", ())


def test_what_a_function_is_bound_to(tmp_path: Path) -> None:
    old = functions(TICK.format("timer_trigger", "0 0 * * * *"))
    new = functions(TICK.format("timer_trigger", "0 0 1 * * *"))
    (tick,) = compare(tmp_path, old, new).functions
    (schedule,) = tick.values
    assert schedule == ValueChange(name="trigger.schedule", old="0 0 * * * *", new="0 0 1 * * *")
    queue = '@app.queue_output(arg_name="q", queue_name="{}", connection="C")\n'
    old = functions(queue.format("jobs") + HELLO.format("a"))
    new = functions(queue.format("tasks") + HELLO.format("a"))
    (hello,) = compare(tmp_path, old, new).functions
    assert [(value.name, value.old, value.new) for value in hello.values] == [
        ("binding q.queueName", "jobs", "tasks")
    ]


def test_from_one_model_to_the_other(tmp_path: Path) -> None:
    http = {"name": "req", "type": "httpTrigger", "direction": "in", "authLevel": "function"}
    result = {"name": "$return", "type": "http", "direction": "out"}
    old = {
        "host.json": APP["host.json"],
        "hello/function.json": json.dumps({"bindings": [http, result]}).encode(),
        "hello/__init__.py": b"def main(req):\n    return ''\n",
    }
    (hello,) = compare(tmp_path, old, functions(HELLO.format("hello"))).functions
    values = {value.name: (value.old, value.new) for value in hello.values}
    assert values["model"] == ("v1", "v2")
    assert values["script"] == ("hello/__init__.py", "function_app.py")
    assert "route" not in values


def test_functions_without_a_name_to_know(tmp_path: Path) -> None:
    loop = "for name in open('names'):\n    @app.function_name(name)\n"
    dynamic = functions(loop + "    " + HELLO.format("x").replace("\n", "\n    "))
    found = compare(tmp_path, functions(HELLO.format("a")), dynamic)
    assert [row.change for row in found.functions if row.name == "hello"] == ["removed"]
    assert any("when the app runs are not compared: the new one" in it for it in found.unknown)


def host(value: object) -> dict[str, bytes]:
    return {**APP, "host.json": json.dumps(value).encode()}


def test_values_of_host_json(tmp_path: Path) -> None:
    old = {"version": "2.0", "logging": {"logLevel": {"default": "Error"}}, "gone": [1, 2]}
    new = {"version": "2.0", "logging": {"logLevel": {"default": "Warning", "Host.Results": "x"}},
           "empty": {}}  # fmt: skip
    found = compare(tmp_path, host(old), host(new))
    assert [(value.name, value.old, value.new) for value in found.host_json] == [
        ("empty", None, "{}"),
        ("gone", "[1, 2]", None),
        ("logging.logLevel.Host.Results", None, "x"),
        ("logging.logLevel.default", "Error", "Warning"),
    ]
    assert [value.change for value in found.host_json] == ["added", "removed", "added", "changed"]
    assert compare(tmp_path, host({"a": True}), host({"a": 1})).host_json
    # Another layout of the same values is another file, and that alone.
    found = compare(
        tmp_path, host(old), {**host({}), "host.json": json.dumps(old, indent=4).encode()}
    )
    assert found.host_json == ()
    assert [file.path for file in found.files] == ["host.json"]


@pytest.mark.parametrize("content", [b"{", b"[]", None])
def test_a_host_json_that_can_not_be_read(content: bytes | None, tmp_path: Path) -> None:
    broken = {"a.txt": b""} if content is None else {"host.json": content}
    found = compare(tmp_path, APP, broken)
    assert any("no host.json can be read in the new one" in it for it in found.unknown)
    found = compare(tmp_path, broken, broken)
    assert any("no host.json can be read in both" in it for it in found.unknown)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    feed = f"https://user:{TOKEN}@feed.example/simple"
    found = compare(
        tmp_path,
        host({"connection": f"DefaultEndpointsProtocol=https;AccountKey={ACCOUNT_KEY}"}),
        host({"connection": f"AccountKey={ACCOUNT_KEY.swapcase()}", "feed": feed}),
    )
    text = json.dumps(comparison_table(found), default=str)
    assert "AccountKey=****" in text
    assert "https://****@feed.example" in text
    for secret in (ACCOUNT_KEY, ACCOUNT_KEY.swapcase(), TOKEN):
        assert secret not in text
    settings = {"set": [{"name": "PIP_EXTRA_INDEX_URL", "value": feed}], "unset": []}
    found = with_manifests(tmp_path, {}, {"app_settings": settings})
    assert found.app_settings == (
        ValueChange(name="PIP_EXTRA_INDEX_URL", old=None, new="https://****@feed.example/simple"),
    )


def test_secrets_are_not_shown_where_they_are_cut_off_or_escaped(tmp_path: Path) -> None:
    feed = f"https://{'u' * 50}:{TOKEN}@feed.example/simple"
    http = {"name": "req", "type": "httpTrigger", "direction": "in"}
    queue = {"name": feed, "type": "queue", "direction": "out", "queueName": feed}
    old = {
        "host.json": APP["host.json"],
        "hello/function.json": json.dumps({"bindings": [http]}).encode(),
        "hello/__init__.py": b"def main(req):\n    return ''\n",
    }
    new = {**old, "hello/function.json": json.dumps({"bindings": [http, queue]}).encode()}
    for found in (compare(tmp_path, old, new), compare(tmp_path, new, old)):
        findings = (*found.new_findings, *found.gone_findings)
        assert "AZP205" in [it.code for it in findings]
        assert found.functions[0].values
        lines = [*comparison_lines(found), *comparison_markdown(found)]
        assert any("****" in line for line in lines)
        assert "cret-of-the-feed" not in "\n".join([*lines, str(found)])


def test_app_settings_and_target_of_manifests(tmp_path: Path) -> None:
    old = {"set": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}], "unset": ["C"]}
    new = {"set": [{"name": "A", "value": "2"}, {"name": "C", "value": "1"}], "unset": ["B"]}
    found = with_manifests(
        tmp_path,
        {"app_settings": old},
        {"app_settings": new, "mode": "remote",
         "target": {"functions": "4", "python": "3.12", "plan": "premium"}},
    )  # fmt: skip
    assert found.app_settings is not None
    assert [(value.name, value.old, value.new) for value in found.app_settings] == [
        ("A", "1", "2"), ("B", "1", "must not be set"), ("C", "must not be set", "1"),
    ]  # fmt: skip
    assert [(value.name, value.old, value.new) for value in found.target] == [
        ("Python", "3.11", "3.12"),
        ("mode", "local", "remote"),
        ("plan", "flex", "premium"),
        ("platform", "manylinux_2_31_x86_64", "manylinux_2_36_x86_64"),
    ]
    assert (found.differs, found.same_content) == (True, True)
    assert found.unknown == ()


@pytest.mark.parametrize(
    "settings", [None, [], {"set": 1, "unset": {}}, {"set": [1, {"value": 2}], "unset": None}]
)
def test_a_manifest_of_another_form(settings: object, tmp_path: Path) -> None:
    assert with_manifests(tmp_path, {"app_settings": settings}, {}).app_settings == ()


def test_what_is_known_of_one_alone_is_no_change(tmp_path: Path) -> None:
    old, new = (write_package(tmp_path / f"{name}.zip", APP) for name in ("old", "new"))
    manifest_beside(new, mode="remote")
    found = compare_zips(old, new)
    assert (found.differs, found.app_settings, found.target) == (False, None, ())
    assert found.unknown == (
        "plan, mode and app settings are not compared: no manifest is beside the old one",
        "the Python is not known of the old one",
    )


def test_the_target_by_what_the_packages_hold(tmp_path: Path) -> None:
    native = distribution("one", files=NATIVE, tags=LINUX)
    other = distribution("two", tags=["cp311-cp311-manylinux_2_17_x86_64"])
    found = compare(tmp_path, {**APP, **native}, {**APP, **other})
    assert [(value.name, value.old, value.new) for value in found.target] == [
        ("Python", "3.12", "3.11"),
        ("native code", "x86_64", None),
        ("needed glibc", "2.2.5", None),
        ("platform", "manylinux_2_36_x86_64", "manylinux_2_31_x86_64"),
    ]


def test_a_python_that_stands_in_for_another_is_not_known(tmp_path: Path) -> None:
    tagged = [distribution("one", tags=[f"cp{it}-cp{it}-any"]) for it in ("311", "27")]
    found = compare(tmp_path, {**APP, **tagged[0]}, {**APP, **tagged[1]})
    assert found.target == ()
    assert "the Python is not known of the new one" in found.unknown


def test_an_app_in_a_folder(tmp_path: Path) -> None:
    found = compare(tmp_path, APP, {f"app/{path}": content for path, content in APP.items()})
    assert found.target == (ValueChange(name="folder of the app", old=None, new="app/"),)
    assert found.functions == ()
    assert [finding.code for finding in found.new_findings] == ["AZP501"]


def test_links_are_odd_entries(tmp_path: Path) -> None:
    old = write_entries(tmp_path / "old.zip", [entry_of("a")])
    link = entry_of("link.txt", external_attr=0o120777 << 16)
    found = compare_zips(old, write_entries(tmp_path / "new.zip", [entry_of("a"), link]))
    (row,) = found.odd_entries
    assert (row.name, row.old, row.new) == ("a symbolic link", None, "1, the first is link.txt")
    assert (found.differs, found.same_content) == (True, False)
    assert any("odd entries" in text for text in found.unknown)


def test_findings_that_are_new_or_gone(tmp_path: Path) -> None:
    script = APP["function_app.py"]
    old = {**APP, "function_app.py": b"import nothing_there\n" + script}
    new = {**APP, "function_app.py": b"\n\nimport nothing_there\nimport nor_this\n" + script}
    found = compare(tmp_path, old, new)
    assert [(it.code, "nor_this" in it.message) for it in found.new_findings] == [("AZP403", True)]
    assert found.gone_findings == ()
    found = compare(tmp_path, new, APP)
    assert [it.code for it in found.gone_findings] == ["AZP403", "AZP403"]
    assert compare(tmp_path, new, APP, selection=Selection(ignore=("AZP4",))).gone_findings == ()


def test_native_code_that_both_have_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {**APP, **distribution("one", files=NATIVE, tags=LINUX)}
    more = {f"{SITE}two/_two.abi3.so": make_object(), f"{SITE}two/b.pyd": b"MZ", "a.txt": b""}
    old = write_package(tmp_path / "old.zip", parts)
    new = write_package(tmp_path / "new.zip", {**parts, **more})
    read: list[str] = []

    def spy(tree: ZipTree, paths: Iterable[str], *, sound: str = "") -> NativeFiles:
        read.extend(paths := list(paths))
        return read_native(tree, paths, sound=sound)

    with ZipTree(old) as first, ZipTree(new) as second:
        before = PackageContents(first)
        alone = inspect_contents(PackageContents(second))
        monkeypatch.setattr(contents, "read_native", spy)
        twin = Twin(contents=before, same=frozenset(first.entries))
        assert inspect_contents(PackageContents(second, twin)) == alone
    assert sorted(read) == sorted([*parts, *more])


def test_the_table(tmp_path: Path) -> None:
    old = {**APP, **distribution("one"), "a": b"1"}
    new = {**functions(HELLO.format("b")), **distribution("one", "2.0"), "a": b"22"}
    table = comparison_table(compare(tmp_path, old, new))
    assert list(table) == [
        "differs", "same_content", "old", "new", "target", "app_settings", "host_json", "functions",
        "distributions", "files", "odd_entries", "new_findings", "gone_findings", "repacked",
        "unknown",
    ]  # fmt: skip
    json.dumps(table)
    assert table["old"]["path"] == str(tmp_path / "old.zip")
    (one,) = table["distributions"]
    assert (one["name"], one["old"]["version"], one["new"]["version"]) == ("one", "1.0", "2.0")
    (entry,) = (file for file in table["files"] if file["path"] == "a")
    assert (entry["change"], entry["distribution"]) == ("changed", None)
    assert entry["old"] == {"size": 1, "compressed_size": 3, "mode": "644"}
    assert entry["new"]["size"] == 2

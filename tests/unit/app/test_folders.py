from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from azpack.app.folders import enclosing

PARTS = st.sampled_from(["a", "b", "a-", "a.b", "ab"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def test_the_innermost_counts() -> None:
    paths = ["a", "a/b", "a/b/c", "a/c", "ab/c"]
    assert [*enclosing(paths, ["a/", "a/b/", "c/"])] == [
        ("a", None), ("a/b", "a/"), ("a/b/c", "a/b/"), ("a/c", "a/"), ("ab/c", None),
    ]  # fmt: skip
    assert [*enclosing(["a", "b/c"], ["", "b/"])] == [("a", ""), ("b/c", "b/")]


@given(paths=st.sets(PATHS), folders=st.sets(PATHS | st.just("")))
def test_it_is_as_if_all_were_tried(paths: set[str], folders: set[str]) -> None:
    slashed = {f"{folder}/" if folder else "" for folder in folders}
    for path, found in enclosing(sorted(paths), slashed):
        fitting = [folder for folder in slashed if path.startswith(folder)]
        assert found == max(fitting, key=len, default=None)

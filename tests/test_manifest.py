from __future__ import annotations

import gc
import hashlib
import json
import os
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.errors import DataError, MissingArtefactError, StaleArtefactError
from ensemble.manifest import (
    Manifest,
    digest_bytes,
    digest_file,
    digest_json,
    package_versions,
    read_manifest,
    require_same,
    write_manifest,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


def test_what_is_written_is_read_back(tmp_path: Path):
    path = tmp_path / "deep" / "manifest.json"
    written = write_manifest(
        path,
        kind="cache",
        made_from={"data": "d"},
        seed=3,
        facts={"pixels": "kept", "scores": [0.5]},
    )
    assert read_manifest(path, "cache") == written
    assert written.versions["numpy"] == version("numpy")
    assert path.read_text().endswith("}\n")


def test_the_same_facts_give_the_same_bytes(tmp_path: Path):
    for name, made_from in (("a", {"x": "1", "y": "2"}), ("b", {"y": "2", "x": "1"})):
        write_manifest(tmp_path / name, kind="oof", made_from=made_from, seed=0)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_manifest_tells_the_remedy(tmp_path: Path):
    path = tmp_path / "manifest.json"
    message = f"`{path}` is not there; run `ens train`"
    with pytest.raises(MissingArtefactError, match=re.escape(message)):
        read_manifest(path, "checkpoint", remedy="run `ens train`")


NO_TABLE = '{"kind": "oof", "made_from": null, "seed": 0}'


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{}", '{"kind": "oof"}', '{"what": 1}', "\x00", NO_TABLE]
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(StaleArtefactError, match="is not a manifest .*; make the artefact again"):
        read_manifest(path, "oof")


@pytest.mark.parametrize("kind", ["x", "cache"])
def test_the_manifest_of_another_kind_is_refused(tmp_path: Path, kind: str):
    """Else the facts that are due of the kind would not be looked at."""
    path = tmp_path / "manifest.json"
    write_manifest(path, kind="oof", made_from={}, seed=0, facts={"image_ids": [], "views": [{}]})
    path.write_text(path.read_text().replace('"oof"', f'"{kind}"'))
    with pytest.raises(StaleArtefactError, match="is not a manifest .*kind"):
        read_manifest(path, "oof")


def test_an_unchanged_origin_is_accepted():
    manifest = Manifest("oof", {"data": "d", "folds": "f", "more": "m"}, 0)
    require_same(manifest.made_from, {"data": "d", "folds": "f"}, name="it", remedy="again")


@pytest.mark.parametrize(
    ("present", "changed"),
    [
        ({"data": "e", "folds": "f"}, "another data than"),
        ({"data": "e", "folds": "g"}, "another data and another folds than"),
        ({"data": "d", "member": "m"}, "another member than"),
    ],
)
def test_a_changed_origin_is_refused_by_name(present: dict[str, str], changed: str):
    manifest = Manifest("oof", {"data": "d", "folds": "f"}, 0)
    message = f"the cache was made from {changed} the present one; run `ens oof`"
    with pytest.raises(StaleArtefactError, match=re.escape(message)):
        require_same(manifest.made_from, present, name="the cache", remedy="run `ens oof`")


def test_what_is_no_file_has_no_digest(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="`.*pipe` must be a file, but is a pipe"):
        digest_file(tmp_path / "pipe")


def test_digests_are_sha256(tmp_path: Path):
    content = bytes(range(256)) * 500
    (tmp_path / "a").write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert digest_bytes(content) == digest_file(tmp_path / "a") == expected
    canonical = b'{"a":[1,2],"b":null}'
    assert digest_json({"b": None, "a": [1, 2]}) == hashlib.sha256(canonical).hexdigest()


@given(JSON, JSON)
def test_json_digests_agree_just_where_the_values_do(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest_json(one) == digest_json(other)) == same


def test_versions_name_only_what_is_installed():
    versions = package_versions()
    assert all(versions[name] == version(name) for name in versions)
    assert "torch" in versions


def test_many_small_lists_are_refused_without_collecting_garbage(tmp_path: Path):
    """With it, 900 KB of lists take ten times as long: more than a second."""
    path = tmp_path / "manifest.json"
    path.write_text('{"kind": [' + "[]," * 50_000 + "0]}")
    begun: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            begun.append(info["generation"])

    gc.callbacks.append(note)
    try:
        with pytest.raises(StaleArtefactError, match="`kind`"):
            read_manifest(path, "oof")
    finally:
        gc.callbacks.remove(note)
    assert len(begun) < 10
    assert gc.isenabled()

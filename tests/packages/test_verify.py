"""`verify` names every single thing that is wrong with a package, and nothing that is not."""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ace_assets.audio import codecs
from ace_assets.audio.tags import read_tags, write_tags
from ace_assets.errors import PackageError
from ace_assets.packages import bag
from ace_assets.packages.audio_files import file_sha256
from ace_assets.packages.build import build_package
from ace_assets.packages.delivery import deliver
from ace_assets.packages.verify import Problem, verify
from tests.packages.support import release, short_venue, stored_catalog


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("package")
    store, rows = stored_catalog(tmp_path, 24)
    return Path(build_package(store, short_venue(no_repeat_hours=24), release(rows)).path)


@pytest.fixture
def package(original: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    shutil.copytree(original, folder, symlinks=False)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def problems_of(folder: Path) -> list[Problem]:
    return list(verify(folder).problems)


def kinds(folder: Path) -> set[tuple[str, str]]:
    return {(problem.kind, problem.thing) for problem in problems_of(folder)}


def first_audio(folder: Path) -> Path:
    return sorted((folder / "data" / "audio").iterdir())[0]


def name_of(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    path.write_text(changed, encoding="utf-8", newline="")


def reseal(folder: Path) -> None:
    """Write the manifests anew, as somebody would who wants to hide a change."""
    payload = {name_of(folder, p): file_sha256(p) for p in (folder / "data").rglob("*") if p.is_file()}
    bag.write_manifests(folder, payload, {})


def test_an_untouched_package_has_no_problem(package: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    report = verify(package, lambda *told: seen.append(told))
    assert report.ok
    assert report.tracks == 24
    assert {what for _, _, what in seen} == {"checksums", "audio"}
    assert seen[-1][0] == seen[-1][1] == 24


@pytest.mark.parametrize("name", ["bagit.txt", "manifest-sha256.txt", "index.html", "package.json", "README.txt"])
def test_one_flipped_byte_at_the_top_is_named(package: Path, name: str) -> None:
    data = bytearray((package / name).read_bytes())
    data[len(data) // 2] ^= 1
    (package / name).write_bytes(data)
    if name == "manifest-sha256.txt":
        with contextlib.suppress(PackageError):  # a line that can no longer be read is refused by its number
            assert ("changed_file", name) in kinds(package)
    else:
        assert ("changed_file", name) in kinds(package)


def test_one_flipped_byte_in_any_payload_file_is_named(package: Path) -> None:
    for path in sorted(p for p in (package / "data").rglob("*") if p.is_file()):
        before = path.read_bytes()
        data = bytearray(before)
        data[len(data) * 2 // 3] ^= 4
        path.write_bytes(data)
        report = verify(package, audio=False)
        assert ("changed_file", name_of(package, path)) in {(p.kind, p.thing) for p in report.problems}
        path.write_bytes(before)


def test_a_renamed_file_is_named_once_with_both_names(package: Path) -> None:
    path = first_audio(package)
    path.rename(path.with_name("ACE-other.mp3"))
    renamed = [p for p in problems_of(package) if p.kind in {"renamed_file", "missing_file", "extra_file"}]
    assert len(renamed) == 1
    assert renamed[0].thing == name_of(package, path)
    assert "data/audio/ACE-other.mp3" in renamed[0].message


def test_missing_and_extra_files_are_named(package: Path) -> None:
    path = first_audio(package)
    path.unlink()
    (package / "data" / "notes.txt").write_text("hello")
    found = kinds(package)
    assert ("missing_file", name_of(package, path)) in found
    assert ("extra_file", "data/notes.txt") in found
    assert any(kind == "schedule" and "play" in thing for kind, thing in found)
    assert any(kind == "playlist" for kind, _ in found)


def test_what_file_managers_drop_is_no_problem(package: Path) -> None:
    (package / ".DS_Store").write_bytes(b"x")
    (package / "data" / "audio" / "._ACE-0000000000.mp3").write_bytes(b"x")
    (package / "data" / "Thumbs.db").write_bytes(b"x")
    assert verify(package, audio=False).ok


def test_one_wrong_tag_is_named_with_both_values(package: Path) -> None:
    path = first_audio(package)
    tags = read_tags(path)
    write_tags(path, type(tags)(**{**vars(tags), "title": "Somebody else's"}))
    reseal(package)
    (problem,) = [p for p in problems_of(package) if p.kind == "wrong_tag"]
    assert problem.thing == name_of(package, path)
    assert "tag title is \"Somebody else's\", the table says 'Evening Walk 0'" in problem.message


def test_a_lost_disclosure_is_named(package: Path) -> None:
    path = first_audio(package)
    tags = read_tags(path)
    write_tags(path, type(tags)(**{**vars(tags), "digital_source_type": "", "comment": ""}))
    reseal(package)
    found = [p.message for p in problems_of(package) if p.kind == "wrong_tag"]
    assert any(text.startswith("tag digital_source_type is missing") for text in found)
    assert any(text.startswith("tag comment is missing") for text in found)


def test_audio_that_is_louder_or_shorter_than_the_table_says_is_named(package: Path) -> None:
    path = first_audio(package)
    tags = read_tags(path)
    audio = codecs.decode(path)
    louder = np.round(np.clip(audio.samples[: 2 * audio.sample_rate_hz] * 3.9, -1, 1) * 32767).astype(np.int16)
    codecs.write_mp3(path, louder, audio.sample_rate_hz)
    write_tags(path, tags)
    reseal(package)
    found = [p.message for p in problems_of(package) if p.kind == "wrong_audio" and p.thing == name_of(package, path)]
    assert any(text.startswith("lasts 2.00 s, the table says 3.00 s") for text in found)
    assert any("LUFS, the table says" in text for text in found)
    assert any("dBTP is above" in text for text in found)


def test_audio_that_cannot_be_decoded_is_named(package: Path) -> None:
    path = first_audio(package)
    path.write_bytes(b"not music at all")
    reseal(package)
    assert ("wrong_audio", name_of(package, path)) in kinds(package)


@pytest.mark.parametrize("name", ["programme.m3u8", "daypart-day.m3u8", "programme.json"])
def test_one_stale_playlist_entry_is_named(package: Path, name: str) -> None:
    first, second = (p.name for p in sorted((package / "data" / "audio").iterdir())[:2])
    edit(package / "data" / "playlists" / name, lambda text: text.replace(first, "ACE-gone.mp3", 1))
    reseal(package)
    found = [p for p in problems_of(package) if p.kind == "playlist"]
    assert len(found) == 1
    assert found[0].thing.startswith(f"data/playlists/{name} entry ")
    assert "ACE-gone.mp3, which is not there" in found[0].message
    edit(package / "data" / "playlists" / name, lambda text: text.replace("ACE-gone.mp3", second, 1))
    reseal(package)
    (swapped,) = [p for p in problems_of(package) if p.kind == "playlist"]
    assert f"{second}, the schedule data/audio/{first}" in swapped.message


def test_a_broken_rotation_promise_is_recomputed_and_named(package: Path) -> None:
    plays = json.loads((package / "data" / "schedule.json").read_text())
    one, other = plays["plays"][0], plays["plays"][3]
    for key in ("track_id", "file", "prompt_id", "title"):
        other[key] = one[key]
    (package / "data" / "schedule.json").write_text(json.dumps(plays))
    reseal(package)
    found = [p for p in problems_of(package) if p.kind == "rotation"]
    assert any("returns after 0.00 h, promised are 24 h" in p.message for p in found)
    assert any(p.kind == "schedule" and "schedule.csv" in p.thing for p in problems_of(package))


def test_neighbours_of_one_prompt_are_recomputed_and_named(package: Path) -> None:
    plays = json.loads((package / "data" / "schedule.json").read_text())
    one, other = plays["plays"][0], plays["plays"][1]
    for key in ("track_id", "file", "prompt_id", "title"):
        other[key] = one[key]
    (package / "data" / "schedule.json").write_text(json.dumps(plays))
    reseal(package)
    assert any("come from one prompt" in p.message for p in problems_of(package))


def test_a_schedule_in_another_time_zone_is_named(package: Path) -> None:
    edit(package / "data" / "schedule.json", lambda text: text.replace("+07:00", "+08:00", 1))
    reseal(package)
    assert any(p.kind == "schedule" and "start_local" in p.message for p in problems_of(package))


def test_tables_that_disagree_are_named(package: Path) -> None:
    edit(package / "data" / "tracks.csv", lambda text: text.replace("ACE-0000000000,", "ACE-ZZZZZZZZZZ,", 1))
    edit(package / "package.json", lambda text: text.replace('"track_id": "ACE-0000000001"', '"track_id": "ACE-X"', 1))
    (package / "data" / "rights" / "rights.csv").write_text("track_id,file\r\n")
    reseal(package)
    things = {p.thing for p in problems_of(package) if p.kind == "table"}
    assert things == {"data/tracks.csv", "package.json", "data/rights/rights.csv"}


@pytest.mark.parametrize("name", ["data/tracks.parquet", "data/schedule.json", "package.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"plays": [1]}', b"\xff\xfe\x00"])
def test_tables_that_cannot_be_read_are_named_without_a_traceback(package: Path, name: str, content: bytes) -> None:
    (package / name).write_bytes(content)
    reseal(package)
    report = verify(package, audio=False)
    assert not report.ok
    assert all("\n" not in str(problem) for problem in report.problems)


def test_a_preview_package_that_calls_itself_deliverable_is_named(tmp_path: Path) -> None:
    store, rows = stored_catalog(tmp_path, 2, preview=True, engine="preview", rights_status="preview")
    folder = tmp_path / "copy"
    shutil.copytree(build_package(store, short_venue(), release(rows)).path, folder)
    edit(folder / "package.json", lambda text: text.replace('"deliverable": false', '"deliverable": true'))
    reseal(folder)
    assert any("calls a package deliverable" in p.message for p in problems_of(folder))


def test_a_newer_package_is_refused_by_name(package: Path) -> None:
    edit(package / "package.json", lambda text: text.replace('"package_format": 1', '"package_format": 9'))
    with pytest.raises(PackageError, match="package_format: 9, expected 1 or older; update ace-assets"):
        verify(package)


def test_what_is_no_package_gets_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    for path in ("missing", "empty", "text.zip", "other.zip"):
        with pytest.raises(PackageError, match="package") as caught:
            verify(tmp_path / path)
        assert path in str(caught.value)


def test_a_manifest_that_points_outside_is_refused(package: Path) -> None:
    with (package / "manifest-sha256.txt").open("a") as file:
        file.write(f"{'0' * 64}  ../../etc/passwd\n")
    with pytest.raises(PackageError, match="expected a SHA-256, two spaces and a relative path"):
        verify(package)


def test_a_zip_damaged_anywhere_is_named_without_a_traceback(tmp_path: Path) -> None:
    store, rows = stored_catalog(tmp_path, 2)
    build_package(store, short_venue(days=1), release(rows))
    target = tmp_path / "delivery.zip"
    deliver(store, "test-hotel", str(target))
    whole = target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        places = [(info.filename, info.header_offset + 30 + len(info.filename) + 8) for info in archive.infolist()]
    for name, place in places:
        data = bytearray(whole)
        data[place] ^= 0x55
        target.write_bytes(data)
        with contextlib.suppress(PackageError):  # the bag's own lists are refused with one line
            assert not verify(target, audio=False).ok, name


def test_a_delivered_venues_folder_is_followed_to_its_current_package(tmp_path: Path) -> None:
    store, rows = stored_catalog(tmp_path, 2)
    build_package(store, short_venue(days=1), release(rows))
    result = deliver(store, "test-hotel", str(tmp_path / "stick"))
    assert verify(tmp_path / "stick" / "test-hotel").package_id == result.package_id
    (tmp_path / "stick" / "test-hotel" / "current.json").write_text('{"folder": "../.."}')
    with pytest.raises(PackageError, match=r"no bagit\.txt"):
        verify(tmp_path / "stick" / "test-hotel")


def test_a_zip_is_verified_as_its_folder_is(tmp_path: Path) -> None:
    store, rows = stored_catalog(tmp_path, 4)
    build_package(store, short_venue(), release(rows))
    target = tmp_path / "delivery.zip"
    deliver(store, "test-hotel", str(target))
    report = verify(target)
    assert report.ok
    assert report.tracks == 4
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    assert not verify(target).ok
    target.write_bytes(data[: len(data) // 2])
    with pytest.raises(PackageError, match="cut short"):
        verify(target)

"""A delivery is never seen complete before it is; running it again completes it and sends only what is missing."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from moto.server import ThreadedMotoServer

from ace_assets.blobs import LocalBlobs, S3Blobs
from ace_assets.errors import PackageError
from ace_assets.packages import deliver_s3 as s3_module
from ace_assets.packages import deliver_zip as zip_module
from ace_assets.packages.build import build_package
from ace_assets.packages.delivery import deliver
from ace_assets.packages.verify import verify
from ace_assets.store import Store
from tests.packages.support import release, short_venue, stored_catalog

VENUE = "test-hotel"


class Interrupted(BaseException):
    """What a killed process would be."""


def stop_after(count: int) -> Callable[[int, int, str], None]:
    def progress(done: int, _total: int, _what: str, /) -> None:
        if done == count:
            raise Interrupted

    return progress


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    made, rows = stored_catalog(folder, 8)
    build_package(made, short_venue(), release(rows))
    return folder / "data"


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Store:
    shutil.copytree(template, tmp_path / "data", symlinks=True)
    return Store(LocalBlobs(tmp_path / "data"))


def change(store: Store, tmp_path: Path) -> None:
    """Build another package: two tracks leave, the rest stays."""
    (tmp_path / "again").mkdir()
    _, rows = stored_catalog(tmp_path / "again", 8)
    build_package(store, short_venue(), release(rows[:6], "r2"))


def complete_packages(target: Path) -> list[str]:
    """Return what somebody who looks into a target takes for complete packages."""
    folder = target / VENUE
    if not folder.is_dir():
        return []
    found = [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    if (folder / "current.json").is_file():
        assert json.loads((folder / "current.json").read_text())["package_id"] in found
    return sorted(found)


# ---- a folder
# ------------------------------------------------------------------------------------------------------------


def test_a_folder_gets_the_whole_package_and_its_pointer(store: Store, tmp_path: Path) -> None:
    result = deliver(store, VENUE, str(tmp_path / "stick"))
    assert verify(result.target).ok
    pointer = json.loads((tmp_path / "stick" / VENUE / "current.json").read_text())
    assert pointer["package_id"] == result.package_id
    assert result.sent_files == result.files
    (delivery,) = store.deliveries(VENUE)
    assert delivery["package_id"] == result.package_id


def test_delivering_twice_sends_and_records_nothing_more(store: Store, tmp_path: Path) -> None:
    deliver(store, VENUE, str(tmp_path / "stick"))
    again = deliver(store, VENUE, str(tmp_path / "stick"))
    assert (again.sent_files, again.sent_bytes) == (0, 0)
    assert len(store.deliveries(VENUE)) == 1


@pytest.mark.parametrize("count", [1, 5, 20, 29, 30])
def test_an_interrupted_copy_shows_nothing_and_is_taken_up(store: Store, tmp_path: Path, count: int) -> None:
    target = tmp_path / "stick"
    with pytest.raises(Interrupted):
        deliver(store, VENUE, str(target), progress=stop_after(count))
    assert complete_packages(target) == []
    assert store.deliveries(VENUE) == []
    result = deliver(store, VENUE, str(target))
    assert result.sent_files == result.files - count
    assert complete_packages(target) == [result.package_id]
    assert verify(result.target).ok


def test_a_half_written_file_of_an_interrupted_copy_is_sent_again(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "stick"
    with pytest.raises(Interrupted):
        deliver(store, VENUE, str(target), progress=stop_after(6))
    (incoming,) = (target / VENUE).iterdir()
    victim = sorted((incoming / "data" / "audio").iterdir())[0]
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes()[:100])
    (incoming / "data" / "audio" / ".leftover.partial").write_bytes(b"x")
    result = deliver(store, VENUE, str(target))
    assert result.sent_files == result.files - 5
    assert verify(result.target).ok


def test_an_interrupted_update_leaves_the_delivered_package_current(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "stick"
    first = deliver(store, VENUE, str(target))
    change(store, tmp_path)
    with pytest.raises(Interrupted):
        deliver(store, VENUE, str(target), progress=stop_after(10))
    assert complete_packages(target) == [first.package_id]
    assert verify(first.target).ok
    second = deliver(store, VENUE, str(target))
    assert json.loads((target / VENUE / "current.json").read_text())["package_id"] == second.package_id
    assert verify(second.target).ok


def test_an_update_sends_only_what_changed(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "stick"
    first = deliver(store, VENUE, str(target))
    change(store, tmp_path)
    second = deliver(store, VENUE, str(target))
    assert second.package_id != first.package_id
    assert second.sent_files == second.files - 6
    assert second.sent_bytes < 0.2 * first.sent_bytes


def test_a_delivered_package_that_was_damaged_is_mended(store: Store, tmp_path: Path) -> None:
    result = deliver(store, VENUE, str(tmp_path / "stick"))
    victim = sorted((Path(result.target) / "data" / "audio").iterdir())[0]
    victim.unlink()
    again = deliver(store, VENUE, str(tmp_path / "stick"))
    assert again.sent_files == 1
    assert verify(result.target).ok


def test_a_target_that_is_a_file_gives_one_line(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PackageError, match=r"cannot deliver to .*file: .*deliver again") as caught:
        deliver(store, VENUE, str(tmp_path / "file"))
    assert "\n" not in str(caught.value)


def test_a_venue_without_a_package_gives_one_line(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="venue other: no package"):
        deliver(store, "other", str(tmp_path / "stick"))


def test_a_package_damaged_in_the_store_is_not_delivered(store: Store, tmp_path: Path) -> None:
    package = Path(str(store.local_root)) / "packages" / VENUE
    (package / "README.txt").write_text("changed")
    for target in (tmp_path / "stick", tmp_path / "p.zip"):
        with pytest.raises(PackageError, match=r"README\.txt: another checksum"):
            deliver(store, VENUE, str(target))
    assert complete_packages(tmp_path / "stick") == []
    assert not (tmp_path / "p.zip").exists()
    (package / "README.txt").unlink()
    with pytest.raises(PackageError, match=r"README\.txt: missing"):
        deliver(store, VENUE, str(tmp_path / "stick"))


# ---- a zip
# ---------------------------------------------------------------------------------------------------------------


def test_a_zip_holds_the_package_with_fixed_times_and_the_same_bytes_each_time(store: Store, tmp_path: Path) -> None:
    one = deliver(store, VENUE, str(tmp_path / "one.zip"))
    deliver(store, VENUE, str(tmp_path / "two.zip"))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(one.target) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    assert folder.name == one.package_id
    assert verify(folder).ok


@pytest.mark.parametrize("count", [1, 7, 29, 30])
def test_an_interrupted_zip_is_not_there_and_is_taken_up(store: Store, tmp_path: Path, count: int) -> None:
    whole = deliver(store, VENUE, str(tmp_path / "whole.zip"))
    target = tmp_path / "part.zip"
    with pytest.raises(Interrupted):
        deliver(store, VENUE, str(target), progress=stop_after(count))
    assert not target.exists()
    result = deliver(store, VENUE, str(target))
    assert target.read_bytes() == Path(whole.target).read_bytes()
    assert result.sent_files <= result.files - count + 1
    assert result.sent_bytes < whole.sent_bytes
    assert sorted(p.name for p in tmp_path.glob(".*")) == []


def test_a_zip_cut_in_the_middle_of_a_track_keeps_what_is_there(store: Store, tmp_path: Path) -> None:
    whole = deliver(store, VENUE, str(tmp_path / "whole.zip"))
    data = Path(whole.target).read_bytes()
    half = data[: len(data) // 2]
    (tmp_path / ".cut.zip.partial").write_bytes(half[:-500] + bytes(500))  # the end was not written to the disk
    result = deliver(store, VENUE, str(tmp_path / "cut.zip"))
    assert (tmp_path / "cut.zip").read_bytes() == data
    assert result.sent_bytes <= len(data) - len(half) + 2 * zip_module.COPY_BYTES


def test_a_partial_of_another_package_is_written_over(store: Store, tmp_path: Path) -> None:
    (tmp_path / ".p.zip.partial").write_bytes(bytes(5_000_000))
    deliver(store, VENUE, str(tmp_path / "p.zip"))
    assert verify(tmp_path / "p.zip").ok


def test_an_old_zip_stays_until_the_new_one_is_whole(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "p.zip"
    deliver(store, VENUE, str(target))
    old = target.read_bytes()
    change(store, tmp_path)
    with pytest.raises(Interrupted):
        deliver(store, VENUE, str(target), progress=stop_after(4))
    assert target.read_bytes() == old
    deliver(store, VENUE, str(target))
    assert target.read_bytes() != old
    assert verify(target).ok


def test_a_damaged_zip_is_written_again(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "p.zip"
    deliver(store, VENUE, str(target))
    whole = target.read_bytes()
    target.write_bytes(whole[:-50])
    deliver(store, VENUE, str(target))
    assert target.read_bytes() == whole


# ---- S3
# ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    made = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}),
    )
    made.create_bucket(Bucket="venue-music")
    yield made
    for entry in made.list_objects_v2(Bucket="venue-music").get("Contents", ()):
        made.delete_object(Bucket="venue-music", Key=entry["Key"])
    made.close()


class Faults:
    """Lets a client's requests through until one is to fail, then fails every one, as a lost network does."""

    def __init__(self, client: Any, after: int) -> None:
        self.left = after
        self.events = client.meta.events

    def __call__(self, request: Any, **_: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise EndpointConnectionError(endpoint_url=request.url)

    def __enter__(self) -> Faults:
        self.events.register("before-send.s3", self)
        return self

    def __exit__(self, *_: object) -> None:
        self.events.unregister("before-send.s3", self)


def pointer(client: Any) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(
            client.get_object(Bucket="venue-music", Key=f"in/{VENUE}/current.json")["Body"].read()
        )
    except client.exceptions.NoSuchKey:
        return None
    return found


def downloaded(client: Any, package_id: str, folder: Path) -> Path:
    prefix = f"in/{VENUE}/{package_id}/"
    for entry in client.list_objects_v2(Bucket="venue-music", Prefix=prefix)["Contents"]:
        path = folder / entry["Key"].removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download_file("venue-music", entry["Key"], str(path))
    return folder


def test_s3_gets_every_object_with_its_checksum_and_the_pointer_last(store: Store, tmp_path: Path, client: Any) -> None:
    keys: list[str] = []
    client.meta.events.register("before-call.s3.PutObject", lambda params, **_: keys.append(params["url_path"]))
    result = deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    assert keys[-1].endswith("/current.json")
    assert keys[-2].endswith("/bagit.txt")
    assert verify(downloaded(client, result.package_id, tmp_path / "got")).ok
    found = pointer(client)
    assert found is not None
    assert found["package_id"] == result.package_id
    again = deliver(store, VENUE, "s3://venue-music/in/", s3_client=client)
    assert (again.sent_files, again.sent_bytes) == (0, 0)
    assert again.target == result.target
    assert len(store.deliveries(VENUE)) == 1


@pytest.mark.parametrize("after", [0, 4, 20, 33, 34, 35])
def test_a_network_lost_at_any_request_shows_nothing_and_is_taken_up(
    store: Store, tmp_path: Path, client: Any, after: int
) -> None:
    with Faults(client, after), pytest.raises(PackageError, match="what was sent is kept") as caught:
        deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    assert "\n" not in str(caught.value)
    assert pointer(client) is None
    assert store.deliveries(VENUE) == []
    there = client.list_objects_v2(Bucket="venue-music").get("KeyCount", 0)
    result = deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    assert result.sent_files == result.files - there
    assert verify(downloaded(client, result.package_id, tmp_path / "got")).ok


def test_an_interrupted_update_on_s3_leaves_the_delivered_package_current(
    store: Store, tmp_path: Path, client: Any
) -> None:
    first = deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    change(store, tmp_path)
    with Faults(client, 12), pytest.raises(PackageError):
        deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    found = pointer(client)
    assert found is not None
    assert found["package_id"] == first.package_id
    second = deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    assert second.sent_bytes < 0.2 * first.sent_bytes, "music that is in the bucket is copied there and not sent"
    assert verify(downloaded(client, second.package_id, tmp_path / "got")).ok


def test_large_files_go_up_in_parts_and_an_open_upload_of_a_killed_delivery_is_forgotten(
    tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "PART_BYTES", 5 * 1024 * 1024)
    store, rows = stored_catalog(tmp_path, 1, duration_s=30.0)
    build_package(store, short_venue(format="wav"), release(rows))
    prefix = f"in/{VENUE}/{store.current_package_id(VENUE)}"
    client.create_multipart_upload(Bucket="venue-music", Key=f"{prefix}/data/audio/x.wav")
    parts: list[str] = []
    client.meta.events.register("before-call.s3.UploadPart", lambda params, **_: parts.append(params["url_path"]))
    with Faults(client, 4), pytest.raises(PackageError):
        deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    assert pointer(client) is None
    result = deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    assert len(parts) >= 2
    assert client.list_multipart_uploads(Bucket="venue-music").get("Uploads", []) == []
    assert verify(downloaded(client, result.package_id, tmp_path / "got")).ok


def test_a_strange_object_among_the_package_is_removed(store: Store, tmp_path: Path, client: Any) -> None:
    package_id = store.current_package_id(VENUE)
    client.put_object(Bucket="venue-music", Key=f"in/{VENUE}/{package_id}/data/audio/old.mp3", Body=b"x")
    deliver(store, VENUE, "s3://venue-music/in", s3_client=client)
    assert verify(downloaded(client, str(package_id), tmp_path / "got")).ok


def test_a_missing_bucket_gives_one_line(store: Store, client: Any) -> None:
    with pytest.raises(PackageError, match=r"s3://no-such-bucket/.*NoSuchBucket.*check AWS_ENDPOINT_URL"):
        deliver(store, VENUE, "s3://no-such-bucket/x", s3_client=client)
    with pytest.raises(PackageError, match="name the bucket"):
        deliver(store, VENUE, "s3://", s3_client=client)


def test_a_store_on_s3_builds_and_delivers_the_same_package(store: Store, tmp_path: Path, client: Any) -> None:
    remote = Store(S3Blobs("venue-music", "data", client=client))
    local = store.local_root
    assert local is not None
    for path in (local / "masters").rglob("*"):
        if path.is_file():
            remote.blobs.put_file(path, path.relative_to(local).as_posix())
    (tmp_path / "same").mkdir()
    _, rows = stored_catalog(tmp_path / "same", 8)
    result = build_package(remote, short_venue(), release(rows))
    assert result.path.startswith("s3://venue-music/data/packages/")
    assert not build_package(remote, short_venue(), release(rows)).changed
    delivered = deliver(remote, VENUE, str(tmp_path / "stick"))
    assert verify(delivered.target).ok
    here = Path(str(local)) / "packages" / VENUE
    assert (Path(delivered.target) / "manifest-sha256.txt").read_text() == (here / "manifest-sha256.txt").read_text()
    shutil.rmtree(tmp_path / "stick")

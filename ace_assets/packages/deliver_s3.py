"""Delivers a package to S3, or a server that speaks its API.

    PREFIX/<venue>/<package_id>/...   objects, each with its SHA-256 in its metadata and checked by S3 on arrival
    PREFIX/<venue>/current.json       which package is current; written last, after every object was seen to be there

Large files go up in parts. Files that a package delivered before holds already are copied inside the bucket and not
sent.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ace_assets.errors import PackageError
from ace_assets.packages.parcel import POINTER, Parcel, ParcelFile
from ace_assets.packages.progress import Progress

PART_BYTES = 8 * 1024 * 1024  # S3 takes no part below 5 MiB but the last
MAX_COPY_BYTES = 5 * 1024**3  # S3 copies at most so much in one request
WORKERS = 4
CONTENT_TYPES = {
    ".mp3": "audio/mpeg", ".flac": "audio/flac", ".wav": "audio/wav", ".json": "application/json", ".csv": "text/csv",
    ".txt": "text/plain; charset=utf-8", ".html": "text/html; charset=utf-8", ".m3u8": "audio/x-mpegurl",
}  # fmt: skip


def deliver_s3(parcel: Parcel, target: str, progress: Progress, *, client: Any = None) -> tuple[int, int, str]:
    """Upload a package; return how many files and bytes were sent, and its address.

    Args:
        parcel: the package.
        target: `s3://bucket/prefix`.
        progress: told after every file.
        client: a boto3 S3 client; by default one from the environment.

    Raises:
        PackageError: the bucket cannot be reached or written, or a source file is damaged.
    """
    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    if not bucket:
        raise PackageError("target", value=target, expected="s3://bucket/prefix", remedy="name the bucket")
    place = _Place(client or _client(), bucket, "/".join(p for p in (prefix.strip("/"), parcel.venue_id) if p))
    with place.said_plainly():
        base = f"{place.root}/{parcel.package_id}"
        place.forget_uploads(f"{base}/")
        present = place.sizes(f"{base}/")
        earlier = place.earlier(parcel)
        head = [file for file in parcel.files if "/" in file.name]
        tail = [file for file in parcel.files if "/" not in file.name]
        sent: list[ParcelFile] = []
        done = 0
        # The payload in parallel; then, one after the other, the files that make a folder a bag.
        for group, workers in ((head, WORKERS), (tail, 1)):
            with ThreadPoolExecutor(max_workers=workers) as pool:
                jobs = [pool.submit(place.bring, file, f"{base}/{file.name}", present, earlier) for file in group]
                try:
                    for file, job in zip(group, jobs, strict=True):
                        if job.result():
                            sent.append(file)
                        done += 1
                        progress(done, len(parcel.files), "deliver")
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise
        found = place.sizes(f"{base}/")
        for file in parcel.files:
            if found.get(f"{base}/{file.name}") != file.size_bytes:
                raise PackageError(
                    f"s3://{bucket}/{base}/{file.name}",
                    value=found.get(f"{base}/{file.name}", "missing"),
                    expected=f"{file.size_bytes} bytes",
                    remedy="deliver again",
                )
        for stranger in sorted(set(found) - {f"{base}/{file.name}" for file in parcel.files}):
            place.client.delete_object(Bucket=bucket, Key=stranger)
        place.point(parcel)
    return len(sent), sum(file.size_bytes for file in sent), f"s3://{bucket}/{base}"


def _check(digest: str, file: ParcelFile) -> None:
    if digest != file.sha256:
        raise file.damaged()


def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3", config=Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=10, read_timeout=60)
    )


class _Place:
    """The venue's part of a bucket."""

    def __init__(self, client: Any, bucket: str, root: str) -> None:
        self.client = client
        self.bucket = bucket
        self.root = root

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the size of every object below a prefix, by key."""
        found = {}
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                found[entry["Key"]] = int(entry["Size"])
        return found

    def forget_uploads(self, prefix: str) -> None:
        """Abort multipart uploads that a killed delivery left open: they cost money and never show."""
        for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix):
            for upload in page.get("Uploads", ()):
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def earlier(self, parcel: Parcel) -> str | None:
        """Return the prefix of the package that is current there, where it is another one."""
        data = self.get(f"{self.root}/{POINTER}")
        if data is None:
            return None
        try:
            package_id = json.loads(data)["package_id"]
        except (ValueError, KeyError, TypeError):
            return None
        return None if package_id == parcel.package_id else f"{self.root}/{package_id}"

    def get(self, key: str) -> bytes | None:
        """Return a small object's bytes, or None."""
        from botocore.exceptions import ClientError

        try:
            data: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                return None
            raise
        return data

    def digest(self, key: str) -> str | None:
        """Return the SHA-256 that an object carries in its metadata, or None."""
        from botocore.exceptions import ClientError

        try:
            head = self.client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404", "NotFound"}:
                return None
            raise
        found: str | None = head.get("Metadata", {}).get("sha256")
        return found

    def bring(self, file: ParcelFile, key: str, present: dict[str, int], earlier: str | None) -> bool:
        """See to it that an object is there; True where its bytes had to be sent."""
        if present.get(key) == file.size_bytes and self.digest(key) == file.sha256:
            return False
        audio = file.name.startswith("data/audio/") and file.size_bytes < MAX_COPY_BYTES
        if earlier and audio and self.digest(f"{earlier}/{file.name}") == file.sha256:
            self.client.copy_object(
                Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": f"{earlier}/{file.name}"}
            )
            return False
        settings = {
            "Metadata": {"sha256": file.sha256},
            "ContentType": CONTENT_TYPES.get(Path(file.name).suffix, "application/octet-stream"),
        }
        if file.size_bytes > PART_BYTES:
            self._in_parts(file, key, settings)
        else:
            data = file.path.read_bytes()
            digest = hashlib.sha256(data)
            _check(digest.hexdigest(), file)
            checksum = base64.b64encode(digest.digest()).decode()
            self.client.put_object(Bucket=self.bucket, Key=key, Body=data, ChecksumSHA256=checksum, **settings)
        return True

    def _in_parts(self, file: ParcelFile, key: str, settings: dict[str, Any]) -> None:
        """Upload a large file in parts; nothing is to be seen under its key before the last is there."""
        where = {"Bucket": self.bucket, "Key": key}
        upload = self.client.create_multipart_upload(**where, ChecksumAlgorithm="SHA256", **settings)["UploadId"]
        try:
            whole = hashlib.sha256()
            parts: list[dict[str, Any]] = []
            with file.path.open("rb") as source:
                while block := source.read(PART_BYTES):
                    whole.update(block)
                    checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
                    reply = self.client.upload_part(
                        **where, UploadId=upload, PartNumber=len(parts) + 1, Body=block, ChecksumSHA256=checksum
                    )
                    parts.append({"PartNumber": len(parts) + 1, "ETag": reply["ETag"], "ChecksumSHA256": checksum})
            _check(whole.hexdigest(), file)
            self.client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        except BaseException:
            with contextlib.suppress(Exception):  # the fault that brought us here is the one to tell
                self.client.abort_multipart_upload(**where, UploadId=upload)
            raise

    def point(self, parcel: Parcel) -> None:
        """Write the pointer, last."""
        key = f"{self.root}/{POINTER}"
        if self.get(key) != parcel.pointer():
            self.client.put_object(Bucket=self.bucket, Key=key, Body=parcel.pointer(), ContentType="application/json")

    @contextlib.contextmanager
    def said_plainly(self) -> Iterator[None]:
        """Turn whatever S3 or the network says into one line."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
            raise PackageError(
                f"cannot deliver to s3://{self.bucket}/{self.root}",
                value=code or type(error).__name__,
                expected="a reachable bucket and credentials that may write to it",
                remedy="check AWS_ENDPOINT_URL, credentials and bucket, then deliver again: what was sent is kept",
            ) from error

"""Where bytes lie: a folder or an S3 bucket behind one small interface.

Keys are relative, `/`-separated names. Here live atomic publishing and compare-and-swap; what the keys mean is
`ace_assets.store`'s business. On a disk an object is written beside, synced and renamed; on S3 it is one PUT or one
completed multipart upload. Nobody ever sees half an object under its name.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ace_assets.errors import StoreError

MULTIPART_THRESHOLD_BYTES = 64 * 1024 * 1024
PARTIAL_SUFFIX = ".partial"


@dataclass(frozen=True)
class BlobStat:
    """Size in bytes, an opaque version (`etag`) and the time of the last write (seconds since 1970, UTC)."""

    size_bytes: int
    etag: str
    modified_at_s: float


class Blobs(Protocol):
    """What a place for bytes can do. Missing keys give None; anything that cannot be done is a StoreError."""

    @property
    def uri(self) -> str:
        """The address as a person writes it: a folder or `s3://bucket/prefix`."""
        ...

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None."""
        ...

    def get_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and its etag, or None."""
        ...

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Publish bytes; with `if_absent` return False where the key already exists."""
        ...

    def put_file(self, path: Path, key: str, *, if_absent: bool = False) -> bool:
        """Publish a local file (which stays the caller's to delete); with `if_absent` False where the key exists."""
        ...

    def compare_and_put(self, key: str, data: bytes, *, expected_etag: str | None) -> bool:
        """Publish only while the key still has `expected_etag` (None: while it is absent); False when it has not."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is fine."""
        ...

    def stat(self, key: str) -> BlobStat | None:
        """Return size, etag and time, or None."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below `prefix` (a folder name ending in `/`, or empty), sorted; partial files never show."""
        ...

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield every key below `prefix` with its size in bytes, in no order; quick for hundreds of thousands."""
        ...

    def pin(self, key: str, target: Path) -> bool:
        """Put the object as it is now at a local path, where no later write changes it; False where it is missing."""
        ...

    def local(self, key: str) -> contextlib.AbstractContextManager[Path]:
        """Give the object as a local file to read for the length of the block; a missing key is a StoreError."""
        ...

    def scratch_dir(self) -> Path:
        """A local folder for work in progress, on the same disk where there is one."""
        ...


def _remedy(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "free some space and run again: everything finished is kept"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "make it writable for this user or set ACE_DATA_DIR to another folder"
    return "check the disk and run again: everything finished is kept"


def _disk_error(action: str, path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot {action} {path}",
        value=error.strerror or error,
        expected="a writable folder with free space",
        remedy=_remedy(error),
    )


class LocalBlobs:
    """A folder on a disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def uri(self) -> str:
        """The folder."""
        return str(self.root)

    def path(self, key: str) -> Path:
        """Return where a key lies on this disk; a key that leaves the folder is refused."""
        parts = key.split("/")
        if not key or any(part in {"", ".", ".."} for part in parts) or "\0" in key:
            raise StoreError(
                "storage key", value=key, expected="a relative name without . and ..", remedy="report this"
            )
        return self.root.joinpath(*parts)

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None."""
        try:
            return self.path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _disk_error("read", self.path(key), error) from error

    def get_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and the hash of its content, or None."""
        data = self.get(key)
        return None if data is None else (data, hashlib.sha256(data).hexdigest())

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write beside, sync, rename."""
        target = self.path(key)
        with self._partial(target) as partial:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            return self._commit(partial, target, if_absent=if_absent)

    def put_file(self, path: Path, key: str, *, if_absent: bool = False) -> bool:
        """Copy beside (a hard link where the disk allows it), sync, rename."""
        target = self.path(key)
        with self._partial(target) as partial:
            try:
                os.link(path, partial)
            except OSError:
                shutil.copyfile(path, partial)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            return self._commit(partial, target, if_absent=if_absent)

    @contextlib.contextmanager
    def _partial(self, target: Path) -> Iterator[Path]:
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
        except OSError as error:
            raise _disk_error("write", target, error) from error
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()

    @staticmethod
    def _commit(partial: Path, target: Path, *, if_absent: bool) -> bool:
        if if_absent:
            try:
                os.link(partial, target)
            except FileExistsError:
                return False
        else:
            partial.replace(target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return True

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        lock = self.root / ".locks" / (hashlib.sha256(key.encode()).hexdigest()[:3] + ".lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("a")
        except OSError as error:
            raise _disk_error("lock", lock, error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)  # freed by the system when the process dies
            yield

    def compare_and_put(self, key: str, data: bytes, *, expected_etag: str | None) -> bool:
        """Compare and write under an advisory lock of this folder."""
        with self._locked(key):
            found = self.get_versioned(key)
            if (found[1] if found else None) != expected_etag:
                return False
            return self.put(key, data)

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is fine."""
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            raise _disk_error("delete", self.path(key), error) from error

    def stat(self, key: str) -> BlobStat | None:
        """Return size, an etag of size and time, and the time, or None."""
        try:
            status = self.path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _disk_error("read", self.path(key), error) from error
        return BlobStat(status.st_size, f"{status.st_size}-{status.st_mtime_ns}", status.st_mtime)

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk the folder in sorted order."""
        top = self.root / prefix if prefix else self.root
        for folder, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                if not name.startswith("."):
                    yield Path(folder, name).relative_to(self.root).as_posix()

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Scan the folder without sorting."""
        waiting = [prefix]
        while waiting:
            prefix = waiting.pop()
            try:
                # by its number: a name from the root would be looked up again for every file
                folder = os.open(self.root / prefix, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    with os.scandir(folder) as entries:
                        for entry in entries:
                            name = entry.name
                            if entry.is_dir(follow_symlinks=False):
                                waiting.append(f"{prefix}{name}/")
                            elif name[0] != ".":
                                try:
                                    yield prefix + name, entry.stat().st_size
                                except FileNotFoundError:
                                    continue  # deleted since
                finally:
                    os.close(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _disk_error("read", self.root / prefix, error) from error

    def pin(self, key: str, target: Path) -> bool:
        """A hard link where the disk allows it (a rename over the name leaves it alone), else a copy."""
        source = self.path(key)
        try:
            try:
                os.link(source, target)
            except FileNotFoundError:
                raise
            except OSError:
                shutil.copyfile(source, target)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _disk_error("read", source, error) from error
        return True

    @contextlib.contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """The file itself."""
        path = self.path(key)
        if not path.is_file():
            raise StoreError(
                f"{self.uri}/{key}", value="missing", expected="a stored file", remedy="rerun what makes it"
            )
        yield path

    def scratch_dir(self) -> Path:
        """`scratch/` in the folder."""
        scratch = self.root / "scratch"
        try:
            scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _disk_error("write", scratch, error) from error
        return scratch


class S3Blobs:
    """A bucket and prefix on S3, or on a server that speaks its API (`AWS_ENDPOINT_URL`); keys from the environment."""

    def __init__(self, bucket: str, prefix: str, *, client: Any = None) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self._client = client
        self._lock = threading.Lock()

    @property
    def uri(self) -> str:
        """The address."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def client(self) -> Any:
        """The boto3 client, made at first use."""
        with self._lock:
            if self._client is None:
                import boto3
                from botocore.config import Config

                self._client = boto3.client(
                    "s3",
                    config=Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=10, read_timeout=60),
                )
            return self._client

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    @contextlib.contextmanager
    def _said_plainly(self, action: str, key: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            code = (
                error.response.get("Error", {}).get("Code", "")
                if isinstance(error, ClientError)
                else type(error).__name__
            )
            raise StoreError(
                f"cannot {action} {self.uri}/{key}",
                value=code,
                expected="a reachable bucket and credentials that may use it",
                remedy="check AWS_ENDPOINT_URL, the credentials and the bucket, run again: what is finished is kept",
            ) from error

    @staticmethod
    def _code(error: Exception) -> str:
        return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None."""
        found = self.get_versioned(key)
        return None if found is None else found[0]

    def get_versioned(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and its ETag, or None."""
        from botocore.exceptions import ClientError

        with self._said_plainly("read", key):
            try:
                reply = self.client.get_object(Bucket=self.bucket, Key=self._name(key))
                return reply["Body"].read(), reply["ETag"]
            except ClientError as error:
                if self._code(error) in {"NoSuchKey", "404"}:
                    return None
                raise

    def _conditional(self, key: str, action: str, **arguments: Any) -> bool:
        from botocore.exceptions import ClientError

        with self._said_plainly(action, key):
            try:
                self.client.put_object(Bucket=self.bucket, Key=self._name(key), **arguments)
                return True
            except ClientError as error:
                if self._code(error) in {
                    "PreconditionFailed",
                    "ConditionalRequestConflict",
                    "412",
                    "409",
                    "NoSuchKey",
                    "404",
                }:
                    return False
                raise

    def put(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        """One PUT, `If-None-Match: *` where only absent keys may be written."""
        extra = {"IfNoneMatch": "*"} if if_absent else {}
        if self._conditional(key, "write", Body=data, **extra):
            return True
        if if_absent:
            return False
        raise StoreError(f"cannot write {self.uri}/{key}", expected="an existing bucket", remedy="create the bucket")

    def put_file(self, path: Path, key: str, *, if_absent: bool = False) -> bool:
        """One PUT, or one completed multipart upload for large files."""
        if path.stat().st_size <= MULTIPART_THRESHOLD_BYTES:
            with path.open("rb") as body:
                extra = {"IfNoneMatch": "*"} if if_absent else {}
                if self._conditional(key, "write", Body=body, **extra):
                    return True
            if if_absent:
                return False
            raise StoreError(
                f"cannot write {self.uri}/{key}", expected="an existing bucket", remedy="create the bucket"
            )
        if if_absent and self.stat(key) is not None:
            return False
        with self._said_plainly("write", key):
            self.client.upload_file(str(path), self.bucket, self._name(key))
        return True

    def compare_and_put(self, key: str, data: bytes, *, expected_etag: str | None) -> bool:
        """One PUT with `If-Match`, or `If-None-Match: *` for an absent key."""
        condition = {"IfNoneMatch": "*"} if expected_etag is None else {"IfMatch": expected_etag}
        return self._conditional(key, "write", Body=data, **condition)

    def delete(self, key: str) -> None:
        """Delete an object; a missing one is fine."""
        with self._said_plainly("delete", key):
            self.client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def stat(self, key: str) -> BlobStat | None:
        """HEAD."""
        from botocore.exceptions import ClientError

        with self._said_plainly("read", key):
            try:
                head = self.client.head_object(Bucket=self.bucket, Key=self._name(key))
            except ClientError as error:
                if self._code(error) in {"NoSuchKey", "404", "NotFound"}:
                    return None
                raise
            return BlobStat(int(head["ContentLength"]), head["ETag"], head["LastModified"].timestamp())

    def keys(self, prefix: str) -> Iterator[str]:
        """List page by page."""
        skip = len(self.prefix) + 1 if self.prefix else 0
        with self._said_plainly("list", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._name(prefix))
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"][skip:]

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """List page by page; the listing tells the sizes."""
        skip = len(self.prefix) + 1 if self.prefix else 0
        with self._said_plainly("list", prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._name(prefix))
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"][skip:], int(entry["Size"])

    def pin(self, key: str, target: Path) -> bool:
        """A download."""
        data = self.get(key)
        if data is None:
            return False
        target.write_bytes(data)
        return True

    @contextlib.contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """A downloaded copy, deleted at the end of the block."""
        from botocore.exceptions import ClientError

        with tempfile.TemporaryDirectory(dir=self.scratch_dir()) as folder:
            path = Path(folder, key.rsplit("/", 1)[-1])
            with self._said_plainly("read", key):
                try:
                    self.client.download_file(self.bucket, self._name(key), str(path))
                except ClientError as error:
                    if self._code(error) in {"NoSuchKey", "404"}:
                        raise StoreError(
                            f"{self.uri}/{key}",
                            value="missing",
                            expected="a stored object",
                            remedy="rerun what makes it",
                        ) from error
                    raise
            yield path

    def scratch_dir(self) -> Path:
        """A folder for temporary files of this machine."""
        scratch = Path(tempfile.gettempdir(), "ace-assets-scratch")
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch


def open_blobs(uri: str) -> LocalBlobs | S3Blobs:
    """Return the place that `ACE_DATA_DIR` names: a folder, or `s3://bucket/prefix`."""
    if uri.startswith("s3://"):
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not bucket:
            raise StoreError("ACE_DATA_DIR", value=uri, expected="s3://bucket/prefix", remedy="name a bucket")
        return S3Blobs(bucket, prefix)
    if "://" in uri:
        raise StoreError(
            "ACE_DATA_DIR", value=uri, expected="a folder or s3://bucket/prefix", remedy="use one of the two"
        )
    return LocalBlobs(Path(uri).expanduser().absolute())

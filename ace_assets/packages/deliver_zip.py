"""Delivers a package as one zip, the same bytes every time: fixed times, fixed order, nothing compressed twice.

The zip is written beside its name and renamed when it is whole. An interrupted one is taken up: what is already
there is compared and only the rest is written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ace_assets.errors import PackageError
from ace_assets.packages.parcel import Parcel
from ace_assets.packages.progress import Progress

FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
UNIX = 3
COPY_BYTES = 1 << 20
COMPRESSED_SUFFIXES = (".mp3", ".flac", ".parquet")


class _Continued(io.RawIOBase):
    """A file that is written from its beginning again, but only where it does not hold these bytes already."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.position = 0
        self.size = file.seek(0, io.SEEK_END)
        self.written = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = base + offset
        return self.position

    def write(self, data: object, /) -> int:
        fresh = bytes(memoryview(data))  # type: ignore[arg-type]
        self.file.seek(self.position)
        if self.position + len(fresh) > self.size or self.file.read(len(fresh)) != fresh:
            self.file.seek(self.position)
            self.file.write(fresh)
            self.written += len(fresh)
            self.size = max(self.size, self.position + len(fresh))
        self.position += len(fresh)
        return len(fresh)

    def flush(self) -> None:
        self.file.flush()


def deliver_zip(parcel: Parcel, target: Path, progress: Progress) -> tuple[int, int, str]:
    """Write a package as a zip; return how many files and bytes were written, and where it is.

    The package lies in one folder of the zip, named by its id.

    Raises:
        PackageError: the target cannot be written, or a source file is damaged.
    """
    partial = target.with_name(f".{target.name}.partial")
    with _said_plainly(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and _holds(target, parcel):
            return 0, 0, str(target)
        with partial.open("r+b" if partial.exists() else "w+b") as file:
            out = _Continued(file)
            sent = 0
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
                for done, entry in enumerate(parcel.files, start=1):
                    info = zipfile.ZipInfo(f"{parcel.package_id}/{entry.name}", FIXED_TIME)
                    info.create_system = UNIX
                    info.external_attr = 0o644 << 16
                    info.file_size = entry.size_bytes
                    if not entry.name.endswith(COMPRESSED_SUFFIXES):
                        info.compress_type = zipfile.ZIP_DEFLATED
                    digest = hashlib.sha256()
                    with entry.path.open("rb") as source, archive.open(info, "w") as place:
                        before = out.written
                        while block := source.read(COPY_BYTES):
                            digest.update(block)
                            place.write(block)
                    if digest.hexdigest() != entry.sha256:
                        raise entry.damaged()
                    # The header is written twice, first without the checksum; what is more than that is content.
                    sent += out.written - before > len(info.FileHeader())
                    progress(done, len(parcel.files), "deliver")
            file.truncate(out.tell())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    return sent, out.written, str(target)


def _holds(target: Path, parcel: Parcel) -> bool:
    """Say whether a zip is this package, whole."""
    try:
        with zipfile.ZipFile(target) as archive:
            if archive.namelist() != [f"{parcel.package_id}/{entry.name}" for entry in parcel.files]:
                return False
            for entry in parcel.files:
                digest = hashlib.sha256()
                with archive.open(f"{parcel.package_id}/{entry.name}") as source:
                    while block := source.read(COPY_BYTES):
                        digest.update(block)
                if digest.hexdigest() != entry.sha256:
                    return False
    except (zipfile.BadZipFile, OSError, EOFError):
        return False
    return True


@contextlib.contextmanager
def _said_plainly(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise PackageError(
            f"cannot write {target}",
            value=error.strerror or error,
            expected="a writable place with room for the package",
            remedy=("free some space" if full else "check the path") + " and deliver again: what was written is kept",
        ) from error

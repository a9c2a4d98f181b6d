"""Delivers a package to a folder: a disk, a stick, a share.

TARGET/<venue>/<package_id>/     complete packages; a rename puts them there
TARGET/<venue>/current.json      which one is current; replaced last
TARGET/<venue>/.incoming-<package_id>/   a delivery under way, or an interrupted one
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ace_assets.errors import PackageError
from ace_assets.packages.audio_files import file_sha256
from ace_assets.packages.parcel import POINTER, Parcel, ParcelFile
from ace_assets.packages.progress import Progress

INCOMING = ".incoming-"


def deliver_folder(parcel: Parcel, target: Path, progress: Progress) -> tuple[int, int, str]:
    """Copy a package into a folder; return how many files and bytes were copied, and where the package is.

    Raises:
        PackageError: the target cannot be written, or a source file is damaged.
    """
    venue_folder = target / parcel.venue_id
    final = venue_folder / parcel.package_id
    incoming = venue_folder / f"{INCOMING}{parcel.package_id}"
    sent_files = sent_bytes = 0
    with _said_plainly(target):
        venue_folder.mkdir(parents=True, exist_ok=True)
        if final.exists():
            # A complete package that was damaged since is taken back and mended under the hidden name.
            if all(_is_there(file, final / file.name) for file in parcel.files):
                _point(venue_folder, parcel)
                return 0, 0, str(final)
            shutil.rmtree(incoming, ignore_errors=True)
            final.rename(incoming)
        earlier = _earlier_files(venue_folder)
        for done, file in enumerate(parcel.files, start=1):
            place = incoming / file.name
            if not _is_there(file, place):
                place.parent.mkdir(parents=True, exist_ok=True)
                if not _reuse(file, place, earlier):
                    _copy(file, place)
                    sent_files += 1
                    sent_bytes += file.size_bytes
            progress(done, len(parcel.files), "deliver")
        _remove_strangers(incoming, {file.name for file in parcel.files})
        incoming.rename(final)
        _sync(venue_folder)
        _point(venue_folder, parcel)
    return sent_files, sent_bytes, str(final)


def _is_there(file: ParcelFile, place: Path) -> bool:
    try:
        return place.stat().st_size == file.size_bytes and file_sha256(place) == file.sha256
    except OSError:
        return False


def _earlier_files(venue_folder: Path) -> list[Path]:
    return sorted(p for p in venue_folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _reuse(file: ParcelFile, place: Path, earlier: list[Path]) -> bool:
    """Link the same file from a package that was delivered before, where the disk can link."""
    if not file.name.startswith("data/audio/"):
        return False
    for package in reversed(earlier):
        known = package / file.name
        if _is_there(file, known):
            try:
                place.unlink(missing_ok=True)
                os.link(known, place)
            except OSError:
                return False
            return True
    return False


def _copy(file: ParcelFile, place: Path) -> None:
    partial = place.with_name(f".{place.name}.partial")
    shutil.copyfile(file.path, partial)
    with partial.open("rb+") as copied:
        os.fsync(copied.fileno())
    if file_sha256(partial) != file.sha256:
        partial.unlink()
        if file_sha256(file.path) != file.sha256:
            raise file.damaged()
        raise PackageError(
            str(place),
            value="other bytes than were sent",
            expected="a sound disk",
            remedy="check the disk, deliver again",
        )
    partial.replace(place)


def _remove_strangers(folder: Path, names: set[str]) -> None:
    """Remove what an interrupted delivery or anybody else left in the hidden folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in names:
            path.unlink()


def _point(venue_folder: Path, parcel: Parcel) -> None:
    pointer = venue_folder / POINTER
    if pointer.is_file() and pointer.read_bytes() == parcel.pointer():
        return
    partial = venue_folder / f".{POINTER}.partial"
    with partial.open("wb") as file:
        file.write(parcel.pointer())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(pointer)
    _sync(venue_folder)


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some network disks cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _said_plainly(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise PackageError(
            f"cannot deliver to {target}",
            value=error.strerror or error,
            expected="a writable folder with room for the package",
            remedy=("free some space" if full else "check the folder") + " and deliver again: what was copied is kept",
        ) from error

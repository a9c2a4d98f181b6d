"""Reads a package wherever it lies: a folder or a zip, given by whoever has it. Nothing in it is believed here."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from ace_assets.errors import PackageError

# What file managers drop into folders that they show; no part of a package and no harm to it.
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
MAX_DOCUMENT_BYTES = 512 * 1024 * 1024


def is_litter(name: str) -> bool:
    """Say whether a file was dropped by a file manager.

    >>> is_litter("data/audio/._ACE-0000000000.mp3"), is_litter("data/notes.txt")
    (True, False)
    """
    last = name.rsplit("/", 1)[-1]
    return last in LITTER or last.startswith("._")


class PackageFiles(Protocol):
    """The files of a package by their path relative to it."""

    @property
    def where(self) -> str:
        """What to call the package in errors."""
        ...

    def names(self) -> list[str]:
        """Return every file, sorted."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        ...

    def local(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give a file as a local path for the length of the block."""
        ...


class FolderFiles:
    """A package in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.root)

    def names(self) -> list[str]:
        """Return every file, sorted."""
        found = (p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file() or p.is_symlink())
        return sorted(found)

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        return (self.root / name).open("rb")

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file itself."""
        yield self.root / name


class ZipFiles:
    """A package in a zip, at its top or in one folder."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.archive = archive
        inside = [name for name in archive.namelist() if not name.endswith("/")]
        roots = sorted((n.removesuffix("bagit.txt") for n in inside if n.split("/")[-1] == "bagit.txt"), key=len)
        self.prefix = roots[0] if roots else ""
        self._names = sorted(name.removeprefix(self.prefix) for name in inside if name.startswith(self.prefix))

    @property
    def where(self) -> str:
        """The zip."""
        return str(self.path)

    def names(self) -> list[str]:
        """Return every file, sorted."""
        return list(self._names)

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        return self.archive.open(self.prefix + name)

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A copy, deleted at the end of the block."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name.rsplit("/", 1)[-1])
            with readable(), self.open(name) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            yield path


@contextlib.contextmanager
def open_package(path: Path) -> Iterator[PackageFiles]:
    """Open a package's folder or zip.

    Raises:
        PackageError: there is nothing, or it is neither.
    """
    expected = "the folder or zip of a package (it holds bagit.txt and package.json)"
    if path.is_dir():
        yield FolderFiles(_package_root(path, expected))
        return
    if not path.exists():
        raise PackageError(str(path), value="missing", expected=expected, remedy="check the path")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise PackageError(
            str(path), value=error, expected=expected, remedy="give a package, or deliver it again if it is cut short"
        ) from error
    with archive:
        yield ZipFiles(path, archive)


def _package_root(path: Path, expected: str) -> Path:
    """Return the package that a folder is, or that the pointer of a delivery in it names.

    Looked at before anything is listed: somebody may give a folder with a whole disk below it.
    """
    if (path / "bagit.txt").is_file():
        return path
    try:
        current = path / str(json.loads((path / "current.json").read_bytes())["folder"])
        if current.parent == path and (current / "bagit.txt").is_file():
            return current
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise PackageError(str(path), value="no bagit.txt", expected=expected, remedy="give the package's own folder")


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn every way in which a damaged file or zip refuses to be read into an OSError.

    Raises:
        OSError: says in words what was wrong.
    """
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise OSError(str(error) or type(error).__name__) from error


def sha256_of(files: PackageFiles, name: str) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with readable(), files.open(name) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_small(files: PackageFiles, name: str) -> bytes:
    """Return a document's bytes, at most `MAX_DOCUMENT_BYTES` of them."""
    with readable(), files.open(name) as file:
        return file.read(MAX_DOCUMENT_BYTES)

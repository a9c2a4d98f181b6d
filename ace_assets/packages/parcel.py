"""What is to be delivered: the files of a built package with their checksums, in the order in which they are sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ace_assets.errors import PackageError
from ace_assets.packages import bag
from ace_assets.packages.audio_files import file_sha256

POINTER = "current.json"
# Sent last, in this order: without its declaration and manifests a half-sent folder is not even a bag.
LAST = ("package.json", bag.MANIFEST, "bag-info.txt", bag.TAG_MANIFEST, "bagit.txt")


@dataclass(frozen=True)
class ParcelFile:
    """One file: its path relative to the package, where it lies here, its size and SHA-256."""

    name: str
    path: Path
    size_bytes: int
    sha256: str

    def damaged(self) -> PackageError:
        """Return the error for a file that is no longer what the package's manifest says."""
        return PackageError(
            str(self.path),
            value="another checksum than the package's manifest",
            expected="the file that was built",
            remedy="delete the package's folder and build it again",
        )


@dataclass(frozen=True)
class Parcel:
    """A package on its way."""

    venue_id: str
    package_id: str
    files: tuple[ParcelFile, ...]

    def pointer(self) -> bytes:
        """Return what `current.json` of the venue says once the delivery is complete."""
        document = {
            "venue": self.venue_id,
            "package_id": self.package_id,
            "folder": self.package_id,
            "files": len(self.files),
            "bytes": sum(file.size_bytes for file in self.files),
            "tagmanifest_sha256": next(file.sha256 for file in self.files if file.name == bag.TAG_MANIFEST),
        }
        return (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()


def read_parcel(folder: Path, venue_id: str, package_id: str) -> Parcel:
    """Return the files of a built package.

    Raises:
        PackageError: the folder is not a whole package.
    """
    locks = {
        name: (folder / name).read_bytes()
        for name in ("bagit.txt", bag.MANIFEST, bag.TAG_MANIFEST)
        if (folder / name).is_file()
    }
    expected = dict(bag.read_manifests(locks, str(folder)).expected)
    expected[bag.TAG_MANIFEST] = file_sha256(folder / bag.TAG_MANIFEST)
    files = []
    for name in sorted(expected, key=lambda n: (LAST.index(n) + 1 if n in LAST else 0, n)):
        path = folder / name
        if not path.is_file():
            raise PackageError(
                str(path),
                value="missing",
                expected="every file of the package",
                remedy="delete the package's folder and build it again",
            )
        files.append(ParcelFile(name, path, path.stat().st_size, expected[name]))
    return Parcel(venue_id, package_id, tuple(files))

"""BagIt (RFC 8493): the manifests by which anybody, without this product, can check that a package is whole.

The payload lies under `data/`; what an installer opens first (README, index.html, package.json) lies at the top and
is covered by the tag manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ace_assets.errors import PackageError
from ace_assets.packages.audio_files import file_sha256

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
PAYLOAD = "data"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"


def write_manifests(folder: Path, payload: Mapping[str, str], info: Mapping[str, str]) -> None:
    """Write the bag's own files into a folder whose payload and tag files are in place.

    Args:
        folder: the package.
        payload: SHA-256 of every payload file by its path relative to the package.
        info: further lines of bag-info.txt.
    """
    sizes = [(folder / name).stat().st_size for name in payload]
    lines = {**info, "Payload-Oxum": f"{sum(sizes)}.{len(sizes)}"}
    write_text(folder / "bagit.txt", DECLARATION)
    write_text(folder / "bag-info.txt", "".join(f"{key}: {lines[key]}\n" for key in sorted(lines)))
    write_text(folder / MANIFEST, "".join(f"{payload[name]}  {name}\n" for name in sorted(payload)))
    tags = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != TAG_MANIFEST)
    write_text(folder / TAG_MANIFEST, "".join(f"{file_sha256(folder / name)}  {name}\n" for name in tags))


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 with the line ends that it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


@dataclass
class BagListing:
    """What a bag says that it holds: SHA-256 by path relative to the bag, payload and tag files together."""

    expected: dict[str, str] = field(default_factory=dict)


def read_manifests(files: Mapping[str, bytes], where: str) -> BagListing:
    """Return what the manifests of a bag list.

    Args:
        files: content of `bagit.txt`, `manifest-sha256.txt` and `tagmanifest-sha256.txt`.
        where: what to call the bag in errors.

    Raises:
        PackageError: it is not a bag of ours, or a manifest line cannot be read.
    """
    for name in ("bagit.txt", MANIFEST, TAG_MANIFEST):
        if name not in files:
            raise PackageError(
                where,
                value=f"no {name}",
                expected="a package made by ace-assets (a BagIt bag)",
                remedy="give the folder or zip that holds bagit.txt and package.json",
            )
    listing = BagListing()
    for manifest in (MANIFEST, TAG_MANIFEST):
        for number, line in enumerate(files[manifest].decode("utf-8", "replace").splitlines(), start=1):
            digest, _, name = line.partition("  ")
            parts = name.split("/")
            if len(digest) != 64 or not name or ".." in parts or name.startswith("/"):
                raise PackageError(
                    f"{where} {manifest} line {number}",
                    value=line,
                    expected="a SHA-256, two spaces and a relative path",
                    remedy="deliver the package again",
                )
            listing.expected[name] = digest
    return listing

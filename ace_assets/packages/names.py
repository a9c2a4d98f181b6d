"""Names that are safe on every disk, and titles that are safe in every player.

A file name is ASCII, begins with the track's id (so that no two ever meet, whatever the disk makes of case) and
holds nothing that Windows, macOS or FAT32 refuse. A title stays what it is, emoji and scripts included, without
what could break a line or turn the text around it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

SLUG_MAX_CHARS = 48
STEM_MAX_CHARS = 80
_BAD = re.compile(r"[^A-Za-z0-9]+")
_SAFE_ID = re.compile(r"ACE-[0-9A-HJKMNP-TV-Z]{10}")  # Crockford's base 32 in capitals
# Marks that turn the direction of the text that follows them (Unicode bidirectional formatting), and invisible fillers.
_INVISIBLE = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad")
_TRANSLITERATED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "œ": "oe"}
)


def safe_title(title: str) -> str:
    """Return a title as one line without control characters and without marks that turn text around.

    >>> safe_title("Lobby\\n\\u202eevil")
    'Lobby evil'
    """
    kept = []
    for char in title:
        if char in _INVISIBLE:
            continue
        kept.append(" " if unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} else char)
    return " ".join("".join(kept).split()) or "Untitled"


def slug(text: str, limit: int = SLUG_MAX_CHARS) -> str:
    """Return lower-case ASCII words joined by hyphens; empty where nothing of the text is Latin.

    >>> slug("Café / Søndag 🎷")
    'cafe-sondag'
    """
    plain = unicodedata.normalize("NFKD", text.translate(_TRANSLITERATED)).encode("ascii", "ignore").decode()
    return _BAD.sub("-", plain).strip("-").lower()[:limit].strip("-")


def audio_file_name(track_id: str, title: str, extension: str) -> str:
    """Return the file name of a delivered track: the id first, then what is readable of its title.

    >>> audio_file_name("ACE-0123456789", "CON / aux: <Night>", "mp3")
    'ACE-0123456789-con-aux-night.mp3'
    """
    stem = track_id
    if _SAFE_ID.fullmatch(track_id) is None:
        # Not an id of ours: keep what is readable and let a hash keep it apart from others, whatever the case.
        mark = hashlib.sha256(track_id.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        stem = f"ACE-{slug(track_id, 24) or 'track'}-{mark}"
    words = slug(title)
    name = f"{stem}-{words}" if words else stem
    return f"{name[:STEM_MAX_CHARS].rstrip('-')}.{extension}"

"""Identity: canonical JSON, hashes, and the ids that are made of them.

What belongs here: how facts become an id, for every stage. What does not: which facts make a prompt or a take
(`ace_assets.matrix.identity`) or a master (mastering). An id depends on nothing but its facts: not on the order of
keys or of work, the platform, the version of a library, the audio's bytes or a file's name.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ace_assets.errors import ConfigError

IDENTITY_VERSION = 1  # part of every hash: raise it and every id changes, so every take is made again
ID_CHARS = 32  # hexadecimal: 128 bits
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # base 32 without I, L, O and U, which people misread
TRACK_PREFIX = "ACE-"
TRACK_ID_CHARS = 10  # 50 bits: two of 100,000 tracks share one in four of a million catalogs
SEED_LIMIT = 2**31 - 1
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return the value with every whole float as an integer, so that 7 and 7.0 are the same fact."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError("canonical JSON", value=value, expected="a finite number", remedy="correct the value")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise ConfigError(
        "canonical JSON", value=type(value).__name__, expected="text, numbers, lists, mappings", remedy="report this"
    )


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII only, whole floats as integers.

    Raises:
        ConfigError: a number is not finite, or a type has no JSON form.

    >>> canonical_json({"b": 7.0, "a": [0.5, True]})
    '{"a":[0.5,true],"b":7}'
    """
    return _ENCODER.encode(_plain(value))


def without_defaults(facts: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that differ from their default: a field added later, at its default, changes no id.

    >>> without_defaults({"shift": 3.0, "steps": 12}, {"shift": 3, "steps": 8})
    {'steps': 12}
    """
    return {
        name: value
        for name, value in facts.items()
        if name not in defaults or canonical_json(value) != canonical_json(defaults[name])
    }


def hash_text(kind: str, text: str, *, chars: int = ID_CHARS) -> str:
    """Return the hexadecimal SHA-256 of identity version, kind of thing and text, cut to `chars`."""
    return hashlib.sha256(f"{IDENTITY_VERSION}:{kind}:{text}".encode()).hexdigest()[:chars]


def hash_id(
    kind: str, facts: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None, chars: int = ID_CHARS
) -> str:
    """Return the id that facts make.

    Args:
        kind: what is identified (`prompt`, `take`, `master`, `plan`): equal facts of two kinds have two ids.
        facts: everything that makes it what it is.
        defaults: values to leave out.
        chars: length of the id, hexadecimal.
    """
    return hash_text(kind, canonical_json(without_defaults(facts, defaults or {})), chars=chars)


def crockford(number: int, chars: int) -> str:
    """Return a number in Crockford's base 32, padded to `chars`.

    >>> crockford(1234, 4)
    '016J'
    """
    digits = []
    for _ in range(chars):
        number, digit = divmod(number, 32)
        digits.append(CROCKFORD[digit])
    return "".join(reversed(digits))


def track_id(take_id: str) -> str:
    """Return the id of the track that a kept take becomes: `ACE-` and the first 50 bits of the take id.

    >>> track_id("00000000000000000000000000000000")
    'ACE-0000000000'
    """
    bits = TRACK_ID_CHARS * 5
    number = int(take_id[:13], 16) >> (52 - bits)
    return TRACK_PREFIX + crockford(number, TRACK_ID_CHARS)


def seed_of(take_id: str) -> int:
    """Return the seed of a take: 1 to 2**31 - 1, derived from its id.

    >>> 1 <= seed_of("00000000000000000000000000000000") <= 2**31 - 1
    True
    """
    return int(hash_text("seed", take_id, chars=16), 16) % SEED_LIMIT + 1


def master_id(take_id: str, settings: Mapping[str, Any], mastering_version: str) -> str:
    """Return the id of a master: another loudness target or mastering version makes another one, the track id stays."""
    return hash_id("master", {"take": take_id, "settings": dict(settings), "mastering_version": mastering_version})

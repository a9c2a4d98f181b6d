"""Near-duplicates among very many fingerprints, without comparing every pair.

Two tracks that hold the same music share many words, at one and the same shift. So words are put into buckets: each
track offers the words whose hash falls into a fixed sample (the same words in every copy of the music), words that agree
in their lower or in their upper 24 bits meet, and a meeting is a candidate with its shift, looked at on the spot. Only
what survives is compared in full. Words that very many tracks share (sustained or silent passages) tell nothing and are
left out. Work goes range by range of buckets, so that memory stays a small multiple of the fingerprints themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio import fingerprint
from ace_assets.audio.compiled import compiled

SMALL = 64  # up to so many tracks every pair is compared
SAMPLE_BITS = 2  # a quarter of all words takes part
CROWDED = 60  # a word in more places than this tells nothing
RANGES = 8
PARTS = (np.uint32(0x00FFFFFF), np.uint32(0xFFFFFF00))
_CHUNK_WORDS = 1 << 22
_MIX = np.uint32(0x9E3779B1)


def near_duplicates(
    fingerprints: Sequence[bytes | None], *, same_music: float = fingerprint.SAME_MUSIC
) -> list[tuple[int, int, float]]:
    """Return (a, b, similarity) for each pair of near-duplicates, a < b by index, most similar first.

    Args:
        fingerprints: of any number of tracks; None takes no part.
        same_music: similarity from which a pair counts.
    """
    known = [i for i, mark in enumerate(fingerprints) if mark is not None]
    words = [fingerprint.words_of(mark) for mark in fingerprints if mark is not None]
    if len(words) <= SMALL:
        pairs = [(a, b) for a in range(len(words)) for b in range(a + 1, len(words))]
    else:
        pairs = _candidates(words, same_music)
    found = []
    for a, b in pairs:
        similarity = fingerprint.similarity_of_words(words[a], words[b])
        if similarity >= same_music:
            found.append((known[a], known[b], similarity))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _candidates(words: list[NDArray[np.uint32]], same_music: float) -> list[tuple[int, int]]:
    """Return the pairs that meet in a bucket at a shift at which they really are alike, each once, in order."""
    starts = np.concatenate([[0], np.cumsum([own.size for own in words])]).astype(np.int64)
    flat = np.concatenate(words)
    allowed = 32.0 * (1.0 - same_music) / 2.0
    pairs: set[int] = set()
    for part in PARTS:
        for number in range(RANGES):
            places = _sampled(flat, part, number)
            values = flat[places] & part
            order = np.argsort(values, kind="stable")
            places, values = places[order], values[order]
            edges = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if values.size else places
            sizes = np.diff(np.append(edges, values.size))
            keep = (sizes > 1) & (sizes <= CROWDED)
            owner = (np.searchsorted(starts, places, side="right") - 1).astype(np.int64)
            met = _meetings(
                flat, starts, places, owner, edges[keep], sizes[keep], allowed, fingerprint.MIN_OVERLAP_WORDS
            )
            pairs.update(np.unique(met).tolist())
    return sorted(divmod(pair, 1 << 32) for pair in pairs)


def _sampled(flat: NDArray[np.uint32], part: np.uint32, number: int) -> NDArray[np.int64]:
    """Return where the words lie that take part and belong to one range of buckets."""
    shift = np.uint32(32 - SAMPLE_BITS - int(np.log2(RANGES)))
    found = []
    for first in range(0, flat.size, _CHUNK_WORDS):
        hashed = (flat[first : first + _CHUNK_WORDS] & part) * _MIX
        found.append(np.flatnonzero(hashed >> shift == np.uint32(number)) + first)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


@compiled
def _meetings(
    flat: NDArray[np.uint32],
    starts: NDArray[np.int64],
    positions: NDArray[np.int64],
    owner: NDArray[np.int64],
    edges: NDArray[np.int64],
    sizes: NDArray[np.int64],
    allowed: float,
    shortest: int,
) -> NDArray[np.int64]:
    """Return a * 2^32 + b for the meetings of tracks a < b whose overlap differs in no more than `allowed` bits a word."""
    found = np.empty(1024, np.int64)
    count = 0
    for bucket in range(edges.size):
        first = edges[bucket]
        last = first + sizes[bucket]
        for i in range(first, last):
            for j in range(i + 1, last):
                a, b = owner[i], owner[j]
                if a == b:
                    continue
                shift_a = positions[i] - starts[a]
                shift_b = positions[j] - starts[b]
                before = min(shift_a, shift_b)
                after = min(starts[a + 1] - positions[i], starts[b + 1] - positions[j])
                if before + after < shortest:
                    continue
                # A first look at every eighth word of the overlap: other music differs in half of the bits.
                differing = np.int64(0)
                looked = 0
                for step in range(-before, after, 8):
                    x = flat[positions[i] + step] ^ flat[positions[j] + step]
                    x = x - ((x >> np.uint32(1)) & np.uint32(0x55555555))
                    x = (x & np.uint32(0x33333333)) + ((x >> np.uint32(2)) & np.uint32(0x33333333))
                    x = (x + (x >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
                    x = x + (x >> np.uint32(8))
                    x = x + (x >> np.uint32(16))
                    differing += np.int64(x & np.uint32(0x3F))
                    looked += 1
                    if looked == 16 and differing > 1.5 * allowed * looked:
                        break
                if differing > 1.3 * allowed * looked:
                    continue
                if count == found.size:
                    larger = np.empty(2 * count, np.int64)
                    larger[:count] = found
                    found = larger
                low, high = (a, b) if a < b else (b, a)
                found[count] = (low << 32) + high
                count += 1
    return found[:count]

"""Judging the gates: how many faults are caught, how much sound music is called defective."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.codecs import Audio
from ace_assets.preview.render import render
from ace_assets.preview.request import MusicRequest
from ace_assets.scoring import analyze
from tests.music import audibility, found, synth
from tests.music.injections import INJECTIONS
from tests.music.known_flaws import KNOWN_FLAWS

CAPTIONS = (
    "spa ambient meditation pads, soft bells",
    "hotel lobby jazz trio, piano, upright bass, brushes",
    "bossa nova, nylon guitar, warm",
    "retail house, upbeat synth",
    "lo-fi hip hop, mellow keys",
    "acoustic folk guitar, bright",
    "deep ambient drone texture",
    "funk disco groove, bass",
    "solo piano, calm, sparse",
    "indie pop, electronic, shimmer",
)
INAUDIBLE_DB = -50.0  # a change this far below the music is no fault
MONO_LOSS_DB = -1.0
PREVIEW_RATE_HZ = 48_000
KEYS = ("C major", "G major", "D major", "A minor", "E minor")


@dataclass(frozen=True)
class Sample:
    """One clip of sound music."""

    name: str
    samples: NDArray[np.float32]
    sample_rate_hz: int
    flaws: frozenset[str] = frozenset()
    bpm: float | None = None
    key: str | None = None


@dataclass
class Verdict:
    """What came of judging."""

    clips: int = 0
    falsely_called: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    missed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def false_share(self) -> float:
        """Share of the clips that some gate called defective."""
        return len(self.falsely_called) / max(1, self.clips)

    def caught_share(self, gate: str) -> float:
        """Share of the injected faults of one kind that their gate caught."""
        return 1.0 - len(self.missed.get(gate, [])) / max(1, self.tried.get(gate, 0))


def made(seeds: range) -> Iterator[Sample]:
    """Yield clips of our own, all styles for each seed."""
    for style, seed in synth.clips(seeds):
        clip = synth.clip(style, seed)
        yield Sample(clip.name, clip.samples, clip.sample_rate_hz, bpm=clip.bpm, key=clip.key)


def preview_named(number: int) -> Sample:
    """Return what is known of a clip of the embedded engine before it is rendered; its samples are missing yet."""
    bpm = float(np.random.default_rng(number).integers(60, 150))
    return Sample(
        f"preview-{number}", np.zeros((0, 2), np.float32), PREVIEW_RATE_HZ, bpm=bpm, key=KEYS[number % len(KEYS)]
    )


def previewed(numbers: Iterable[int], seconds: float = 36.0) -> Iterator[Sample]:
    """Yield clips of the embedded engine."""
    for number in numbers:
        clip = preview_named(number)
        caption = CAPTIONS[number % len(CAPTIONS)]
        music = render(MusicRequest(caption, clip.bpm, clip.key, 4, seconds, 100 + number))
        assert music.sample_rate_hz == PREVIEW_RATE_HZ
        yield replace(clip, samples=music.samples)


def excerpts(paths: Iterable[Path], seed: int = 0, seconds: float = found.EXCERPT_S) -> Iterator[Sample]:
    """Yield passages of found music; nearly silent ones and more than two channels are left out."""
    for path in paths:
        samples, rate = found.excerpt(path, seed, seconds)
        if samples.shape[1] <= 2 and len(samples) > 8 * rate and np.abs(samples).max() > 0.01:
            yield Sample(found.name_of(path), samples, rate, KNOWN_FLAWS.get(found.name_of(path), frozenset()))


def judge(clips: Iterable[Sample], *, faults: Iterable[str] = tuple(INJECTIONS), every: int = 1) -> Verdict:
    """Judge the gates: each clip as it is, and every `every`-th fault of each put in turn.

    A flaw that a clip is known to have counts neither as false alarm nor as caught fault.
    """
    verdict = Verdict()
    wanted = tuple(faults)
    for number, clip in enumerate(clips):
        duration_s = len(clip.samples) / clip.sample_rate_hz
        verdict.clips += 1
        called = set(gates_of(clip.samples, clip.sample_rate_hz, duration_s)) - clip.flaws
        if called:
            verdict.falsely_called[clip.name] = tuple(sorted(called))
        for place, fault in enumerate(wanted):
            if fault in clip.flaws or (number + place) % every:
                continue
            rng = np.random.default_rng([zlib.crc32(clip.name.encode()), zlib.crc32(fault.encode())])
            broken = np.ascontiguousarray(INJECTIONS[fault](clip.samples, clip.sample_rate_hz, rng), np.float32)
            if not _is_fault(fault, clip, broken):
                continue
            expected_s = duration_s if fault == "wrong_duration" else None
            verdict.tried[fault] = verdict.tried.get(fault, 0) + 1
            if fault not in gates_of(broken, clip.sample_rate_hz, expected_s):
                verdict.missed.setdefault(fault, []).append(clip.name)
    return verdict


def _is_fault(fault: str, clip: Sample, broken: NDArray[np.float32]) -> bool:
    """Tell whether what was put in is one: a low-pass above all that a flute plays changes nothing that anybody hears."""
    if fault == "band_limited":
        return audibility.is_heard(clip.samples, broken, clip.sample_rate_hz)
    return _changes(clip.samples, broken) and (fault != "phase_cancellation" or _cancels(clip.samples, broken))


def _changes(sound: NDArray[np.float32], broken: NDArray[np.float32]) -> bool:
    """Tell whether a fault changed anything to speak of."""
    if sound.shape != broken.shape or not np.isfinite(broken).all():
        return True
    change = float(np.mean((sound - broken).astype(np.float64) ** 2))
    return change > 10.0 ** (INAUDIBLE_DB / 10.0) * float(np.mean(sound.astype(np.float64) ** 2))


def _cancels(sound: NDArray[np.float32], broken: NDArray[np.float32]) -> bool:
    """Tell whether a mono loudspeaker loses anything: channels with nothing in common cancel neither way."""
    before, after = (float(np.mean(x.mean(axis=1, dtype=np.float64) ** 2)) for x in (sound, broken))
    return after < 10.0 ** (MONO_LOSS_DB / 10.0) * before


def gates_of(samples: NDArray[np.float32], sample_rate_hz: int, duration_s: float | None = None) -> tuple[str, ...]:
    """Return the gates that a piece fails."""
    return analyze(Audio(samples, sample_rate_hz), requested_duration_s=duration_s).gate_failures

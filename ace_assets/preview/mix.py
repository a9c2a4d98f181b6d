"""From a score to a stereo mix: notes are placed block by block on buses, with room, echo and ducking.

Memory is bounded by the result plus one block of each bus and the templates of the notes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ace_assets.audio.compiled import compiled
from ace_assets.preview.compose import Note, Score
from ace_assets.preview.drums import VARIANTS, drum_template
from ace_assets.preview.space import Echo, Room
from ace_assets.preview.styles import STYLES, Style
from ace_assets.preview.synth import SAMPLE_RATE_HZ, note_template
from ace_assets.preview.voices import VOICES

BLOCK_FRAMES = 1 << 16
_LEVEL_DB = {"chords": -3.0, "bass": -1.0, "lead": -0.5, "pad": -4.5, "arp": -5.5, "drums": -3.0}
_SEND = {"chords": 0.7, "bass": 0.06, "lead": 1.0, "pad": 0.9, "arp": 1.0, "drums": 0.35}
_ECHO = {"lead": 1.0, "arp": 0.8}
_DUCKED = ("chords", "bass", "pad", "arp")
_DRY_DRUMS = ("kick", "frame")
_FORCE_POWER = 1.5
Floats = npt.NDArray[np.float32]


@compiled
def _place(
    bus: Floats, send: Floats, echo: Floats, sound: Floats, offset: int, length: int, release: int,
    gain: np.float32, send_gain: np.float32, echo_gain: np.float32,
) -> None:  # fmt: skip
    """Add the part of a note that falls into this block; `offset` is the note's start in frames from the block's."""
    first = max(0, -offset)
    last = min(length + release, sound.shape[0], bus.shape[0] - offset)
    held = min(last, max(first, length))
    for i in range(first, held):
        j = offset + i
        left = gain * sound[i, 0]
        right = gain * sound[i, 1]
        bus[j, 0] += left
        bus[j, 1] += right
        send[j, 0] += send_gain * left
        send[j, 1] += send_gain * right
    for i in range(held, last):
        j = offset + i
        left_over = np.float32(length + release - i) / np.float32(release)
        g = gain * left_over * left_over
        left = g * sound[i, 0]
        right = g * sound[i, 1]
        bus[j, 0] += left
        bus[j, 1] += right
        send[j, 0] += send_gain * left
        send[j, 1] += send_gain * right
        if echo_gain > 0:
            echo[j, 0] += echo_gain * left
            echo[j, 1] += echo_gain * right
    if echo_gain > 0:
        for i in range(first, held):
            echo[offset + i, 0] += echo_gain * gain * sound[i, 0]
            echo[offset + i, 1] += echo_gain * gain * sound[i, 1]


@compiled
def _duck_into(
    out: Floats, ducked: Floats, kicks: npt.NDArray[np.int64], start: int, depth: np.float32, length: int
) -> None:
    """Add a bus to the mix, lowered after each kick and back again within `length` frames."""
    at = 0
    for i in range(out.shape[0]):
        now = start + i
        while at + 1 < kicks.shape[0] and kicks[at + 1] <= now:
            at += 1
        g = np.float32(1)
        if kicks.shape[0] and kicks[at] <= now:
            since = now - kicks[at]
            if since < length:
                phase = np.float32(since) / np.float32(length)
                dip = min(np.float32(1), np.float32(since) / np.float32(240))
                g -= depth * dip * (np.float32(1) - phase) * (np.float32(1) - phase)
        out[i, 0] += g * ducked[i, 0]
        out[i, 1] += g * ducked[i, 1]


class _Templates:
    """The sounds of a score, each rendered once at the longest length that the score needs."""

    def __init__(self, score: Score) -> None:
        self._brightness = score.brightness
        self._seconds: dict[tuple[str, int], float] = {}
        for note in score.notes:
            if note.part != "drums":
                key = (note.voice, note.pitch)
                needed = note.duration_s + VOICES[note.voice].release_s + 0.01
                self._seconds[key] = max(self._seconds.get(key, 0.0), needed)
        self._sounds: dict[tuple[str, int], Floats] = {}

    def of(self, note: Note, number: int) -> Floats:
        """Return the sound of a note; drums take turns between their variants."""
        key = (note.voice, number % VARIANTS if note.part == "drums" else note.pitch)
        if key not in self._sounds:
            if note.part == "drums":
                self._sounds[key] = drum_template(*key)
            else:
                self._sounds[key] = note_template(
                    note.voice, VOICES[note.voice], note.pitch, self._seconds[key], self._brightness
                )
        return self._sounds[key]


def mix(score: Score) -> Floats:
    """Return the unmastered mix of a score, `(frames, 2)` float32, of exactly the score's length."""
    style = STYLES[score.style]
    frames = round(score.duration_s * SAMPLE_RATE_HZ)
    out = np.zeros((frames, 2), np.float32)
    templates = _Templates(score)
    starts = np.array([round(note.start_s * SAMPLE_RATE_HZ) for note in score.notes], np.int64)
    sounds = [templates.of(note, number) for number, note in enumerate(score.notes)]
    ends = starts + np.array([_sounding_frames(note, sound) for note, sound in zip(score.notes, sounds, strict=True)])
    kicks = np.array([start for start, note in zip(starts, score.notes, strict=True) if note.voice == "kick"], np.int64)
    room, echo = Room(style.room_s, score.brightness), Echo(_echo_s(score))
    buses = np.zeros((4, BLOCK_FRAMES, 2), np.float32)
    for begin in range(0, frames, BLOCK_FRAMES):
        size = min(BLOCK_FRAMES, frames - begin)
        buses[:] = 0
        free, ducked, send, repeats = buses
        for index in np.flatnonzero((starts < begin + size) & (ends > begin)):
            note = score.notes[index]
            bus = ducked if note.part in _DUCKED else free
            length, release, gain = _gain(note, style)
            send_gain = 0.0 if note.voice in _DRY_DRUMS else _SEND[note.part]
            _place(
                bus, send, repeats, sounds[index], int(starts[index]) - begin, length, release,
                np.float32(gain), np.float32(send_gain), np.float32(_ECHO.get(note.part, 0.0)),
            )  # fmt: skip
        if style.echo:
            echo.add_to(free, repeats, style.echo)
        room.add_to(free, send, style.wet)
        block = out[begin : begin + size]
        block += free[:size]
        length = int(min(0.32, 0.85 * 60 / score.bpm) * SAMPLE_RATE_HZ)
        _duck_into(block, ducked[:size], kicks, begin, np.float32(style.pump), length)
    return out


def _sounding_frames(note: Note, sound: Floats) -> int:
    if note.part == "drums":
        return len(sound)
    return min(len(sound), int((note.duration_s + VOICES[note.voice].release_s) * SAMPLE_RATE_HZ))


def _gain(note: Note, style: Style) -> tuple[int, int, float]:
    """Return a note's length and release in frames and its linear gain."""
    del style
    level_db = _LEVEL_DB[note.part]
    force = note.force**_FORCE_POWER
    if note.part == "drums":
        return 1 << 30, 1, 10 ** (level_db / 20) * force
    voice = VOICES[note.voice]
    length = int(note.duration_s * SAMPLE_RATE_HZ)
    release = max(64, int(voice.release_s * SAMPLE_RATE_HZ))
    return length, release, 0.3 * 10 ** ((level_db + voice.gain_db) / 20) * force


def _echo_s(score: Score) -> float:
    """Return three quarters of a beat, halved until it is short enough to be heard as an echo."""
    delay = 0.75 * 60.0 / score.bpm
    while delay > 0.62:
        delay /= 2
    return delay

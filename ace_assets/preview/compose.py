"""From a request to a score: form, harmony, bass, chords, melody, drums. Notes only, no audio.

The beat grid is exact: beat k of the piece lies at `LEAD_IN_S + k * 60 / bpm` seconds, and players sway around it by
milliseconds. Every pitch belongs to the key. A piece ends on its tonic chord, early enough to die away in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ace_assets.preview.dice import Dice
from ace_assets.preview.harmony import CHORD_STEPS, Key, chord_classes, in_register, lead_voices, parse_key
from ace_assets.preview.lexicon import Character, read_caption
from ace_assets.preview.patterns import (
    ARPS,
    BASSES,
    COMPS,
    KEEP,
    KITS,
    MELODIES,
    TERNARY,
    TERNARY_MELODIES,
    for_bar,
    hits,
)
from ace_assets.preview.request import BEATS_PER_BAR, MusicRequest, delivered_duration_s
from ace_assets.preview.styles import LOOPS, STYLES, Style
from ace_assets.preview.voices import VOICES

LEAD_IN_S = 0.06
BPM_RANGE = (30.0, 300.0)
TERNARY_BARS = (3, 6)
PARTS = ("chords", "bass", "lead", "pad", "arp")
_LEVEL = {"intro": 0.97, "A": 0.95, "B": 0.98, "C": 0.95, "outro": 0.92}
_ORDER = ("A", "B", "A", "C", "B", "A", "B", "C")
_CADENCE = {  # the two chords before the last tonic
    "jazz": {"major": (1, 4), "minor": (3, 6)},
    "pop": {"major": (3, 4), "minor": (5, 6)},
    "groove": {"major": (3, 4), "minor": (5, 6)},
    "ambient": {"major": (3, 3), "minor": (5, 3)},
    "drone": {"major": (0, 3), "minor": (0, 3)},
    "classical": {"major": (3, 4), "minor": (3, 6)},
    "folk": {"major": (3, 4), "minor": (5, 6)},
}


@dataclass(frozen=True)
class Note:
    """One sound: start and length in seconds, the part and its voice, pitch (MIDI) and force (0-1).

    Drums have the part "drums", the name of the drum as voice and pitch 0.
    """

    start_s: float
    duration_s: float
    part: str
    voice: str
    pitch: int
    force: float


@dataclass(frozen=True)
class Score:
    """A finished composition and what the voices need to know about it."""

    notes: tuple[Note, ...]
    style: str
    bpm: float
    key: Key
    beats_per_bar: int
    duration_s: float
    final_s: float
    seed: int
    brightness: float


@dataclass(frozen=True)
class Bar:
    """One bar: its first beat in the piece, how many beats, its section, its place in the section, its chord."""

    first_beat: int
    beats: int
    section: str
    cycle: int
    index: int
    length: int
    degree: int


@dataclass
class _Band:
    """Who plays what: voices and rhythms chosen once per piece."""

    voices: dict[str, str]
    second_lead: str
    comp: dict[str, str]
    bass: dict[str, str]
    arp: str
    motifs: dict[str, list[_Motif]]
    kit: str | None


@dataclass
class _Motif:
    rhythm: str
    moves: list[int]


@dataclass
class _Writer:
    """Collects notes, turning beats into seconds."""

    bpm: float
    end_s: float
    style: Style
    dice: Dice
    notes: list[Note] = field(default_factory=list)

    def add(self, beat: float, beats: float, part: str, voice: str, pitch: int, force: float) -> None:
        step_s = 60.0 / self.bpm
        if self.style.swing >= 0.1:
            if abs(beat % 1 - 0.5) < 0.01:
                beat += self.style.swing
        elif round(beat * 4) % 2 and self.style.swing:
            beat += self.style.swing / 2
        sway = self.style.sway_s * {"drums": 0.25, "bass": 0.4}.get(part, 1.0)
        start = max(0.0, LEAD_IN_S + beat * step_s + self.dice.around(sway))
        force = min(1.0, max(0.05, force + self.dice.around(0.05)))
        length = max(0.06, min(beats * step_s, self.end_s - start))
        if start < self.end_s - 0.05:
            self.notes.append(Note(round(start, 5), round(length, 5), part, voice, pitch, round(force, 4)))


def compose(request: MusicRequest) -> Score:
    """Return the score of a request; the same request and seed always give the same notes.

    Unusable values are replaced, as the real server does: tempo by the style's, key by a drawn one, bars by four
    beats.
    """
    character = read_caption(request.caption)
    style = STYLES[character.style]
    dice = Dice(request.seed, request.caption, character.style)
    bpm = (
        request.bpm
        if request.bpm and BPM_RANGE[0] <= request.bpm <= BPM_RANGE[1]
        else float(style.bpm + dice.whole(-5, 5))
    )
    drawn = Key(dice.pick((0, 2, 4, 7, 9)), dice.pick(("major", "minor")))
    key = parse_key(request.key) or drawn
    beats_per_bar = request.beats_per_bar if request.beats_per_bar in BEATS_PER_BAR else 4
    duration_s = delivered_duration_s(request.duration_s)
    band = _hire(style, character, dice, beats_per_bar)
    loops = _choose_loops(style, key, dice)
    bars, final_beat = _form(style, key, loops, bpm, beats_per_bar, duration_s)
    writer = _Writer(bpm, duration_s, style, dice)
    _play(bars, band, key, writer, beats_per_bar)
    _last_chord(final_beat, band, key, writer)
    notes = tuple(sorted(writer.notes, key=lambda note: (note.start_s, note.part, note.voice, note.pitch)))
    final_s = LEAD_IN_S + final_beat * 60.0 / bpm
    return Score(
        notes, character.style, bpm, key, beats_per_bar, duration_s, final_s, request.seed, character.brightness
    )


def _hire(style: Style, character: Character, dice: Dice, beats_per_bar: int) -> _Band:
    """Choose voices and rhythms: first what the caption names, then what the style offers."""
    offers = {part: getattr(style, part) for part in PARTS}
    voices: dict[str, str] = {}
    for name in character.voices:
        for part in VOICES[name].parts:
            if part not in voices and (offers[part] or part == "pad"):
                voices[part] = name
                break
    for part, offer in offers.items():
        if part not in voices and offer:
            voices[part] = dice.pick(offer)
    others = [name for name in style.lead if name != voices.get("lead")]
    rhythm = TERNARY_MELODIES if beats_per_bar in TERNARY_BARS else MELODIES[style.melody]
    motifs = {section: [_motif(dice.pick(rhythm), dice) for _ in range(2)] for section in "ABC"}
    return _Band(
        voices=voices,
        second_lead=dice.pick(others) if others else voices.get("lead", ""),
        comp={section: dice.pick(_fitting(style.comps, beats_per_bar, "quarters")) for section in ("A", "B")},
        bass={section: dice.pick(_fitting(style.basses, beats_per_bar, "walk")) for section in ("A", "B")},
        arp=dice.pick(_fitting(style.arps, beats_per_bar, "up")),
        motifs=motifs,
        kit=dice.pick(style.kits) if style.kits and character.drums else None,
    )


def _fitting(rhythms: tuple[str, ...], beats_per_bar: int, otherwise: str) -> tuple[str, ...]:
    """Return the rhythms that suit the bar, or one that always does."""
    if beats_per_bar not in TERNARY_BARS:
        return rhythms
    return tuple(name for name in rhythms if name in TERNARY) or (otherwise,)


def _motif(rhythm: str, dice: Dice) -> _Motif:
    count = sum(symbol in "xX" for symbol in rhythm)
    direction = dice.pick((1, -1))
    moves = []
    for index in range(count):
        if index == count // 2:
            direction = -direction
        moves.append(direction * dice.pick((1, 1, 1, 2, 0, 2, 3)) if dice.chance(0.85) else -direction)
    return _Motif(rhythm, moves)


def _choose_loops(style: Style, key: Key, dice: Dice) -> dict[str, tuple[int, ...]]:
    family = LOOPS[style.loops][key.mode]
    first = dice.pick(family)
    rest = [loop for loop in family if loop != first]
    second = dice.pick(rest) if rest else first
    return {"A": first, "B": second, "C": first, "intro": first, "outro": first}


def _form(
    style: Style, key: Key, loops: dict[str, tuple[int, ...]], bpm: float, beats_per_bar: int, duration_s: float
) -> tuple[list[Bar], int]:
    """Return the bars and the beat of the last chord, which leaves time to die away."""
    beat_s = 60.0 / bpm
    tail_s = min(max(0.1 * duration_s, 2.2), 3.6 + 0.4 * style.room_s)
    final_beat = max(1, int((duration_s - LEAD_IN_S - tail_s) / beat_s))
    whole, extra = divmod(final_beat, beats_per_bar)
    plan = _sections(whole, bar_s=beats_per_bar * beat_s)
    bars = []
    beat = 0
    counts: dict[str, int] = {}
    for section, length in plan:
        cycle = counts.get(section, 0)
        counts[section] = cycle + 1
        loop = loops[section]
        for index in range(length):
            degree = loop[(index // style.bars_per_chord) % len(loop)]
            bars.append(Bar(beat, beats_per_bar, section, cycle, index, length, degree))
            beat += beats_per_bar
    if extra:
        section = bars[-1].section if bars else "A"
        bars.append(Bar(beat, extra, section, 0, bars[-1].index + 1 if bars else 0, 1, 0))
    cadence = _CADENCE[style.loops][key.mode]
    ends = cadence if len(bars) >= 4 else cadence[1:]
    for offset, degree in enumerate(reversed(ends), start=1):
        if len(bars) > offset:
            old = bars[-offset]
            bars[-offset] = Bar(old.first_beat, old.beats, old.section, old.cycle, old.index, old.length, degree)
    return bars, final_beat


def _sections(bars: int, *, bar_s: float) -> list[tuple[str, int]]:
    """Split a number of bars into intro, sections and outro of musical lengths.

    >>> _sections(32, bar_s=2.0)
    [('intro', 4), ('A', 8), ('B', 8), ('A', 8), ('outro', 4)]
    """
    if bars < 8:
        return [("A", bars)] if bars else []
    edge = 4 if bars >= 24 and bar_s < 3.2 else 2
    unit = 8 if bar_s < 3.6 and bars >= 20 else 4
    middle = bars - 2 * edge
    count = max(1, round(middle / unit))
    lengths = [unit] * count
    surplus = middle - unit * count
    outro = edge
    if surplus >= 4:
        lengths.append(4)
        outro += surplus - 4
    elif surplus > 0:
        outro += surplus
    elif surplus < 0:
        lengths[-1] += surplus
    sections = [("intro", edge)]
    sections += [(_ORDER[index % len(_ORDER)], length) for index, length in enumerate(lengths) if length > 0]
    return [*sections, ("outro", outro)]


def _play(bars: list[Bar], band: _Band, key: Key, writer: _Writer, beats_per_bar: int) -> None:
    """Write every bar for every part."""
    memory: dict[str, list[int]] = {}
    step = _LeadLine(key)
    for position, bar in enumerate(bars):
        following = bars[position + 1].degree if position + 1 < len(bars) else 0
        ending = position == len(bars) - 1
        playing = _layers(bar, band, position, len(bars))
        level = _LEVEL[bar.section]
        half = "B" if bar.section in "BC" else "A"
        if "chords" in playing:
            _comp(bar, band, key, writer, memory, level, half, beats_per_bar)
        if "pad" in playing:
            _pad(bar, bars, position, band, key, writer, memory, level)
        if "bass" in playing:
            _bass(bar, following, band, key, writer, level, half, beats_per_bar)
        if "arp" in playing:
            _arp(bar, band, key, writer, level, beats_per_bar)
        if "drums" in playing or "light drums" in playing:
            _drums(bar, band, writer, level, beats_per_bar, light="drums" not in playing, ending=ending)
        if "lead" in playing:
            step.phrase(bar, bars[position : position + 2], band, writer, level, beats_per_bar)


def _layers(bar: Bar, band: _Band, position: int, total: int) -> set[str]:
    """Return the parts that play in a bar."""
    section = bar.section
    have = set(band.voices)
    if section == "intro":
        parts = {"chords", "pad", "arp"}
        parts.add("light drums")
        if bar.index >= bar.length // 2:
            parts |= {"bass", "drums"} if bar.length > 2 else {"bass"}
        if not have & {"chords", "arp"}:
            parts.add("lead")
    elif section == "A":
        parts = {"chords", "bass", "drums", "lead"}
        if bar.cycle or "chords" not in have:
            parts.add("pad")
        if "chords" not in have or bar.cycle > 1:
            parts.add("arp")
    elif section == "B":
        parts = {"chords", "bass", "drums", "lead", "pad", "arp"}
    elif section == "C":
        parts = {"chords", "pad", "arp", "bass", "light drums"}
        if "arp" not in have:
            parts.add("lead")
    else:
        parts = {"chords", "pad", "bass", "arp", "light drums"}
        if bar.index < bar.length - 2:
            parts |= {"drums"}
    if band.kit is None:
        parts -= {"drums", "light drums"}
    del position, total
    return {part for part in parts if part in have or "drums" in part}


def _comp(
    bar: Bar, band: _Band, key: Key, writer: _Writer, memory: dict[str, list[int]], level: float, half: str, meter: int
) -> None:
    name = band.voices["chords"]
    voice = VOICES[name]
    chord = lead_voices(chord_classes(key, bar.degree, writer.style.colour), voice.centre, memory.get("chords"))
    memory["chords"] = chord
    pattern = COMPS[band.comp[half]]
    if bar.section == "intro" and writer.style.kits and band.comp[half] not in ("bossa", "strum", "folk"):
        pattern = COMPS["halves"]
    for beat, beats, symbol in hits(for_bar(pattern, bar.index, meter)):
        if beat >= bar.beats:
            break
        force = (0.66 if symbol == "X" else 0.56) * level
        spread = voice.strum_s * writer.bpm / 60.0
        for string, pitch in enumerate(chord):
            writer.add(bar.first_beat + beat + string * spread, max(beats, 0.3), "chords", name, pitch, force)


def _pad(
    bar: Bar,
    bars: list[Bar],
    position: int,
    band: _Band,
    key: Key,
    writer: _Writer,
    memory: dict[str, list[int]],
    level: float,
) -> None:
    """Hold a chord for as long as the harmony and the section stay."""
    before = bars[position - 1] if position else None
    if before and before.degree == bar.degree and before.section == bar.section and bar.index % 4:
        return
    beats = bar.beats
    for later in bars[position + 1 :]:
        if later.degree != bar.degree or later.section != bar.section or later.index % 4 == 0:
            break
        beats += later.beats
    name = band.voices["pad"]
    colour = writer.style.colour if writer.style.colour in ("triad", "add9", "open") else "seventh"
    chord = lead_voices(chord_classes(key, bar.degree, colour), VOICES[name].centre, memory.get("pad"))
    memory["pad"] = chord
    for pitch in chord:
        writer.add(bar.first_beat, beats, "pad", name, pitch, 0.55 * level)


def _bass(
    bar: Bar, following: int, band: _Band, key: Key, writer: _Writer, level: float, half: str, meter: int
) -> None:
    name = band.voices["bass"]
    root = in_register(key.pitch(bar.degree) % 12, VOICES[name].low)
    pattern = BASSES["pedal" if bar.section == "C" else band.bass[half]]
    steps = {"R": 0, "3": 2, "5": 4, "7": 6, "8": 7}
    for beat, beats, symbol in hits(for_bar(pattern, bar.index, meter)):
        if beat >= bar.beats:
            break
        if symbol == "a":
            target = in_register(key.pitch(following) % 12, VOICES[name].low)
            pitch = _neighbour(key, target, below=target > root)
        else:
            pitch = root + key.pitch(bar.degree + steps[symbol]) - key.pitch(bar.degree)
        force = (0.78 if symbol == "R" else 0.68) * level
        writer.add(bar.first_beat + beat, beats * 0.96, "bass", name, pitch, force)


def _neighbour(key: Key, pitch: int, *, below: bool) -> int:
    """Return the next pitch of the key below or above a pitch."""
    classes = {(key.tonic + offset) % 12 for offset in key.scale}
    step = -1 if below else 1
    pitch += step
    while pitch % 12 not in classes:
        pitch += step
    return pitch


def _arp(bar: Bar, band: _Band, key: Key, writer: _Writer, level: float, meter: int) -> None:
    name = band.voices["arp"]
    chord = lead_voices(chord_classes(key, bar.degree, "triad"), VOICES[name].centre + 4, None)
    ladder = [*chord, chord[0] + 12, chord[1] + 12]
    for beat, beats, symbol in hits(for_bar(ARPS[band.arp], bar.index, meter)):
        if beat >= bar.beats:
            break
        force = (0.58 if beat % 1 == 0 else 0.48) * level
        writer.add(bar.first_beat + beat, beats * 1.8, "arp", name, ladder[int(symbol)], force)


def _drums(bar: Bar, band: _Band, writer: _Writer, level: float, meter: int, *, light: bool, ending: bool) -> None:
    assert band.kit is not None
    kit = KITS[band.kit]
    dice = writer.dice
    turn = bar.index == bar.length - 1 and bar.section in "AB" and bar.length >= 4
    if bar.index == 0 and bar.section in "AB" and not light and "snare" in kit:
        writer.add(bar.first_beat, 1, "drums", "crash", 0, 0.42)
    for lane, pattern in kit.items():
        if light and lane not in KEEP and (lane != "kick" or bar.section == "intro"):
            continue
        for beat, beats, symbol in hits(for_bar(pattern, bar.index, meter, lane=lane)):
            if beat >= bar.beats or (ending and beat >= max(1, bar.beats - 1)):
                break
            if lane in KEEP and beat % 1 and dice.chance(0.05):
                continue
            if meter in TERNARY_BARS and lane not in KEEP and beat % 1:
                continue
            if turn and lane in ("snare", "clap", "rim") and beat >= bar.beats - 1:
                continue
            writer.add(bar.first_beat + beat, beats, "drums", lane, 0, int(symbol) / 9.5 * level)
    if turn and not light:
        filling = next((name for name in ("snare", "conga", "rim", "brush", "frame", "cajon") if name in kit), None)
        if filling:
            for beat in dice.pick(((0.0, 0.5, 0.75), (0.25, 0.5, 0.75), (0.5,), (0.0, 0.75))):
                writer.add(bar.first_beat + bar.beats - 1 + beat, 0.25, "drums", filling, 0, 0.5 + 0.2 * beat)


class _LeadLine:
    """The melody: two-bar motifs in periods of four phrases, chord tones on strong beats, steps between."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.step = 0

    def phrase(self, bar: Bar, bars: list[Bar], band: _Band, writer: _Writer, level: float, meter: int) -> None:
        """Write the phrase that starts in this bar; nothing in the second bar of a phrase or in a phrase of rest."""
        if bar.index % 2:
            return
        number = bar.index // 2 % 4
        last = bar.index + 2 >= bar.length
        if number == 3 and not last and writer.dice.chance(0.5):
            return
        name = band.second_lead if bar.section == "B" and band.second_lead else band.voices["lead"]
        voice = VOICES[name]
        centre = self._step_near(voice.centre)
        if number == 0 or abs(self.step - centre) > 9:
            self.step = centre + writer.dice.whole(-1, 2)
        section = bar.section if bar.section in band.motifs else "A"
        motif = band.motifs[section][1 if number == 2 else 0]
        notes = [
            (offset * meter + beat, beats, bars[offset])
            for offset in range(len(bars))
            for beat, beats, _ in hits(for_bar(motif.rhythm, offset, meter))
            if beat < bars[offset].beats and bars[offset].section == bar.section
        ]
        for index, (beat, beats, where) in enumerate(notes):
            self.step += motif.moves[index % len(motif.moves)]
            self.step = min(max(self.step, centre - 5), centre + 6)
            closing = last and index == len(notes) - 1
            if closing or beat % 1 == 0:
                self.step = self._chord_step(where.degree, closing=closing and where.degree in (0, 3, 5))
            force = (0.74 if beat % meter == 0 else 0.64) * level
            length = beats * 0.94 if not closing else max(beats, 1.5)
            writer.add(bar.first_beat + beat, length, "lead", name, self.key.pitch(self.step), force)

    def _step_near(self, pitch: int) -> int:
        return round((pitch - self.key.tonic) * 7 / 12)

    def _chord_step(self, degree: int, *, closing: bool) -> int:
        wanted = {0} if closing else {(degree + step) % 7 for step in CHORD_STEPS["triad"]}
        near = range(self.step - 3, self.step + 4)
        return min(near, key=lambda step: (step % 7 not in wanted, abs(step - self.step) - 0.6 * (step % 7 in (0, 4))))


def _last_chord(final_beat: int, band: _Band, key: Key, writer: _Writer) -> None:
    """Write the tonic chord that ends the piece and rings until silence."""
    beats = (writer.end_s - LEAD_IN_S) * writer.bpm / 60.0 - final_beat
    for part, name in _ending_parts(band):
        voice = VOICES[name]
        length = beats * (0.72 if voice.held else 1.0)
        if part == "bass":
            pitches = [in_register(key.tonic, voice.low)]
        elif part == "lead":
            pitches = [in_register(key.tonic, voice.centre - 3)]
        else:
            pitches = lead_voices(chord_classes(key, 0, "triad" if part == "arp" else "add9"), voice.centre, None)
        spread = (voice.strum_s * 3 + 0.012) * writer.bpm / 60.0
        force = {"bass": 0.6, "lead": 0.42, "pad": 0.4}.get(part, 0.46)
        for string, pitch in enumerate(pitches):
            writer.add(final_beat + string * spread, length, part, name, pitch, force)
    if band.kit is not None:
        kit = KITS[band.kit]
        if "kick" in kit:
            writer.add(final_beat, 1, "drums", "kick", 0, 0.6)
        if {"snare", "ride", "clap"} & set(kit):
            writer.add(final_beat, 1, "drums", "crash", 0, 0.36)


def _ending_parts(band: _Band) -> Iterator[tuple[str, str]]:
    for part in PARTS:
        if part in band.voices and not (part == "arp" and "chords" in band.voices):
            yield part, band.voices[part]

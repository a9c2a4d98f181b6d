"""From the words of a caption to a style, instruments and a character. Whole words only: "space" is not "spa".

The longest phrase wins; a word counts once. "no drums", "without drums" and "drumless" silence what they name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ace_assets.preview.styles import DEFAULT_STYLE, STYLES

# style: phrases that name it (they weigh most), then words that point to it
_STYLE_WORDS: dict[str, tuple[str, str]] = {
    "bossa-nova": (
        "bossa nova, bossa, bossanova, samba jazz, brazilian jazz",
        "brazilian, rio, copacabana, samba",
    ),
    "jazz-trio": (
        "jazz trio, piano trio, bebop, swing, cool jazz, jazz quartet, straight ahead",
        "jazz, jazzy, swinging, blue note",
    ),
    "smooth-jazz": (
        "smooth jazz, jazz fusion, contemporary jazz, quiet storm",
        "fusion, smooth, saxophone, sax",
    ),
    "lounge": (
        "lounge, cocktail lounge, exotica, easy listening, cafe jazz",
        "cocktail, hotel, lobby, vibraphone",
    ),
    "solo-piano": (
        "solo piano, piano solo, piano ballad, classical piano, romantic piano, contemporary piano, piano",
        "pianist",
    ),
    "acoustic-guitar": (
        "acoustic guitar, fingerstyle, fingerpicked guitar, acoustic folk, indie folk, folk, "
        "singer songwriter, acoustic, guitar",
        "campfire, americana, country, acoustic pop",
    ),
    "downtempo": (
        "downtempo, chillout, chill out, trip hop, chillwave, lounge electronica, electronica, "
        "organic electronica",
        "chill, mellow, laid back",
    ),
    "deep-house": (
        "deep house, house, melodic house, minimal house, soulful house, progressive house, tech house, "
        "organic house",
        "club, nightclub, runway, dj",
    ),
    "nu-jazz": (
        "nu jazz, acid jazz, broken beat, jazz hop, future jazz",
        "broken",
    ),
    "afro-house": (
        "afro house, afro, afrobeats, amapiano, tribal house, organic house, afro percussion",
        "tribal, djembe",
    ),
    "tropical-house": (
        "tropical house, tropical, dance pop, balearic, beach house",
        "beach, summer, island, marimba",
    ),
    "nu-disco": (
        "nu disco, city pop, disco, french house, boogie, disco house, italo disco",
        "glitter, dancefloor, groovy",
    ),
    "funk": (
        "funk, funky, jazz funk, electro funk, p funk, afrobeat",
        "slap, clavinet, horn section, groove",
    ),
    "soul": (
        "soul, neo soul, r&b, rnb, rhythm and blues, motown, contemporary r b, gospel, hip hop, boom bap, "
        "blues",
        "soulful, silky, sultry",
    ),
    "indie-pop": (
        "indie pop, indie, indie rock, pop rock, dream pop, alternative pop, britpop, pop, rock",
        "jangly, upbeat, feel good, hand claps, whistling",
    ),
    "synth-pop": (
        "synth pop, synthpop, electropop, electro pop, synthwave, retrowave, electro, new wave, future pop, "
        "edm, dance, hyperpop",
        "neon, retro, 80s, synth, synthesizer, electronic",
    ),
    "lo-fi": (
        "lo fi, lofi, lo fi hip hop, chillhop, jazzhop, bedroom pop",
        "vinyl, tape, dusty, study",
    ),
    "latin": (
        "latin, latin jazz, bolero, salsa, rumba, cuban, son cubano, flamenco, mambo, tango, latin pop, "
        "reggae, calypso",
        "havana, spanish, congas, castanets",
    ),
    "world": (
        "world, world music, world fusion, arabic, middle eastern, oud, turkish, mediterranean, celtic, "
        "indian, sitar, african, oriental, ethno",
        "desert, tribal, silk road, exotic, kora",
    ),
    "ambient": (
        "ambient, ambient pads, atmospheric, soundscape, space music, ambient electronic, sleep, dreamscape, "
        "ethereal",
        "floating, weightless, spacious, drifting, pads, celestial",
    ),
    "drone": (
        "drone, ambient drone, drone ambient, sound bath, singing bowls, tibetan bowls, crystal bowls, "
        "gongs, healing frequencies, binaural, throat",
        "tibetan, sustained, overtone, ritual, bowls",
    ),
    "handpan": (
        "handpan, hang drum, hang, steel tongue drum, tongue drum",
        "pantam, metallic",
    ),
    "new-age": (
        "new age, spa, wellness, harp, ambient harp, harp meditation, zen, yoga, nature sounds, koto, "
        "bamboo flute, native flute, shakuhachi, pan flute, asian, japanese",
        "massage, relaxation, tranquil, healing, serene, water, garden",
    ),
    "meditation-piano": (
        "meditation piano, ambient piano, felt piano, soft piano, peaceful piano, meditative piano",
        "meditation, meditative, stillness",
    ),
    "neoclassical": (
        "neoclassical, neo classical, modern classical, contemporary classical, classical, chamber, "
        "string quartet, orchestral, cinematic, baroque, minimalism, minimalist",
        "strings, violin, cello, symphony, viola",
    ),
}  # fmt: skip
# instrument words -> voice
_INSTRUMENTS: dict[str, str] = {
    "felt piano": "felt", "soft piano": "felt", "muted piano": "felt", "upright piano": "felt",
    "electric piano": "epiano", "rhodes": "epiano", "rhodes piano": "epiano", "wurlitzer": "wurli",
    "grand piano": "piano", "piano": "piano", "nylon guitar": "nylon", "nylon string guitar": "nylon",
    "classical guitar": "nylon", "spanish guitar": "nylon", "fingerpicked guitar": "nylon",
    "acoustic guitar": "steel", "steel string guitar": "steel", "fingerstyle guitar": "steel", "ukulele": "nylon",
    "mandolin": "steel", "guitar": "nylon", "electric guitar": "clean", "clean guitar": "clean",
    "clean electric guitar": "clean", "jazz guitar": "clean", "funk guitar": "clean", "rhythm guitar": "clean",
    "muted guitar": "clean", "wah guitar": "clean", "guitars": "clean", "upright bass": "upright",
    "double bass": "upright", "acoustic bass": "upright", "electric bass": "ebass", "bass guitar": "ebass",
    "slap bass": "ebass", "fretless bass": "ebass", "synth bass": "synthbass", "sub bass": "sub", "deep bass": "sub",
    "analog bass": "synthbass", "vibraphone": "vibes", "vibes": "vibes", "marimba": "marimba", "xylophone": "marimba",
    "balafon": "marimba", "glockenspiel": "glock", "celesta": "glock", "music box": "glock", "kalimba": "kalimba",
    "mbira": "kalimba", "thumb piano": "kalimba", "handpan": "handpan", "hang drum": "handpan", "hang": "handpan",
    "tongue drum": "handpan", "steel drum": "handpan", "steel pan": "handpan", "singing bowls": "bowl",
    "singing bowl": "bowl", "tibetan bowls": "bowl", "crystal bowls": "bowl", "gong": "bowl", "gongs": "bowl",
    "bells": "bell", "bell": "bell", "chimes": "bell", "wind chimes": "bell", "tubular bells": "bell", "harp": "harp",
    "koto": "harp", "kora": "harp", "zither": "harp", "guzheng": "harp", "dulcimer": "harp", "oud": "oud",
    "sitar": "oud", "bouzouki": "oud", "flute": "flute", "flutes": "flute", "bamboo flute": "flute",
    "native flute": "flute", "shakuhachi": "flute", "pan flute": "flute", "bansuri": "flute", "whistle": "whistle",
    "whistling": "whistle", "saxophone": "sax", "sax": "sax", "tenor saxophone": "sax", "alto saxophone": "sax",
    "clarinet": "clarinet", "oboe": "clarinet", "duduk": "clarinet", "trumpet": "trumpet", "muted trumpet": "trumpet",
    "flugelhorn": "trumpet", "trombone": "brass", "horns": "brass", "brass": "brass", "horn section": "brass",
    "organ": "organ", "hammond": "organ", "hammond organ": "organ", "accordion": "organ", "french horn": "brass",
    "clavinet": "wurli", "strings": "strings", "string section": "strings", "string ensemble": "strings",
    "violin": "violin", "violins": "strings", "viola": "violin", "cello": "cello", "pad": "warm", "pads": "warm",
    "warm pads": "warm", "synth pad": "warm", "synth pads": "warm", "airy pads": "airy", "ambient pads": "airy",
    "shimmer": "airy", "choir": "choir", "choir pads": "choir", "drone": "drone", "drones": "drone",
    "tanpura": "drone", "synth lead": "synthlead", "lead synth": "synthlead", "analog synth": "synthkeys",
    "synth": "synthkeys", "synths": "synthkeys", "synthesizer": "synthkeys", "plucks": "pluck",
    "synth plucks": "pluck", "pluck": "pluck", "arpeggio": "pluck", "arpeggiator": "pluck", "arpeggios": "pluck",
    "stabs": "stab", "synth stabs": "stab", "chord stabs": "stab",
}  # fmt: skip
_DRUM_WORDS = frozenset(
    ["drum", "drums", "percussion", "beat", "beats", "kit", "drumkit", "rhythm", "shaker", "congas", "cymbals"]
)
_BRIGHTNESS = {
    "bright": 1.0, "sparkling": 1.0, "crisp": 1.0, "shimmering": 1.0, "airy": 1.0, "energetic": 1.0, "uplifting": 1.0,
    "sunny": 1.0, "vibrant": 1.0, "dark": -1.0, "warm": -0.5, "mellow": -1.0, "muted": -1.0, "soft": -0.5,
    "dusty": -1.0, "intimate": -0.5, "cozy": -0.5, "deep": -0.5,
}  # fmt: skip
_SILENCERS = frozenset({"no", "without", "zero", "not", "minus"})
_PHRASE_WEIGHT, _WORD_WEIGHT, _LENGTH_WEIGHT = 4.0, 1.5, 1.0
_FIRST_CLAUSE, _INSTRUMENT_CLAUSE = 2.5, 0.35  # a caption opens with its genre; an instrument hints at one
_LONGEST_PHRASE = 4


@dataclass(frozen=True)
class Character:
    """What a caption asks for.

    Attributes:
        style: a key of `styles.STYLES`.
        voices: voices named by the caption, in its order.
        drums: False where the caption forbids them.
        brightness: -1 (dark) to 1 (bright).
    """

    style: str
    voices: tuple[str, ...]
    drums: bool
    brightness: float


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9&]+", text.lower().replace("'", ""))


def _index() -> dict[tuple[str, ...], list[tuple[str, float]]]:
    index: dict[tuple[str, ...], list[tuple[str, float]]] = {}
    for style, (names, hints) in _STYLE_WORDS.items():
        for text, weight in ((names, _PHRASE_WEIGHT), (hints, _WORD_WEIGHT)):
            for phrase in text.split(","):
                words = tuple(_words(phrase))
                index.setdefault(words, []).append((style, weight + _LENGTH_WEIGHT * (len(words) - 1)))
    return index


_STYLE_INDEX = _index()
_INSTRUMENT_INDEX = {tuple(_words(phrase)): voice for phrase, voice in _INSTRUMENTS.items()}


def _clauses(caption: str) -> list[list[str]]:
    """Return the caption's comma-separated clauses as words, without what a "no" or "without" silences."""
    clauses = []
    for clause in re.split(r"[,.;:|\n]| - ", caption):
        words = _words(clause)
        for index, word in enumerate(words):
            if word in _SILENCERS:
                words = words[:index]
                break
        if words:
            clauses.append(words)
    return clauses


def _forbids_drums(caption: str) -> bool:
    if re.search(r"\b(drumless|beatless|percussionless|drum[- ]free|beat[- ]free)\b", caption.lower()):
        return True
    for clause in re.split(r"[,.;:|\n]", caption):
        words = _words(clause)
        for index, word in enumerate(words):
            if word in _SILENCERS and _DRUM_WORDS & set(words[index + 1 :]):
                return True
    return False


def _phrases(words: list[str], known: object) -> list[tuple[str, ...]]:
    """Return the known phrases of a clause, longest first at each place, never overlapping."""
    assert isinstance(known, dict)
    found, start = [], 0
    while start < len(words):
        for size in range(min(_LONGEST_PHRASE, len(words) - start), 0, -1):
            phrase = tuple(words[start : start + size])
            if phrase in known:
                found.append(phrase)
                start += size
                break
        else:
            start += 1
    return found


def read_caption(caption: str) -> Character:
    """Return the style, the instruments and the character that a caption asks for.

    >>> read_caption("warm bossa nova, nylon guitar, soft shaker, no drums").voices
    ('nylon',)
    """
    scores = dict.fromkeys(STYLES, 0.0)
    opening: list[str] = []
    voices: list[str] = []
    brightness = 0.0
    seen: set[tuple[str, ...]] = set()
    for place, words in enumerate(_clauses(caption)):
        instruments = _phrases(words, _INSTRUMENT_INDEX)
        share = _FIRST_CLAUSE if place == 0 else _INSTRUMENT_CLAUSE if instruments else 1.0
        for phrase in _phrases(words, _STYLE_INDEX):
            if phrase in seen:
                continue
            seen.add(phrase)
            for style, weight in _STYLE_INDEX[phrase]:
                scores[style] += weight * share
        for phrase in instruments:
            voice = _INSTRUMENT_INDEX[phrase]
            wanted = opening if place == 0 else voices
            if voice not in wanted:
                wanted.append(voice)
        brightness += sum(_BRIGHTNESS.get(word, 0.0) for word in words)
    style = max(STYLES, key=lambda name: scores[name]) if any(scores.values()) else DEFAULT_STYLE
    voices += [voice for voice in opening if voice not in voices]
    return Character(style, tuple(voices), not _forbids_drums(caption), max(-1.0, min(1.0, brightness / 2)))

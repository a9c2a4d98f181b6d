"""Flaws that pieces of the found music really have, each with what was measured; the gates are right about them.

A constant offset as large as these moves the loudspeaker's cone off its centre; where the correlation is negative, part of
the music vanishes on a mono loudspeaker.
"""

from __future__ import annotations

# piece -> {gate: what was measured of the passage}
MEASURED: dict[str, dict[str, str]] = {
    "music/training.ogg": {"dc_offset": "+0.035"},
    "musics/gr1.ogg": {"dc_offset": "+0.030"},
    "music/Advanced Simulacra.ogg": {"dc_offset": "-0.048"},
    "music/Awakening.ogg": {"dc_offset": "-0.052"},
    "music/By-Product.ogg": {"dc_offset": "+0.077"},
    "music/Coherence.ogg": {"dc_offset": "-0.258"},
    "music/Deprecation.ogg": {"dc_offset": "-0.138"},
    "music/Enemy Unknown.ogg": {"dc_offset": "+0.396"},
    "music/Inevitable.ogg": {"dc_offset": "-0.075"},
    "music/Media Threat.ogg": {"dc_offset": "+0.093"},
    "lose/Chimes They Fade.ogg": {"dc_offset": "+0.048"},
    "lose/March Thee to Dis.ogg": {"dc_offset": "+0.023"},
    "win/Apex Aleph.ogg": {"dc_offset": "+0.077"},
    "musics/ttn1.ogg": {"dc_offset": "-0.033"},
    "sounds/just_over_the_horizon.ogg": {"dc_offset": "-0.067"},
    "themes/electro.ogg": {"dc_offset": "-0.035"},
    "music/into_the_shadows.ogg": {"phase_cancellation": "correlation -0.34"},
    "music/underground.ogg": {"phase_cancellation": "correlation -0.11, bass opposed"},
}
KNOWN_FLAWS: dict[str, frozenset[str]] = {name: frozenset(flaws) for name, flaws in MEASURED.items()}

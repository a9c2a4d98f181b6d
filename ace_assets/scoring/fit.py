"""What a zone asks of music that has no technical fault: the fit rules and each zone's thresholds.

A piece that breaks a fit rule is not broken, it only does not belong there. Gates stand in `ace_assets.audio.defects`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ace_assets.errors import ConfigError

FIT_RULES = ("loudness_jump", "loudness_range", "wrong_tempo", "wrong_key")


@dataclass(frozen=True)
class FitPolicy:
    """The thresholds of one zone.

    Attributes:
        zone: its name.
        loudness_jump_max_lu: largest allowed step of the short-term loudness within 3 s, intro and ending aside.
        loudness_range_max_lu: largest allowed loudness range.
        tempo_match_min: least tempo match for a requested tempo; None where the zone's music may have no pulse.
        key_matches: how a measured key may relate to the requested one.
        key_margin_min: an estimate of a key less certain than this is not held against a take.
    """

    zone: str
    loudness_jump_max_lu: float
    loudness_range_max_lu: float
    tempo_match_min: float | None
    key_matches: frozenset[str]
    key_margin_min: float


# An estimate of the key is right four times out of five and mostly a close relative otherwise (AUDIO.md), so only a key with
# other notes is held against a take.
_NEAR_KEYS = frozenset({"exact", "relative", "fifth", "parallel"})

DEFAULT_ZONE = "default"
FIT_POLICIES: dict[str, FitPolicy] = {
    policy.zone: policy
    for policy in (
        #         zone         jump LU  range LU  tempo  keys        margin
        FitPolicy(DEFAULT_ZONE, 8.0, 15.0, 0.70, _NEAR_KEYS, 0.05),
        FitPolicy("lobby", 8.0, 12.0, 0.70, _NEAR_KEYS, 0.05),
        FitPolicy("retail", 8.0, 10.0, 0.70, _NEAR_KEYS, 0.05),
        FitPolicy("spa", 6.0, 14.0, None, _NEAR_KEYS, 0.05),
    )
}


def policy_for(zone: str | None) -> FitPolicy:
    """Return the policy of a zone; None gives the default. A zone without an entry of its own uses the default's thresholds.

    Raises:
        ConfigError: the name is empty.
    """
    if zone is None:
        return FIT_POLICIES[DEFAULT_ZONE]
    if not zone.strip():
        raise ConfigError("zone", value=repr(zone), expected="a zone's name", remedy=f"use {', '.join(FIT_POLICIES)}")
    return FIT_POLICIES.get(zone, FIT_POLICIES[DEFAULT_ZONE])


def failed_fit(
    policy: FitPolicy,
    *,
    loudness_jump_lu: float | None,
    loudness_range_lu: float | None,
    tempo_match: float | None,
    key_match: str | None,
    key_margin: float | None,
) -> dict[str, str]:
    """Return each broken rule with its reason in words; what was not measured or not requested breaks none."""
    failed: dict[str, str] = {}
    if loudness_jump_lu is not None and loudness_jump_lu > policy.loudness_jump_max_lu:
        failed["loudness_jump"] = (
            f"loudness jumps by {loudness_jump_lu:.1f} LU (at most {policy.loudness_jump_max_lu:g})"
        )
    if loudness_range_lu is not None and loudness_range_lu > policy.loudness_range_max_lu:
        failed["loudness_range"] = (
            f"loudness range {loudness_range_lu:.1f} LU (at most {policy.loudness_range_max_lu:g})"
        )
    if tempo_match is not None and policy.tempo_match_min is not None and tempo_match < policy.tempo_match_min:
        failed["wrong_tempo"] = f"tempo match {tempo_match:.2f} (at least {policy.tempo_match_min:g})"
    if (
        key_match is not None
        and key_match not in policy.key_matches
        and key_margin is not None
        and key_margin >= policy.key_margin_min
    ):
        failed["wrong_key"] = "in a key with other notes than the one requested"
    return failed

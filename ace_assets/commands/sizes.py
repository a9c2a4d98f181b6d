"""Campaigns as sizes for the estimate, and what was measured so far."""

from __future__ import annotations

import polars as pl

from ace_assets import tables
from ace_assets.acestep.estimate import CampaignSize
from ace_assets.acestep.rates import measured_from_takes
from ace_assets.errors import AceAssetsError
from ace_assets.matrix import load_campaigns, load_matrix, make_plan
from ace_assets.settings import config_file
from ace_assets.store import Store


def campaign_sizes(name: str | None = None) -> list[CampaignSize]:
    """Return one campaign, or all, as sizes of their plans.

    Raises:
        ConfigError: no campaign has this name, or the matrix cannot be used.
    """
    configured = load_campaigns(config_file("campaigns.toml"))
    chosen = [configured.campaign(name)] if name else list(configured.campaigns.values())
    matrix = load_matrix(config_file("genre_matrix.csv"))
    sizes = []
    for campaign in chosen:
        profile = configured.profile(campaign.profile)
        plan = make_plan(matrix, campaign=campaign, profile=profile, engine=profile.engine)
        facts = plan.facts
        sizes.append(
            CampaignSize(
                tracks=facts["tracks"],
                takes_per_track=facts["takes"] / facts["tracks"],
                mean_duration_s=facts["audio_s"] / facts["takes"],
                model=profile.model,
                steps=profile.inference_steps,
                lm=profile.lm_model,
                name=campaign.name,
            )
        )
    return sizes


def measured_takes(store: Store) -> pl.DataFrame | None:
    """Return what real servers took per take so far, or None before the first real take."""
    try:
        frames = [store.manifest(cell, tables.Takes) for cell in store.manifest_cells()]
    except AceAssetsError:
        return None
    real = [frame.filter(~pl.col("preview")) for frame in frames if frame is not None]
    takes = pl.concat(real) if real else tables.empty(tables.Takes)
    return measured_from_takes(takes) if takes.height else None

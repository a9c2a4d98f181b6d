"""From a genre matrix to finished background music: a Dagster asset lineage around ACE-Step v1.5."""

__version__ = "0.1.0"

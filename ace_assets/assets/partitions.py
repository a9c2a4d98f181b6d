"""The partitions of the lineage: one per cell, one per venue. Keys are added when first planned and never deleted."""

import dagster as dg

CELLS = dg.DynamicPartitionsDefinition(name="cells")
VENUES = dg.DynamicPartitionsDefinition(name="venues")

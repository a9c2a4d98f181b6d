"""The lineage as Dagster assets, one module per stage in lineage order; thin, everything is done by the stages."""

"""What the command line does beyond printing: run the lineage without a daemon, tell how things stand."""

"""What is delivered to a venue: programme, package, delivery, verification.

Everything here works on rows of a catalog release (`rows`), a venue's wishes (`venues`) and the store. Nothing here
reads the catalog's database; whoever calls gives the rows.
"""

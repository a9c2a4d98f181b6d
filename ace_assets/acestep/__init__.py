"""The ACE-Step 1.5 API and a fleet of its servers: messages, replies, one client, capabilities, the fleet.

What belongs here: everything that speaks HTTP to a server, and what was learnt of servers. What does not: what is to be
made (the plan), what is good enough (scoring), the embedded engine (`ace_assets.preview`, a server like any other),
Dagster.

    messages      one request, every field, each rule with a name
    models        what is known of models: data, not an enum
    replies       what a server's bytes mean: both styles, every form of `result`
    servers       which servers there are, and their keys
    client        one server: submit, query, fetch
    audio_check   a downloaded file is decoded before it is believed
    capabilities  what a server can do, measured
    server_facts  what is remembered of a server, with an expiry
    slots         how many jobs a server may hold, over all runs
    journal       which jobs were submitted, for the run after a crash
    circuit       when to leave a failing server alone
    watch         how a lost job is recognised
    pool          what is left to do
    lane          one server kept busy: flight, fetching, waiting are its parts
    fleet         `generate`: planned takes in, stored takes out
    cell          the same for one cell, with its manifest
    tiers, estimate, prices and their like: what GPUs can do, what a campaign costs

What the GPUs behind the servers can do and cost, from the files of gpu/:

    tiers         what a card may be asked: three tables, and measurements that win over them
    tier_check    a request held against its card, before it is sent
    rates         how fast a card is: claimed, or measured
    prices        the price book
    assumptions   what an estimate takes for granted
    estimate      takes, hours, money and gigabytes of a campaign, p50 and p90
    yearly        the year: Mureka, ACE-Step, both
    claims        the research document's figures against each other
    estimate_report  all of that as tables and as JSON
"""

from ace_assets.lean_import import without

with without("rich"):
    import httpx as httpx  # before any of the modules here

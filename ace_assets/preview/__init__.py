"""The embedded preview engine: music without a GPU, behind the API of an ACE-Step 1.5 server.

Here live the composer (request to notes), the voices (notes to audio) and a small local server that keeps the real
server's manners and injects faults only when told to. Nothing here imports the client, a stage or Dagster. Everything
that comes out is a preview and says so. Import what you need from the modules: `render`, `process`, `server`, `faults`.
"""

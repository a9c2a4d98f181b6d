"""Ask a server what it is, before anything is planned for it."""

from __future__ import annotations

import asyncio

from ace_assets.acestep.capabilities import flavour_of
from ace_assets.acestep.client import AceStepClient, open_http
from ace_assets.acestep.servers import Server


def identify(server: Server) -> str:
    """Return a server's flavour: acestep-api, gradio or preview.

    Raises:
        ServerError: nothing listens there, or something that is not an ACE-Step server.
    """

    async def ask() -> str:
        async with open_http([server]) as http:
            return flavour_of(await AceStepClient(server, http).health())

    return asyncio.run(ask())

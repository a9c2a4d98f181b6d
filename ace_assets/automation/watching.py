"""Tell people of failures: a digest in the store, and a message to a webhook where one is configured.

ACE_WEBHOOK_URL   where to POST {"text": ...}; Slack, Mattermost and Teams understand it
"""

import datetime as dt
import os

import dagster as dg
import httpx

from ace_assets.errors import AceAssetsError
from ace_assets.resources import StoreResource

WEBHOOK_ENV = "ACE_WEBHOOK_URL"
WEBHOOK_LIMIT_S = 10.0


@dg.run_failure_sensor(
    name="tell_of_failures",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Write each failed run into the day's digest (digests/ in the store) and post it to a webhook.",
)
def tell_of_failures(context: dg.RunFailureSensorContext, store: StoreResource) -> None:
    """Note one failed run."""
    run = context.dagster_run
    partition = run.tags.get("dagster/partition", "")
    causes = [_cause(event) for event in context.get_step_failure_events()] or [context.failure_event.message or ""]
    text = f"{run.job_name} {partition} failed: {'; '.join(cause for cause in causes if cause)} (run {run.run_id})"
    try:
        store.open().append_digest(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", text)
    except AceAssetsError as error:  # the store itself may be what failed; the message goes out all the same
        context.log.warning(f"the digest could not be written: {error}")
    url = os.environ.get(WEBHOOK_ENV)
    if url:
        try:
            httpx.post(url, json={"text": text}, timeout=WEBHOOK_LIMIT_S).raise_for_status()
        except httpx.HTTPError as error:
            context.log.warning(f"the webhook did not take the message: {type(error).__name__}")


def _cause(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return f"{event.step_key}: {data.user_failure_data.description}"
    return f"{event.step_key}: {data.error.message.strip().splitlines()[0] if data.error else 'unknown'}"

"""The handler that the webhook is held against: Powertools, one parameter read, one event put, and nothing else."""

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.typing import LambdaContext

logger, metrics = Logger(), Metrics()
app = LambdaFunctionUrlResolver()
events = boto3.client("events")


@app.post("/prompt-version")
def take() -> dict[str, str]:
    parameters.get_parameter(
        f"{os.environ['SETTINGS_PREFIX']}/webhook-secrets/prompt-version", decrypt=True, max_age=60
    )
    detail = json.dumps({"id": app.current_event.json_body["id"]})
    entry = {"EventBusName": os.environ["EVENT_BUS"], "Source": "flywheel", "DetailType": "Bare", "Detail": detail}
    events.put_events(Entries=[entry])  # type: ignore[list-item]
    metrics.add_metric("Taken", MetricUnit.Count, 1)
    logger.info("taken")
    return {"status": "taken"}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)

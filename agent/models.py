"""Hyperparameters -> the model that answers, on Amazon Bedrock or whatever stands at its endpoint."""

from functools import lru_cache
from typing import Any, Protocol

from botocore.config import Config
from strands import ModelRetryStrategy
from strands.models import BedrockModel
from strands.models.model import Model

from agent.settings import Hyperparameters

_CONNECTIONS = 64
_KEPT_MODELS = 16


class Models(Protocol):
    """Gives the model for a request; called from many requests at once."""

    def model(self, hyperparameters: Hyperparameters) -> Model: ...


class BedrockModels:
    """Models on Bedrock; region and endpoint come from the `AWS_*` environment.

    A client takes 100 ms of a processor to make and may be shared, so requests with the same hyperparameters share one.
    """

    def __init__(self) -> None:
        self._kept = lru_cache(maxsize=_KEPT_MODELS)(_bedrock_model)

    def model(self, hyperparameters: Hyperparameters) -> Model:
        return self._kept(hyperparameters.model_id, hyperparameters.temperature, hyperparameters.max_output_tokens)


def _bedrock_model(model_id: str, temperature: float | None, max_output_tokens: int) -> BedrockModel:
    config: dict[str, Any] = {"model_id": model_id, "max_tokens": max_output_tokens}
    if temperature is not None:
        config["temperature"] = temperature
    return BedrockModel(
        # The answer is sent whole; a stream would only cost more work for each token.
        streaming=False,
        boto_client_config=Config(
            connect_timeout=5,
            read_timeout=90,
            max_pool_connections=_CONNECTIONS,
            retries={"total_max_attempts": 2, "mode": "standard"},
        ),
        **config,
    )


def retry_strategy() -> ModelRetryStrategy:
    """For throttling: three attempts, 1 and 2 s apart. Strands' own would wait 4 s first and 124 s in all."""
    return ModelRetryStrategy(max_attempts=3, initial_delay=1, max_delay=2)

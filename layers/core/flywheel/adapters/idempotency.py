"""An effect that must happen once -> Powertools idempotency on its own table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from aws_lambda_powertools.utilities.idempotency import (
    BasePersistenceLayer,
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from flywheel.errors import TransientError

if TYPE_CHECKING:
    from flywheel.ports import Attempt

# Far beyond the longest time after which a trigger can still be delivered again.
_REMEMBERED_S = 30 * 24 * 3600


class PowertoolsOnce:
    """Carries an effect out once for each key; a run that was killed half-way is repeated after its time limit."""

    def __init__(self, store: BasePersistenceLayer) -> None:
        self._store = store
        self._config = IdempotencyConfig(
            event_key_jmespath="key", raise_on_no_idempotency_key=True, expires_after_seconds=_REMEMBERED_S
        )

    @classmethod
    def from_table(cls, name: str, config: Config | None = None) -> Self:
        return cls(DynamoDBPersistenceLayer(table_name=name, boto_config=config))

    def register(self, context: LambdaContext) -> None:
        """Tell how long this call may run: after that, another may take over what it left unfinished."""
        self._config.register_lambda_context(context)

    def run(self, key: str, effect: Callable[[], None]) -> None:
        """Carry the effect out, or do nothing if it was carried out before.

        Raises:
            TransientError: another call is at it just now, or the table does not answer.
        """
        if self.attempt(key, effect) == "under_way":
            raise TransientError(f"idempotency of {key}: another call is at it")

    def attempt(self, key: str, effect: Callable[[], None]) -> "Attempt":
        """Carry the effect out unless it was, or is being, carried out under this key.

        Raises:
            TransientError: the table does not answer.
        """
        done: list[str] = []

        def carry_out(*, what: dict[str, str]) -> dict[str, str]:
            effect()
            done.append(key)
            return what

        guarded = idempotent_function(
            carry_out,
            data_keyword_argument="what",
            config=self._config,
            persistence_store=self._store,
            key_prefix="flywheel-effect",
        )
        try:
            guarded(what={"key": key})
        except IdempotencyAlreadyInProgressError:
            return "under_way"
        except IdempotencyPersistenceLayerError as error:
            raise TransientError(f"idempotency of {key}: {error}") from error
        return "done" if done else "before"

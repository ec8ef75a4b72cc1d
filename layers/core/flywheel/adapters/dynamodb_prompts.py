"""What is known of prompts' labels <-> the state table (`PROMPT#<name>`)."""

from dataclasses import replace
from typing import Self

from pydantic import TypeAdapter

from flywheel.adapters.dynamodb import Table
from flywheel.domain.prompt_labels import PromptState
from flywheel.errors import ConflictError

_LABEL = "LABEL"
_STATE: TypeAdapter[PromptState] = TypeAdapter(PromptState)


class DynamoDbPromptStates:
    """`PromptStates` on the state table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def from_table(cls, name: str) -> Self:
        return cls(Table.from_name(name))

    def get(self, name: str) -> PromptState:
        item = self._table.get(_pk(name), _LABEL)
        return PromptState() if item is None else _STATE.validate_json(item["state"])

    def put(self, name: str, state: PromptState) -> None:
        written = replace(state, revision=state.revision + 1)
        done = self._table.put(
            {
                "pk": _pk(name),
                "sk": _LABEL,
                "revision": written.revision,
                "holder": written.holder,  # for people who look at the table
                "state": _STATE.dump_json(written).decode(),
            },
            when="attribute_not_exists(pk) OR revision = :read" if state.revision == 0 else "revision = :read",
            values={":read": state.revision},
        )
        if not done:
            raise ConflictError(f"what is known of the prompt {name[:200]!r} was changed by another call")


def _pk(name: str) -> str:
    return f"PROMPT#{name}"

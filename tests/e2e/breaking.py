"""A function of the deployed stack, broken by its settings until it is mended."""

import json
from dataclasses import dataclass
from typing import Any

import boto3

from tests.e2e.system import System


@dataclass
class Broken:
    """A function of the stack whose settings are broken until it is mended."""

    logical_id: str

    def __post_init__(self) -> None:
        functions = boto3.client("lambda").list_functions()["Functions"]
        part = self.logical_id.removesuffix("Function")
        (self.name,) = [str(f["FunctionName"]) for f in functions if part in f["FunctionName"]]
        self._client = boto3.client("lambda")
        found = self._client.get_function_configuration(FunctionName=self.name)
        self._variables = found["Environment"]["Variables"]
        self._set(self._variables | {"STATE_TABLE": "no-such-table"})

    def mend(self) -> None:
        self._set(self._variables)

    def invoke(self, payload: Any) -> None:
        self._client.invoke(FunctionName=self.name, InvocationType="Event", Payload=json.dumps(payload))

    def _set(self, variables: Any) -> None:
        self._client.update_function_configuration(FunctionName=self.name, Environment={"Variables": variables})

    def letter(self, system: System) -> str | None:
        """Id of its oldest dead letter, as the command lists them."""
        listed = json.loads(system.run("dead-letters", "list", "--json").stdout)
        return next((str(row["id"]) for row in listed if row["belongs_to"] == self.logical_id), None)

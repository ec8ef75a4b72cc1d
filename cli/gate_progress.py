"""Evidence of a running gate in S3 -> how far it has come."""

import json
from dataclasses import dataclass, field

from flywheel.errors import InvalidRequestError, NotFoundError
from flywheel.evidence import checkpoint_key, result_key, shard_key
from flywheel.ports import ObjectStore


@dataclass(frozen=True, slots=True)
class Progress:
    """`trials` are planned in the waves so far, `done` of them have an outcome, `errored` of those errored."""

    wave: int = 0
    shards: int = 0
    shards_done: int = 0
    trials: int = 0
    done: int = 0
    errored: int = 0


@dataclass(slots=True)
class ProgressReader:
    """Reads each finished file once, and only the checkpoints of what still runs again."""

    objects: ObjectStore
    gate_id: str
    _lines: dict[str, int] = field(default_factory=dict)
    _results: dict[str, tuple[int, int]] = field(default_factory=dict)

    def read(self) -> Progress:
        """Raise `TransientError` when S3 does not answer."""
        shards = self._names("shards")
        finished = set(self._names("results"))
        running = set(self._names("checkpoints")) - finished
        for name in shards:
            if name not in self._lines:
                self._lines[name] = self._shard_lines(name)
        for name in finished:
            if name not in self._results:
                self._results[name] = self._outcomes(result_key(self.gate_id, name))
        partly = [self._outcomes(checkpoint_key(self.gate_id, name)) for name in running]
        counts = [*self._results.values(), *partly]
        return Progress(
            wave=max((int(name.partition("-")[0]) for name in shards), default=0),
            shards=len(shards),
            shards_done=len(finished),
            trials=sum(self._lines.values()),
            done=sum(done for done, _ in counts),
            errored=sum(errored for _, errored in counts),
        )

    def _names(self, folder: str) -> list[str]:
        prefix = f"gates/{self.gate_id}/{folder}/"
        names = [key.removeprefix(prefix).removesuffix(".json") for key in self.objects.keys(prefix)]
        return [name for name in names if name.partition("-")[0].isdigit()]

    def _shard_lines(self, name: str) -> int:
        try:
            return len(json.loads(self.objects.read(shard_key(self.gate_id, name)))["lines"])
        except NotFoundError:
            return 0
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidRequestError(f"the shard {name} of {self.gate_id} cannot be read: {error!r}") from error

    def _outcomes(self, key: str) -> tuple[int, int]:
        try:
            data = json.loads(self.objects.read(key))
        except NotFoundError:
            return 0, 0
        except ValueError:
            # A checkpoint is overwritten while we read; the next look sees it whole.
            return 0, 0
        # Results are records; a checkpoint wraps each finished one.
        records = data if isinstance(data, list) else [entry["record"] for entry in data.get("finished", ())]
        return len(records), sum(record["outcome"] == "errored" for record in records)

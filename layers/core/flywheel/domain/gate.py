"""The gate's decision: pairs asked for, scores recorded -> PASS, FAIL or INCONCLUSIVE with its reasons as data.

The decision rule itself is a function over the complete prefix (`point_estimate`); this module keeps the order in
which pairs are issued, what was recorded, and the state between two looks.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from flywheel.domain import point_estimate
from flywheel.domain.outcome import Stage
from flywheel.domain.point_estimate import Scored
from flywheel.domain.policy import GatePolicy, policy_to_dict
from flywheel.domain.strict import first_problems
from flywheel.domain.verdict import Errored, Pair, Reason, Verdict, VerdictKind
from flywheel.errors import InvalidRequestError

__all__ = ["Errored", "GatePolicy", "Pair", "Reason", "SequentialGate", "Verdict", "VerdictKind"]

type Score = float | Errored


class _StateErrored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    errored: Stage


type _StateScore = float | _StateErrored | None


class _State(BaseModel):
    """The JSON form. `issued` is in order of issue; `recorded` maps a position in it to the two scores."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    version: Literal[1]
    policy: GatePolicy
    items: dict[str, str]
    seed: int
    history: dict[str, list[float]] | None
    issued: list[tuple[str, int]]
    recorded: list[tuple[NonNegativeInt, _StateScore, _StateScore]]


class SequentialGate:
    """Asks for pairs, takes their scores, says the verdict.

    The verdict uses only the complete prefix in the order of issue, so that it never depends on which results came
    first: where failures are slower than successes, counting results as they arrive passes agents that it must not.

    Args:
        policy: what the candidate must reach.
        items: item id -> slice; only items that count in the averages (see `waves.gate_items`).
        seed: fixes the order of issue; equal arguments give equal orders.
        history: item id -> the incumbent's stored scores in [0, 1] (cached incumbent); `record` then gets no incumbent.

    Raises:
        ValueError: there are no items, or a score of the history is outside [0, 1].
    """

    def __init__(
        self,
        policy: GatePolicy,
        items: Mapping[str, str],
        seed: int,
        history: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        if not items:
            raise ValueError("a gate needs at least one item")
        self.policy = policy
        self.items = dict(items)
        self.seed = seed
        self.history = None if history is None else {k: [_number(s) for s in v] for k, v in history.items()}
        self._issued: list[Pair] = []
        self._positions: dict[Pair, int] = {}
        self._recorded: dict[int, tuple[Score, Score | None]] = {}
        self._round: list[str] = []

    def next_pairs(self, limit: int) -> list[Pair]:
        """Issue up to `limit` pairs; none are left once every item had `max_trials`.

        All items come once, in random order, before any comes again. No pair is issued twice.

        Raises:
            ValueError: `limit` is negative.
        """
        if limit < 0:
            raise ValueError(f"limit is {limit}; it must not be negative")
        pairs: list[Pair] = []
        while len(pairs) < limit and len(self._issued) < self._planned:
            place = len(self._issued) % len(self.items)
            trial = len(self._issued) // len(self.items) + 1
            if place == 0 or not self._round:
                self._round = self._order(trial)
            pair = Pair(self._round[place], trial)
            self._issue(pair)
            pairs.append(pair)
        return pairs

    def record(self, item_id: str, trial: int, candidate: Score, incumbent: Score | None = None) -> None:
        """Take the primary score of both arms, each in [0, 1] or `Errored`.

        `incumbent` is None when there is none or when it is cached; all pairs of a gate agree in that.

        Raises:
            ValueError: the pair was never issued or is recorded already, a score is outside [0, 1], or an incumbent
                is given for some pairs only.
        """
        position = self._positions.get(Pair(item_id, trial))
        if position is None:
            raise ValueError(f"trial {trial} of item {item_id!r} was never issued")
        if position in self._recorded:
            raise ValueError(f"trial {trial} of item {item_id!r} is recorded already")
        if incumbent is not None and self.history is not None:
            raise ValueError(f"trial {trial} of item {item_id!r} has an incumbent, but this gate's incumbent is cached")
        if self._recorded and (incumbent is None) != (next(iter(self._recorded.values()))[1] is None):
            raise ValueError(f"trial {trial} of item {item_id!r}: either every pair has an incumbent or none has")
        self._recorded[position] = (_checked(candidate), None if incumbent is None else _checked(incumbent))

    def verdict(self) -> Verdict:
        """PASS, FAIL or INCONCLUSIVE once every pair is recorded; before that `kind` is None.

        `estimates` describes the complete prefix in either case.
        """
        prefix = self._prefix()
        if len(prefix) < self._planned:
            return Verdict(None, (), point_estimate.estimates(self.policy, prefix))
        return point_estimate.decide(self.policy, prefix)

    def to_json(self) -> str:
        """Everything, as JSON text; `from_json` gives an equal gate."""
        return json.dumps(
            {
                "version": 1,
                "policy": policy_to_dict(self.policy),
                "items": self.items,
                "seed": self.seed,
                "history": self.history,
                "issued": [[pair.item_id, pair.trial] for pair in self._issued],
                "recorded": [[at, _plain(c), _plain(i)] for at, (c, i) in sorted(self._recorded.items())],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InvalidRequestError: it is not a gate's state, or one that contradicts itself.
        """
        try:
            state = _State.model_validate_json(text)
            gate = cls(state.policy, state.items, state.seed, state.history)
            for item_id, trial in state.issued:
                gate._issue_checked(Pair(item_id, trial))
            for at, candidate, incumbent in state.recorded:
                pair = gate._issued[at]
                gate.record(
                    pair.item_id, pair.trial, _score(candidate), None if incumbent is None else _score(incumbent)
                )
        except ValidationError as error:
            raise InvalidRequestError(f"not the state of a gate: {first_problems(error)}") from error
        except (ValueError, IndexError) as error:
            raise InvalidRequestError(f"not the state of a gate: {error}") from error
        return gate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SequentialGate) and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # mutable

    @property
    def _planned(self) -> int:
        return len(self.items) * self.policy.max_trials

    def _content(self) -> tuple[Any, ...]:
        return (self.policy, self.items, self.seed, self.history, self._issued, self._recorded)

    def _order(self, trial: int) -> list[str]:
        """Items in the order of a hash keyed by seed and round: random, and the same on every machine and version."""

        def rank(item_id: str) -> bytes:
            return hashlib.blake2b(f"{self.seed}\0{trial}\0{item_id}".encode(), digest_size=16).digest()

        return sorted(self.items, key=rank)

    def _issue(self, pair: Pair) -> None:
        self._positions[pair] = len(self._issued)
        self._issued.append(pair)

    def _issue_checked(self, pair: Pair) -> None:
        if pair.item_id not in self.items or not 1 <= pair.trial <= self.policy.max_trials or pair in self._positions:
            raise ValueError(f"{pair} cannot have been issued")
        self._issue(pair)

    def _prefix(self) -> list[Scored]:
        scored = []
        for position, pair in enumerate(self._issued):
            if position not in self._recorded:
                break
            candidate, incumbent = self._recorded[position]
            if self.history is not None:
                past = self.history.get(pair.item_id)
                incumbent = sum(past) / len(past) if past else None
            scored.append(Scored(pair.item_id, self.items[pair.item_id], candidate, incumbent))
        return scored


def _checked(score: Score) -> Score:
    return score if isinstance(score, Errored) else _number(score)


def _number(score: float) -> float:
    if not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
        raise ValueError(f"score {score!r} is not a number in [0, 1]")
    return float(score)


def _plain(score: Score | None) -> object:
    return {"errored": score.stage} if isinstance(score, Errored) else score


def _score(state: float | _StateErrored | None) -> Score:
    if state is None:
        raise ValueError("a recorded pair has no candidate score")
    return Errored(state.errored) if isinstance(state, _StateErrored) else state

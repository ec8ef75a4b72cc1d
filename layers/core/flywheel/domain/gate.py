"""The gate's decision: pairs asked for, scores recorded -> PASS, FAIL or INCONCLUSIVE with its reasons as data.

This module keeps the order in which pairs are issued, what was recorded, and the state between two looks; `weighing`
has the evidence, `gate_rules` what follows from it, `gate_estimates` how it is described.
"""

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from flywheel.domain import gate_estimates, gate_rules
from flywheel.domain.claim_design import Design
from flywheel.domain.history import History
from flywheel.domain.outcome import Stage
from flywheel.domain.pair_order import PairOrder
from flywheel.domain.policy import GatePolicy, policy_to_dict
from flywheel.domain.strict import first_problems
from flywheel.domain.tally import Score, Scored
from flywheel.domain.verdict import Errored, Pair, Reason, Verdict, VerdictKind
from flywheel.domain.weighing import Weighing
from flywheel.errors import InvalidRequestError

__all__ = ["Errored", "GatePolicy", "Pair", "Reason", "SequentialGate", "Verdict", "VerdictKind"]

# Pairs for a slice that is below its minimum: how many will lift it cannot be known.
_PAIRS_BELOW_MINIMUM = 4
# A slice that differs at all takes more pairs than one that does not.
_SOME_MORE = 1.25


class _StateErrored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    errored: Stage


type _StateScore = float | _StateErrored | None


class _State(BaseModel):
    """The JSON form. `issued` is in order of issue; `recorded` maps a position in it to the two scores."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    version: Literal[2]
    policy: GatePolicy
    items: dict[str, str]
    seed: int
    history: dict[str, list[float]] | None
    anchor: dict[str, list[float]] | None
    issued: list[tuple[str, int]]
    recorded: list[tuple[NonNegativeInt, _StateScore, _StateScore]]


class SequentialGate:
    """Asks for pairs, takes their scores, says the verdict; it may be asked after every pair.

    The verdict uses only the complete prefix in the order of issue, so that it never depends on which results came
    first: where failures are slower than successes, counting results as they arrive passes agents that it must not.

    Args:
        policy: what the candidate must show.
        items: item id -> slice; only items that count in the averages (see `waves.gate_items`). Without any there is
            nothing to weigh: such a gate asks for no pair and holds nothing against the candidate.
        seed: fixes the order of issue; equal arguments give equal orders.
        history: item id -> the incumbent's stored scores in [0, 1] (cached incumbent); `record` then gets no incumbent.
        anchor: item id -> stored scores of the anchor release, against which the candidate is held as well.

    Raises:
        ValueError: a score of the history or the anchor is outside [0, 1].
    """

    def __init__(
        self,
        policy: GatePolicy,
        items: Mapping[str, str],
        seed: int,
        history: Mapping[str, Sequence[float]] | None = None,
        anchor: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.policy = policy
        self.items = dict(items)
        self.seed = seed
        self.history = None if history is None else History(history)
        self.anchor = None if anchor is None else History(anchor)
        self.trials = policy.trials_cap(len(self.items))
        self._order = PairOrder(self.items, seed, self.trials)
        self._issued: list[Pair] = []
        self._positions: dict[Pair, int] = {}
        self._recorded: dict[int, tuple[Score, Score | None]] = {}
        self._prefix: list[Scored] = []
        self._weighing = self._weigh("paired" if self.history is None else "cached")

    def next_pairs(self, limit: int) -> list[Pair]:
        """Issue up to `limit` pairs; none are left once no further trial could decide anything.

        All items come once, in random order, before any comes again, and so on up to the cap. When nothing is open but
        slices, only their items come, and no more of them than their certificates may take. When nothing is open any
        more, items come that a gated pass^k has too few trials of. No pair is issued twice.

        Raises:
            ValueError: `limit` is negative.
        """
        if limit < 0:
            raise ValueError(f"limit is {limit}; it must not be negative")
        slices = self._slices_asked()
        if slices is None:
            pairs = self._order.next(self.items, limit)
        elif not slices:
            short = self._short()
            missing = sum(self._needed - self._order.issued(item) for item in short)
            pairs = self._order.next(short, min(limit, missing))
        else:
            asked = [item for item, name in self.items.items() if name in slices]
            pairs = self._order.next(asked, min(limit, self._wanted(slices)))
        for pair in pairs:
            self._note(pair)
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
        scores = (_checked(candidate), None if incumbent is None else _checked(incumbent))
        if not self._recorded and incumbent is None and self.history is None:
            self._weighing = self._weigh("one_sample")
        self._recorded[position] = scores
        self._extend_prefix()

    def verdict(self) -> Verdict:
        """PASS or FAIL once the evidence says so, INCONCLUSIVE when no trial is left that could; else `kind` is None.

        A PASS waits for the trials that a gated pass^k needs. `estimates` describes the complete prefix: while the gate
        is open its counts and means, at its end every claim as well; `describe` says more.
        """
        if not self.items:
            return Verdict("PASS")
        kind, reasons = gate_rules.decide(self._weighing, self._prefix, exhausted=self._exhausted())
        if kind == "PASS" and self.policy.reliability_k is not None:
            kind = None if self._short() or len(self._prefix) < len(self._issued) else kind
        estimates = gate_estimates.counts if kind is None else gate_estimates.summary
        return Verdict(kind, reasons, estimates(self._weighing, self.trials))

    def describe(self) -> dict[str, Any]:
        """`verdict().estimates` with confidence sequences and their course, for the report; not for every look."""
        if not self.items:
            return {}
        return gate_estimates.describe(self._weighing, self._prefix, self.trials)

    def to_json(self) -> str:
        """Everything, as JSON text; `from_json` gives an equal gate."""
        return json.dumps(
            {
                "version": 2,
                "policy": policy_to_dict(self.policy),
                "items": self.items,
                "seed": self.seed,
                "history": None if self.history is None else self.history.scores,
                "anchor": None if self.anchor is None else self.anchor.scores,
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
            gate = cls(state.policy, state.items, state.seed, state.history, state.anchor)
            for item_id, trial in state.issued:
                pair = Pair(item_id, trial)
                gate._order.note(pair)
                gate._note(pair)
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

    def rescored(self, scores: Mapping[Pair, tuple[float | None, float | None]]) -> Self:
        """The same pairs in the same order with other scores: pair -> (candidate's, incumbent's), None keeps what was.

        An incumbent's score is kept where this gate records none.

        Raises:
            ValueError: a score is outside [0, 1].
        """
        state = json.loads(self.to_json()) | {"recorded": []}
        gate = self.from_json(json.dumps(state))
        for at, (candidate, incumbent) in sorted(self._recorded.items()):
            pair = self._issued[at]
            ours, other = scores.get(pair, (None, None))
            gate.record(
                pair.item_id,
                pair.trial,
                candidate if ours is None else ours,
                incumbent if incumbent is None or other is None else other,
            )
        return gate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SequentialGate) and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # mutable

    def _content(self) -> tuple[Any, ...]:
        history = None if self.history is None else self.history.scores
        anchor = None if self.anchor is None else self.anchor.scores
        return (self.policy, self.items, self.seed, history, anchor, self._issued, self._recorded)

    def _weigh(self, design: Design) -> Weighing:
        return Weighing(self.policy, self.items, self.trials, design, history=self.history, anchor=self.anchor)

    def _slices_asked(self) -> set[str] | None:
        """Slices whose items come next; None: all."""
        return set(self._weighing.open_slices()) if self._weighing.only_slices_open() else None

    def _short(self) -> list[str]:
        """Items with fewer trials than the k of a gated pass^k, as far as the cap gives so many."""
        return [item for item in self.items if self._order.issued(item) < self._needed]

    @property
    def _needed(self) -> int:
        """Trials of each item that a gated pass^k takes, as far as the cap gives so many."""
        return min(self.policy.reliability_k or 0, self.trials)

    def _wanted(self, slices: set[str]) -> int:
        """Pairs that are worth asking for when only these slices are open; at least one."""
        weighing = self._weighing
        claims = {id(claim): claim for name in slices if (claim := weighing.certified_in(name)) is not None}
        wanted = sum(ceil(_SOME_MORE * c.fewest_to_go()) for c in claims.values() if c.state == "open")
        wanted += sum(_PAIRS_BELOW_MINIMUM for name in slices if weighing.below_minimum(name))
        return max(1, wanted - (len(self._issued) - len(self._prefix)))

    def _exhausted(self) -> bool:
        """Every pair issued is recorded, and no further one could decide anything."""
        if len(self._prefix) < len(self._issued):
            return False
        slices = self._slices_asked()
        return not any(self._order.is_open(i) for i, name in self.items.items() if slices is None or name in slices)

    def _note(self, pair: Pair) -> None:
        self._positions[pair] = len(self._issued)
        self._issued.append(pair)

    def _extend_prefix(self) -> None:
        while (scores := self._recorded.get(len(self._prefix))) is not None:
            pair = self._issued[len(self._prefix)]
            scored = Scored(pair.item_id, self.items[pair.item_id], *scores)
            self._prefix.append(scored)
            self._weighing.add(scored)


def _checked(score: Score) -> Score:
    if isinstance(score, Errored):
        return score
    if not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
        raise ValueError(f"score {score!r} is not a number in [0, 1]")
    return float(score)


def _plain(score: Score | None) -> object:
    return {"errored": score.stage} if isinstance(score, Errored) else score


def _score(state: float | _StateErrored | None) -> Score:
    if state is None:
        raise ValueError("a recorded pair has no candidate score")
    return Errored(state.errored) if isinstance(state, _StateErrored) else state

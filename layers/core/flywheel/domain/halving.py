"""Successive halving with racing: measurements so far -> which configurations stop, and what is asked next.

Sequential halving (Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016): the bound of invocations is shared
out over rungs, each rung asks all configurations that remain the same, and the worse part of them is left behind, so
that few get most of the trials. Racing (Maron and Moore 1994; Birattari et al. 2002) adds that whoever is clearly
worse stops at once, here by bets on paired differences (`search_evidence`). What it would have taken goes to those
that remain: the last two may get more trials than the full grid gives anybody.

Nothing is remembered between calls: all rungs are decided again from the first on, each from the trials that it and
those before it asked. So a trial that arrives late or twice, or that nobody asked for, changes no decision.
"""

from collections import Counter
from collections.abc import Mapping
from math import ceil, log

from flywheel.domain.measured import Measured
from flywheel.domain.rungs import Draw, first_trials, more_trials, stratified
from flywheel.domain.search_estimates import estimates, item_scores, item_variances, spreads
from flywheel.domain.search_evidence import evidence, safe_share, threshold, unsafe_evidence
from flywheel.domain.search_settings import SearchSettings
from flywheel.domain.search_step import Assignment, Step, Stopped

# As many configurations share the last trials: who is second is what the first must be held against.
_FINALISTS = 2
_TOLERANCE = 1e-9


class Halving:
    """The search from its first rung on, as far as the measurements go.

    `step` gives its answer, and may be called again once `found` has more of them: it goes on from there.
    """

    def __init__(self, settings: SearchSettings, found: Measured, failed: Mapping[str, str]) -> None:
        self._settings = settings
        self._found = found
        self._failed = failed
        self._items = tuple(item_id for item_id, _ in settings.items)
        self._remaining = list(settings.configurations)
        self._stopped: list[Stopped] = []
        self._rungs: list[tuple[Draw, ...]] = []
        self._asked: Counter[str] = Counter()
        self._spent = 0
        self._open = False
        # Trials of each configuration until the next halving; None: that has just been.
        self._share: int | None = None
        self._tables: dict[str, dict[str, list[float]]] = {name: {} for name in settings.configurations}

    def step(self, invocations_left: int | None) -> Step:
        """What follows from the measurements."""
        while True:
            if not self._open:
                over = self._over()
                rung = () if over else self._rung()
                if not rung:
                    return self._answer((), over or "rungs_done")
                self._rungs.append(rung)
                self._open = True
            self._stop_failed()
            missing = self._missing()
            if missing:
                if invocations_left is not None and len(missing) > invocations_left:
                    return self._answer((), "budget")
                return self._answer(missing, None)
            self._open = False
            self._decide()

    def _over(self) -> str | None:
        if not self._remaining:
            return "none_left"
        if len(self._remaining) == 1 and self._rungs:
            return "one_left"
        return "decided" if self._decided() else None

    # -- what a rung asks

    def _rung(self) -> tuple[Draw, ...]:
        """The next rung; empty when nothing more fits into the bound."""
        settings, many = self._settings, len(self._remaining)
        left = (settings.bound - self._spent) // many
        if self._share is None:
            self._share = left // self._levels(many)
        if not self._rungs:
            count = max(1, min(round(settings.first_share * len(self._items)), self._share))
            return first_trials(stratified(settings.items, count, settings.seed))
        if len(self._asked) < len(self._items):
            open_items = [item for item in self._items if item not in self._asked]
            if left < len(open_items):
                return ()
            return first_trials(open_items)
        count = min(left, max(1, self._share))
        if many <= _FINALISTS and count > len(self._items):
            count //= 2  # looked at in between: one may be clearly worse
        if count < 1:
            return ()
        spread = spreads(item_variances(self._items, self._tables), self._remaining)
        rung = len(self._rungs) + 1
        return more_trials(self._asked, spread, count, even=settings.even, seed=settings.seed, rung=rung)

    def _levels(self, many: int) -> int:
        """Equal shares of what is left: one for each halving that is to come, one for the finalists."""
        if many <= _FINALISTS:
            return 1
        return 1 + ceil(log(many / _FINALISTS) / -log(self._settings.keep) - _TOLERANCE)

    def _missing(self) -> tuple[Assignment, ...]:
        return tuple(
            Assignment(name, *draw.trial)
            for draw in self._rungs[-1]
            for name in self._remaining
            if draw.trial not in self._found.trials[name]
        )

    # -- who stops after it

    def _stop_failed(self) -> None:
        """A configuration that cannot answer stops in the first rung that it did not complete."""
        for name in tuple(self._remaining):
            open_trials = sum(draw.trial not in self._found.trials[name] for draw in self._rungs[-1])
            if name in self._failed and open_trials:
                self._stop(name, "failed_to_deploy", f"it could not be asked: {self._failed[name]}", {})

    def _decide(self) -> None:
        rung = self._rungs[-1]
        self._spent += len(rung) * len(self._remaining)
        self._asked.update(draw.trial[0] for draw in rung)
        trials = [draw.trial for draw in rung]
        for name in self._remaining:
            for item, scores in item_scores(self._found, name, trials).items():
                self._tables[name].setdefault(item, []).extend(scores)
        self._stop_unsafe()
        if self._remaining:
            self._race()
            if self._share_is_spent(len(rung)):
                self._halve()

    def _share_is_spent(self, trials: int) -> bool:
        """Whether what is left of the share does not pay for the next rung of those that remain."""
        self._share = (self._share or 0) - trials
        if self._share >= max(1, len(self._items) - len(self._asked)):
            return False
        self._share = None
        return True

    def _stop_unsafe(self) -> None:
        minimum = self._settings.safety_minimum
        if minimum is None:
            return
        for name in tuple(self._remaining):
            seen = unsafe_evidence(self._found, name, self._rungs, minimum=minimum)
            share = safe_share(self._found, name, self._rungs)
            if seen >= self._threshold and share is not None:
                message = (
                    f"{share[0]:.1%} of its trials that count are safe, and at least {minimum:.1%} must be; evidence "
                    f"{seen:.3g} where {self._threshold:.3g} is asked for"
                )
                figures = {"safe": share[0], "minimum": minimum, "evidence": seen, "threshold": self._threshold}
                self._stop(name, "unsafe", message, figures)

    def _race(self) -> None:
        ranking = self._ranking()
        leader, means = ranking[0], self._means()
        for name in ranking[:0:-1]:
            seen = self._evidence(name, leader, 0.0)
            if seen >= self._threshold and name in means and leader in means:
                loss = means[leader] - means[name]
                message = (
                    f"{100 * loss:.1f} points below {leader} ({means[name]:.3f} against {means[leader]:.3f}) on "
                    f"the same {self._trials} trials; evidence {seen:.3g} where {self._threshold:.3g} is asked for"
                )
                figures = {"mean": means[name], "leader": means[leader], "trials": float(self._trials)}
                self._stop(name, "clearly_worse", message, figures | {"evidence": seen, "threshold": self._threshold})

    def _halve(self) -> None:
        ranking, means = self._ranking(), self._means()
        kept = max(_FINALISTS, ceil(len(ranking) * self._settings.keep - _TOLERANCE))
        for place in range(len(ranking), kept, -1):
            name = ranking[place - 1]
            mean = means.get(name, 0.0)
            message = (
                f"place {place} of {len(ranking)} after {self._trials} trials each, with a mean of {mean:.3f} "
                f"({ranking[0]} leads with {means.get(ranking[0], 0.0):.3f}); the best {kept} go on"
            )
            figures = {"mean": mean, "leader": means.get(ranking[0], 0.0), "place": float(place), "kept": float(kept)}
            self._stop(name, "halved", message, figures | {"trials": float(self._trials)})

    def _decided(self) -> bool:
        """Whether nothing that remains is better than the leader by the margin."""
        if not self._rungs:
            return False
        leader, *others = self._ranking()
        if not self._is_safe(leader, errors=0.0):
            return False
        return all(self._evidence(name, leader, self._settings.margin) >= self._threshold for name in others)

    def _stop(self, name: str, code: str, message: str, figures: Mapping[str, float]) -> None:
        self._remaining.remove(name)
        self._stopped.append(Stopped(name, len(self._rungs), code, message, dict(figures)))

    # -- what is known

    @property
    def _trials(self) -> int:
        return sum(map(len, self._rungs))

    @property
    def _threshold(self) -> float:
        return threshold(len(self._settings.configurations), self._settings.alpha)

    def _evidence(self, worse: str, leader: str, margin: float) -> float:
        return evidence(self._found, worse, leader, self._rungs, margin=margin)

    def _means(self) -> dict[str, float]:
        return estimates({name: self._tables[name] for name in self._remaining})

    def _is_safe(self, name: str, errors: float) -> bool:
        """Whether the share of safe trials reaches the minimum, give or take so many standard errors."""
        minimum = self._settings.safety_minimum
        seen = None if minimum is None else safe_share(self._found, name, self._rungs)
        return minimum is None or seen is None or seen[0] + errors * seen[1] >= minimum - _TOLERANCE

    def _ranking(self) -> list[str]:
        """Those that remain, best first; those that seem unsafe after the others; equal ones as in the settings."""
        means = self._means()
        return sorted(self._remaining, key=lambda name: (not self._is_safe(name, errors=1.0), -means.get(name, -1.0)))

    def _answer(self, assignments: tuple[Assignment, ...], finished: str | None) -> Step:
        means = self._means()
        best = next((n for n in self._ranking() if n in means and self._is_safe(n, errors=0.0)), None)
        return Step(
            max(1, len(self._rungs)),
            assignments,
            tuple(self._stopped),
            tuple(self._remaining),
            finished,
            best,
            estimates(self._tables),
        )

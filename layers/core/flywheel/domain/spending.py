"""The cost bound of traffic: what is spent, what is being spent, and whether another turn may begin."""

from flywheel.domain.prices import TYPICAL_TRIAL, PriceTable, cost_usd


class Spending:
    """Counts against `cap_usd`. A turn reserves what turns cost on average before it begins, so that the turns in
    flight cannot carry the run far over its bound; what is not priced is charged as the dearest model would be.
    """

    def __init__(self, cap_usd: float, prices: PriceTable, model_id: str) -> None:
        """`model_id`: the model that production is known to run, for turns that do not name one."""
        self._cap_usd = cap_usd
        self._prices = prices
        known = cost_usd(prices, model_id, TYPICAL_TRIAL)
        dearest = max((cost_usd(prices, name, TYPICAL_TRIAL) or 0.0 for name in prices.models), default=0.0)
        self._first_guess_usd = dearest if known is None else known
        self._charged_usd = 0.0
        self._turns = 0
        self._in_flight = 0

    @property
    def typical_usd(self) -> float:
        """What a turn is expected to cost: the mean so far, a generous guess before that."""
        return self._charged_usd / self._turns if self._turns else self._first_guess_usd

    @property
    def exhausted(self) -> bool:
        """Another turn would not fit."""
        return self._charged_usd + (self._in_flight + 1) * self.typical_usd > self._cap_usd

    def begin(self) -> bool:
        """Reserve one turn; False when that would break the bound."""
        if self.exhausted:
            return False
        self._in_flight += 1
        return True

    def end(self, cost: float | None) -> None:
        """Settle one turn. None: its cost is not known, so it is charged as guessed at first."""
        self._in_flight -= 1
        self._charged_usd += self._first_guess_usd if cost is None else cost
        self._turns += 1

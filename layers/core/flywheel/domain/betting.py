"""Bets against a hypothesis -> evidence that may be looked at after every observation.

An e-process starts at 1 and, while the hypothesis holds, is a nonnegative supermartingale: whatever the rule for
stopping, it ever reaches 1/alpha with probability alpha at most (Ville 1939; Shafer 2021). Here it is the wealth of
somebody who bets fixed shares of it on bounded observations, averaged over a few shares (Waudby-Smith and Ramdas 2023,
"Estimating means of bounded random variables by betting"; Howard et al. 2021 for the time-uniform view).

Items are drawn without replacement within a round. For a mean over them that only helps: the expected product of the
payoffs is an elementary symmetric mean, which is at most that of draws with replacement (Maclaurin's inequality).
"""

from collections.abc import Sequence

# Beyond any threshold; a wealth that grew further could not be written as JSON.
_MOST = 1e300
# A bet keeps at least this share of the wealth whatever is observed.
_KEPT = 0.05


class Betting:
    """Wealth of a mixture of constant bets with equal starting shares.

    Args:
        bets: sizes; each must leave the wealth positive for every payoff that can occur.
    """

    __slots__ = ("_shares", "bets")

    def __init__(self, bets: Sequence[float]) -> None:
        self.bets = tuple(bets)
        self._shares = [1.0 / len(self.bets)] * len(self.bets)

    def add(self, payoff: float) -> float:
        """Take one observation, as its excess over what the hypothesis allows; give the evidence after it."""
        shares = self._shares
        total = 0.0
        for n, bet in enumerate(self.bets):
            share = shares[n] * (1.0 + bet * payoff)
            if share > _MOST:  # noqa: PLR1730 - a call for every bet of every pair
                share = _MOST
            shares[n] = share
            total += share
        return total

    @property
    def evidence(self) -> float:
        """The e-value so far: 1 before any observation; 1/alpha refutes the hypothesis at alpha."""
        return sum(self._shares)

    def fewest(self, payoff: float, needed: float) -> int:
        """Further observations until the evidence reaches `needed` when each of them pays the same.

        Raises:
            ValueError: the payoff is not positive: it is never reached.
        """
        if payoff <= 0:
            raise ValueError(f"a payoff of {payoff} never gives evidence")
        shares = list(self._shares)
        steps = 0
        while sum(shares) < needed:
            shares = [share * (1.0 + bet * payoff) for share, bet in zip(shares, self.bets, strict=True)]
            steps += 1
        return steps


def sizes(effect: float, variance: float, *, largest_loss: float) -> tuple[float, float]:
    """Half and all of the bet that grows fastest when the excess has this mean and variance (Kelly, second order).

    `largest_loss` is the most negative payoff that can occur, as a positive number: bets are kept small enough for it.
    """
    bet = effect / (variance + effect * effect)
    if largest_loss > 0:
        bet = min(bet, (1.0 - _KEPT) / largest_loss)
    return 0.5 * bet, bet

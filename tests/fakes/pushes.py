"""Which gate judges what was pushed, in memory; and what every store of claims does."""

from datetime import UTC, datetime

from flywheel.domain.pushes import PushClaim
from flywheel.domain.releases import GateRequest
from flywheel.ports import PushClaims

RUNS = "sha256:" + "c" * 64
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIRST = PushClaim(RUNS, GateRequest("g-1", NOON, "e-1"), "v1")
SECOND = PushClaim(RUNS, GateRequest("g-2", NOON, "e-2"), None, found=True)


class InMemoryPushClaims:
    def __init__(self) -> None:
        self.claims: dict[str, PushClaim] = {}

    def claim_on(self, runs: str) -> PushClaim | None:
        return self.claims.get(runs)

    def claim(self, claim: PushClaim, *, instead_of: PushClaim | None) -> bool:
        known = self.claims.get(claim.runs)
        if (known and known.request.gate_id) != (instead_of and instead_of.request.gate_id):
            return False
        self.claims[claim.runs] = claim
        return True


class PushClaimsContract:
    """`claims`: an empty store."""

    def test_the_first_claim_stands(self, claims: PushClaims) -> None:
        assert claims.claim_on(RUNS) is None
        assert claims.claim(FIRST, instead_of=None)
        assert not claims.claim(SECOND, instead_of=None)
        assert claims.claim_on(RUNS) == FIRST
        assert claims.claim_on("sha256:" + "d" * 64) is None

    def test_a_claim_is_replaced_by_whoever_knows_it(self, claims: PushClaims) -> None:
        claims.claim(FIRST, instead_of=None)
        assert claims.claim(SECOND, instead_of=FIRST)
        assert claims.claim_on(RUNS) == SECOND
        assert not claims.claim(FIRST, instead_of=FIRST)
        assert claims.claim_on(RUNS) == SECOND

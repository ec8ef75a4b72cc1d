"""Models that the server knows by itself -> their ids and prices a token, for the spans that tests and demos send."""

import re
from dataclasses import dataclass
from decimal import Decimal

_STANDARD_TIER = "Standard"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """`prices`: dollars a token, by kind of usage."""

    id: str
    name: str
    prices: dict[str, Decimal]

    @property
    def tier_id(self) -> str:
        return f"{self.id}_tier_default"

    @property
    def tier_name(self) -> str:
        return _STANDARD_TIER

    def price(self, kind: str) -> str | None:
        """As the API writes it: JavaScript's decimals turn to powers of ten at 1e-7."""
        price = self.prices.get(kind)
        if price is None:
            return None
        return f"{price:f}" if price.adjusted() > _SMALLEST_PLAIN else str(price).lower().replace("e-0", "e-")


_SMALLEST_PLAIN = -7


def _known(model_id: str, name: str, **prices: str) -> KnownModel:
    return KnownModel(model_id, name, {kind: Decimal(price) for kind, price in prices.items()})


_MODELS = (
    _known(
        "b9854a5c92dc496b997d99d20", "gpt-4o", input="0.0000025", input_cached_tokens="0.00000125",
        input_cache_read="0.00000125", output="0.00001",
    ),
    _known("b9854a5c92dc496b997d99d21", "gpt-4o-2024-05-13", input="0.000005", output="0.000015"),
    _known(
        "clyrjp56f0000t0mzapoocd7u", "gpt-4o-mini", input="1.5E-7", input_cached_tokens="7.5E-8",
        input_cache_read="7.5E-8", output="6E-7",
    ),
    _known("clrntkjgy000f08jx79v9g1xj", "gpt-4", input="0.00003", output="0.00006"),
)  # fmt: skip
_PATTERN = re.compile(rf"(?:openai/)?({'|'.join(re.escape(model.name) for model in _MODELS)})", re.IGNORECASE)


def model_of(name: str | None) -> KnownModel | None:
    found = _PATTERN.fullmatch(name or "")
    return None if found is None else next(model for model in _MODELS if model.name == found[1].lower())

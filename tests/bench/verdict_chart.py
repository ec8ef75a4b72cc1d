"""Figures of the worlds -> an SVG: what the gate promotes of each, its limit, and what today's rules promote; pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from tests.bench.naive import RULES
from tests.bench.verdict_rows import LIMITS

_LEFT, _WIDTH, _ROW, _TOP = 400, 560, 30, 64
_RIGHT = _LEFT + _WIDTH
_GATE, _RULE, _LIMIT, _INK, _SOFT, _LINE = "#0069a8", "#b86e00", "#a8321a", "#1a1d21", "#565d66", "#dcdeda"
_MARKS = (
    "M-4.5 -4.5h9v9h-9z",
    "M0 -5.5L5.5 0 0 5.5 -5.5 0z",
    "M0 -5.5L5.5 4.5H-5.5z",
    "M-4.5 -4.5L4.5 4.5M4.5 -4.5L-4.5 4.5",
)
_PASS_LIMITS = {limit.setting.world: limit for limit in LIMITS if limit.figure == "passed"}


def chart(worlds: Mapping[str, Mapping[str, Any]], words: Mapping[str, str]) -> str:
    """`worlds`: world -> its figures (`passed`, `naive`); `words`: world -> how it is called."""
    height = _TOP + _ROW * len(worlds) + 30
    body = "\n".join([*_legend(), *_axis(height), *_rows(worlds, words)])
    summary = "; ".join(f"{words[world]}: {found['passed']:.1%}" for world, found in worlds.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_RIGHT + 60} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">\n'
        f"<title>Share of candidates promoted, by world</title>\n<desc>{escape(summary)}</desc>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _x(share: float) -> float:
    return round(_LEFT + share * _WIDTH, 1)


def _legend() -> Iterator[str]:
    yield f'<rect x="{_LEFT}" y="12" width="18" height="12" fill="{_GATE}"/>'
    yield f'<text x="{_LEFT + 24}" y="22">this gate</text>'
    yield f'<path d="M{_LEFT + 106} 9v18m0 -18h-6" fill="none" stroke="{_LIMIT}" stroke-width="2"/>'
    yield f'<text x="{_LEFT + 114}" y="22">its limit; the hook shows the side to be on</text>'
    for number, (rule, mark) in enumerate(zip(RULES, _MARKS, strict=True)):
        x = _LEFT + 6 + 140 * number
        yield _mark(mark, x, 44)
        yield f'<text x="{x + 12}" y="48">{escape(rule)}</text>'


def _mark(shape: str, x: float, y: float) -> str:
    """White around it, to be seen on a bar."""
    drawn = f'd="{shape}" fill="none"'
    return (
        f'<g transform="translate({x} {y})"><path {drawn} stroke="#fff" stroke-width="4.5"/>'
        f'<path {drawn} stroke="{_RULE}" stroke-width="1.8"/></g>'
    )


def _axis(height: int) -> Iterator[str]:
    bottom = height - 26
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield f'<path d="M{_x(share)} {_TOP}V{bottom}" stroke="{_LINE}"/>'
        yield f'<text x="{_x(share)}" y="{bottom + 18}" text-anchor="middle" fill="{_SOFT}">{share:.0%}</text>'


def _rows(worlds: Mapping[str, Mapping[str, Any]], words: Mapping[str, str]) -> Iterator[str]:
    for number, (world, found) in enumerate(worlds.items()):
        y = _TOP + _ROW * number + _ROW // 2
        yield f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(words[world])}</text>'
        length = max(1.5, found["passed"] * _WIDTH)
        yield f'<rect x="{_LEFT}" y="{y - 7}" width="{length:.1f}" height="14" fill="{_GATE}"/>'
        yield f'<text x="{_RIGHT + 14}" y="{y + 4}">{found["passed"]:.1%}</text>'
        if (limit := _PASS_LIMITS.get(world)) is not None:
            tip = -6 if limit.bound == "at most" else 6
            yield (
                f'<path d="M{_x(limit.limit)} {y - 11}v22m0 -22h{tip}" fill="none" stroke="{_LIMIT}" stroke-width="2"/>'
            )
        for rule, mark in zip(RULES, _MARKS, strict=True):
            yield _mark(mark, _x(found["naive"][rule]), y)

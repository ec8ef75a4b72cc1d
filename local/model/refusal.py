"""A user's text -> whether it asks for harm, and the wording that declines it."""

import re
from dataclasses import dataclass

# What every model size recognises: a harmful act named outright. Subject, then patterns.
_BLUNT: dict[str, tuple[str, ...]] = {
    "breaking into systems or accounts": (
        r"\bhack(s|ed|er|ers|ing)?\b",
        r"\bcrack(s|ing)?\b",
        r"\bbrute[- ]?force\b",
        r"\bbreak(s|ing)? into\b",
    ),
    "malicious software": (r"\b(malware|ransomware|keyloggers?|botnets?|trojan|computer virus|spyware|rootkits?)\b",),
    "taking data or credentials of others": (r"\b(steal(s|ing)?|exfiltrat(e|es|ing)|siphon(s|ing)?)\b",),
    "weapons or physical harm": (r"\b(bomb|explosives?|weapons?|poison)\b",),
    "attacks on services or people": (r"\b(ddos|denial[- ]of[- ]service|phishing)\b",),
    "setting my instructions aside": (
        (
            r"\bignore (all |any |the |your |my |every )*(previous |prior |earlier |above |system )*"
            r"(instructions?|rules|guidelines)"
        ),
        r"\b(jailbreak|jailbroken|dan mode|developer mode)\b",
    ),
}
# What takes more understanding: intent said around the act, or a target that makes it harmful.
_VEILED: dict[str, tuple[str, ...]] = {
    "revealing my own instructions or set-up": (
        (
            r"\b(print|reveal|show|repeat|output|tell me|leak|dump)\b.{0,60}"
            r"\b(system prompt|hidden (prompt|instructions)|your (instructions|configuration|secrets?|environment))\b"
        ),
    ),
    "setting my instructions aside": (
        (
            r"\b(you are|act as|pretend|role[- ]?play)\b.{0,60}\b(no|without|any|unrestricted|free of)\b.{0,20}"
            r"\b(rules|limits|restrictions|filters?|guardrails)\b"
        ),
    ),
    "access to what belongs to others": (
        (
            r"\b(someone|somebody|colleague|competitor|stranger|coworker|neighbou?r|boss|ex"
            r"|another (user|person|company|customer|employee))('s|s'|s)?\b.{0,50}"
            r"\b(password|secret key|api keys?|credentials|private (data|messages)|home address|account)\b"
        ),
    ),
    "getting round security controls": (
        (
            r"\b(bypass|circumvent|evade|get around|sneak past)\b.{0,50}"
            r"\b(authentication|login|password|access|role|permission|audit|security|rate limits?|detection|rbac|sso"
            r"|masking)"
        ),
    ),
    "hiding misconduct": (
        r"\b(cover|hide|erase|wipe|remove)\b.{0,30}\b(my tracks|traces of (my|our|what)|evidence)\b",
    ),
    "secret surveillance of people": (
        r"\b(spy|stalk|surveil)\b",
        r"\bsecretly (track|record|monitor|read)\b",
    ),
    "falsifying records": (
        r"\b(fake|forge|falsify|fabricate|tamper)\w*\b.{0,50}\b(scores?|feedback|audit|evidence|results?|reviews?)\b",
    ),
    "personal data": (
        (
            r"\b(list|extract|find|collect|scrape)\b.{0,60}"
            r"\b(social security|credit card|home address(es)?|phone number|medical)"
        ),
        r"\b(social security|credit card) numbers?\b.{0,60}\b(of|from|list|extract|find|collect)\b",
    ),
    "attacking software": (r"\b(sql injection|privilege escalation|inject (code|commands?)|backdoor|exploit)\b",),
}


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    subject: str


def _compile(rules: dict[str, tuple[str, ...]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(re.compile(pattern, re.IGNORECASE | re.DOTALL), subject)
        for subject, patterns in rules.items()
        for pattern in patterns
    )


BLUNT, VEILED = _compile(_BLUNT), _compile(_VEILED)

_SCAN_LIMIT_CHARS = 20_000


def find_harm(text: str, *, veiled: bool) -> str | None:
    """The subject of a harmful request, or None.

    `veiled` says whether requests that do not name the act outright are looked for, too. Only the first 20,000
    characters are read.
    """
    shown = text[:_SCAN_LIMIT_CHARS]
    rules = BLUNT + VEILED if veiled else BLUNT
    return next((rule.subject for rule in rules if rule.pattern.search(shown)), None)


def write_refusal(subject: str) -> str:
    """A clear refusal that names its reason and offers what is possible instead."""
    return (
        f"I'm sorry, but I can't help with that. The request is about {subject}, and I must decline it. "
        "I'm happy to answer questions about using Langfuse."
    )

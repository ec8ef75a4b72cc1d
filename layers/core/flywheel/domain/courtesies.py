"""Sentences that answers are dressed with and that state nothing: greetings, offers, thanks, in seven languages."""

import re
from typing import Final

# The whole sentence is one of these.
_ALONE: Final = r"""
    sure(?: thing)?|certainly|absolutely|of course|no problem|you'?re welcome|great|great question|good question
    |ok(?:ay)?
    |hi|hello|hi there|hey|thanks?(?: you)?(?: for (?:asking|your (?:question|patience|message)))?|happy to help
    |gern(?:e)?(?: geschehen)?|natürlich|klar|aber sicher|gute frage|hallo|guten tag|danke(?: (?:schön|für .{1,40}))?
    |bien sûr|avec plaisir|de rien|bonjour|merci(?: .{1,40})?|bonne question|d'accord|certainement
    |claro(?: que s[íi])?|por supuesto|de nada|hola|gracias(?: .{1,40})?|buena pregunta|con gusto
    |certo|certamente|prego|ciao|buongiorno|grazie(?: .{1,40})?|ottima domanda|volentieri
    |com certeza|ol[áa]|obrigad[oa](?: .{1,40})?|boa pergunta|disponha
    |natuurlijk|graag gedaan|hallo|goede vraag|bedankt(?: .{1,40})?|zeker
"""
# The sentence begins so.
_BEGINS: Final = r"""
    (?:i )?hope (?:this|that|it) helps|let me know (?:if|whether|should)|please let me know|feel free to
    |(?:please )?don't hesitate to|if you have (?:any |more |further )*questions|is there anything else|happy to help
    |(?:i'm|i am) (?:happy|glad) to help|thanks? (?:you )?for (?:asking|reaching out|your)
    |here(?:'s| is) (?:the|a) (?:answer|corrected)
    |ich hoffe,? (?:das|dass|es)|lass(?:en sie)? (?:es )?mich wissen|melde dich|melden sie sich|zögern sie nicht
    |wenn (?:du|sie) (?:noch |weitere )+fragen|bei (?:weiteren )?fragen
    |j'espère que|n'hésite[zs]? pas|si vous avez d'autres questions|faites-moi savoir
    |espero que (?:esto|te|le|les|ayude|ajude|isso)|no dud[ea]s? en|si tiene[sn]? (?:más|otras|alguna)
    |háganme saber|hazme saber
    |spero che|non esit(?:are|i) a|se ha[i]? altre domande|fammi sapere|mi faccia sapere
    |não hesite em|se tiver (?:mais|outras|alguma) |fique à vontade
    |ik hoop dat|laat (?:het )?(?:me|mij) weten|aarzel niet|als je (?:nog |meer )+vragen
"""


def _pattern(text: str) -> str:
    """Alternatives on lines of their own, with plain spaces between words."""
    return "|".join(part.strip() for line in text.splitlines() for part in [line.strip().lstrip("|")] if part)


_COURTESY: Final = re.compile(
    rf"[\W_]*(?:(?:{_pattern(_ALONE)})[\W_]*|(?:{_pattern(_BEGINS)}).*)", re.IGNORECASE | re.DOTALL
)
# A courtesy that goes on for longer says something.
_LONGEST: Final = 160


def is_courtesy(sentence: str) -> bool:
    """Whether the sentence only greets, offers help or thanks; one with a figure in it states something."""
    plain = sentence.replace("\u2019", "'").strip()
    if len(plain) > _LONGEST or any(char.isdecimal() for char in plain):
        return False
    return _COURTESY.fullmatch(plain) is not None

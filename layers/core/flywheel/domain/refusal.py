"""Is this answer a refusal? Deterministic, by phrases of English, German and Spanish.

An answer is a refusal when one of its first two clauses declines to help, and no clause anywhere gives facts. Clauses
that only apologise, offer other help, send the person elsewhere or say why (harm, law, rules, privacy) are not facts.
So "Sorry for the wait, traces are kept for 30 days" is an answer, and "I can't do that, but you can set it in the
project settings" is one too. "I could not find that in the documentation" is an answer as well: it may be what is
right, and the judge decides.
"""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
# A contrast begins a new clause: what follows "but" may be the answer.
_CLAUSE = re.compile(
    r"(?:[.!?;:\n]+\s+|\n+|\s*[,\u2013\u2014]?\s*\b(?:but|however|though|aber|jedoch|allerdings|pero|sin embargo"
    r"|no obstante)\b[,\s]+)"
)


def _any_of(phrases: str) -> str:
    """A group of alternatives, written with ; between them."""
    return "(?:" + "|".join(phrase.strip() for phrase in phrases.split(";") if phrase.strip()) + ")"


_CANNOT = _any_of(
    "can(?:no|')?t; can not; could(?: not|n't); am not able to; am unable to; 'm not able to; 'm unable to; will not"
    "; won't"
)
_ACT = _any_of("""
    help; assist; support; provide; share; give; tell; reveal; disclose; show; write; create; generate; explain how;
    do (?:that|this|it); comply; fulfill?; answer; discuss; engage; participate; carry out; execute; run; perform;
    follow; bypass; delete; send; access; print; output; repeat; offer; advise; go along; complete; make
""")
_HELFEN = _any_of("""
    helfen; weiterhelfen; unterstützen; geben; nennen; teilen; verraten; beantworten; machen; tun; ausführen; schreiben;
    erstellen; herausgeben; preisgeben; zeigen; weitergeben; anbieten; befolgen; löschen
""")
_AYUDAR = _any_of(r"""
    ayudar\w*; asistir\w*; apoyar\w*; proporcionar\w*; dar\w*; facilitar\w*; compartir\w*; revelar\w*; divulgar\w*
    ; mostrar\w*; decir\w*; escribir\w*; crear\w*; generar\w*; hacer(?:lo|la|eso|esto)?; cumplir\w*; responder\w*
    ; contestar\w*; participar; ejecutar\w*; realizar\w*; seguir\w*; borrar\w*; eliminar\w*; enviar\w*; acceder
    ; repetir\w*; ofrecer\w*; aconsejar\w*; brindar\w*; complacer\w*; atender\w*
""")
_PUEDO = r"(?:puedo|podemos|podr[e\u00e9]|podr[i\u00ed]a|voy a|vamos a)"
_CONTRA = r"(?:directrices|pol[i\u00ed]ticas?|normas|reglas|instrucciones|principios)"
_NOT = r"(?:\w+ ){0,4}?(?:nicht|keine[nr]?)"
_DECLINES = (
    rf"\b(?:i|we)\s*(?:'m sorry,? )?(?:really |simply |just )?{_CANNOT}\s+(?:\w+ ){{0,2}}?{_ACT}\b",
    r"\bi(?:'m| am)?\s*(?:must|have to|need to|going to)?\s*(?:respectfully |politely )?(?:decline|refuse)\b",
    r"\bi(?:'m| am) not (?:allowed|permitted|authori[sz]ed|willing|comfortable|going to)\b",
    r"\b(?:against|violates?|outside) (?:my|our|the) (?:guidelines|policy|policies|rules|instructions|principles)\b",
    r"\b(?:that|this|it)(?:'s| is) not something (?:i|we) (?:can|could|will|may|am able)",
    r"^(?:sorry|no)[,.]? (?:but )?(?:i |we )?(?:can(?:no|')?t|won't|will not)\b",
    r"^(?:unable|not able) to (?:help|assist|comply|provide|answer)\b",
    rf"\b(?:dabei|damit|dazu|hierbei|da) (?:kann|darf|werde|möchte) ich {_NOT}\b",
    rf"\b(?:das|dies|diese \w+|dieser \w+|so etwas) (?:kann|darf|werde|möchte) ich {_NOT}\b(?! finden)",
    rf"\bich (?:kann|darf|werde|möchte) {_NOT}\b[^.]{{0,60}}\b{_HELFEN}\b",
    r"\bich (?:lehne|muss) (?:\w+ ){0,4}?ab(?:lehnen)?\b",
    r"\bich bin nicht (?:befugt|berechtigt|in der lage)\b",
    r"\b(?:gegen|außerhalb) (?:meine[rn]?|unsere[rn]?) (?:richtlinien|regeln|vorgaben|grundsätze)\b",
    rf"\bno (?:(?:te|le|les|os|se lo|lo|la) )?{_PUEDO}\s+(?:\w+ ){{0,2}}?{_AYUDAR}\b",
    rf"\bno (?:me )?(?:es|resulta) posible (?:\w+ )?{_AYUDAR}\b",
    r"\b(?:debo|tengo que|he de|me veo obligad[oa] a) (?:\w+mente )?(?:rechazar|declinar|negarme)\b",
    r"\bme niego a\b|\brechazo (?:esta|esa|su|tu) (?:solicitud|petici[o\u00f3]n)\b",
    r"\bno (?:estoy|tengo) (?:autorizad[oa]|autorizaci[o\u00f3]n|dispuest[oa]|permitido|permiso|en condiciones)\b",
    rf"\bcontra (?:de )?(?:mis|nuestras|las) {_CONTRA}\b",
    r"\b(?:eso|esto) no (?:lo )?(?:puedo|voy a|podemos)\b(?! encontrar)",
)
_DECLINE = re.compile("|".join(_DECLINES))

# What surrounds a refusal and gives no facts: apologies, other help, reasons.
_COURTESIES = _any_of(r"""
    sorry; apologi[sz]e; apologies; unfortunately; thanks?; please; instead; happy to; glad to; can help; could help;
    feel free; let me know; ask me; if you; i understand; reach out; contact; consult; support team; speak to; talk to;
    i can only; i'm here; i am here; i only; my purpose; harm\w*; illegal; unlawful; legal; unethical; ethical;
    dangerous; unsafe; safe; safety; security; malicious; abuse; privacy; private; confidential; sensitive; allowed;
    permitted; permission; authori[sz]ed; policy; policies; guidelines; rules; instructions; terms;
    tut mir leid; leider; entschuldig\w*; bitte; stattdessen; gerne?; wenn sie; wenn du; falls; wenden; kontakt\w*;
    schädlich\w*; schaden; illegal\w*; verboten; rechtswidrig; gefährlich; unsicher; sicherheit\w*; missbrauch;
    datenschutz; vertraulich; erlaubt; richtlinien; regeln; vorgaben; anweisungen; verstehe;
    lo siento; lamento; lamentablemente; desgraciadamente; disculp\w*; perd[oó]n\w*; por favor; en su lugar; en cambio;
    con gusto; encantad[oa]; si (?:necesita|quiere|desea|tiene)\w*; puedo ayudar\w*; p[oó]ngase; contact[ea]\w*;
    soporte; consult[ea]\w*; dañ\w*; perjudic\w*; ilegal\w*; peligros\w*; insegur\w*; seguridad; malicios\w*; abuso;
    privacidad; privad[oa]s?; confidencial\w*; sensibles?; permitid[oa]s?; autorizad[oa]s?; pol[ií]ticas?; normas;
    directrices; instrucciones; entiendo; comprendo
""")
_COURTESY = re.compile(rf"\b{_COURTESIES}\b")
_FEWEST_FACT_WORDS = 4
_OPENING_CLAUSES = 3


def words(text: str) -> list[str]:
    """Words of letters and digits, without case."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def is_refusal(answer: str) -> bool:
    """Whether the answer declines to help and gives no facts; an empty answer is no refusal."""
    text = unicodedata.normalize("NFKC", answer).casefold().replace("\u2019", "'").replace("\u2018", "'")
    clauses = [clause.strip() for clause in _CLAUSE.split(text) if clause and clause.strip()]
    opening = clauses[:_OPENING_CLAUSES]
    if not any(_DECLINE.search(clause) for clause in opening):
        return False
    return not any(_gives_facts(clause) for clause in clauses)


def _gives_facts(clause: str) -> bool:
    if _DECLINE.search(clause) or _COURTESY.search(clause):
        return False
    return len(words(clause)) >= _FEWEST_FACT_WORDS

"""What the local model knows of words: lists only, no logic."""


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _table(text: str) -> dict[str, str]:
    """Lines of `word word ...: meaning`."""
    lines = (line.split(":") for line in text.strip().splitlines())
    return {word: meaning.strip() for words, meaning in lines for word in words.split()}


NEGATIONS = frozenset(_list("not no never without cannot none nor neither nobody nothing"))

STOP_WORDS = frozenset(
    _list("""
    a about above after all also am an and any are as at be because been being below between both but by can could did
    do does doing done during each either else even every few for from further get give given had has have having he
    her here hers him his how i if in into is it its itself just let like made make makes many may me might more most
    much must my myself need needs of off on once only or other our ours out over own please same shall she should
    since so some such tell than that the their theirs them then there these they this those through to too under until
    up upon us use used uses using very via want was way we were what when where whether which while who whom whose why
    will with within would yes you your yours yourself
    """)
)

# Words that any question about the product may hold and that find nothing.
EMPTY_WORDS = frozenset(
    _list("""
    langfuse know wanted help explain question questions doc docs documentation thanks hello hi hey thing things ways
    possible wonder wondering understand describe say says work works quick asap currently someone anyone dear team
    actually really simply mean means happen happens exactly wat wats pls thx came come comes go goes going gone whole
    """)
)

NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        _list("""
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        """)
    )
} | {"twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "hundred": "100", "thousand": "1000"}

# Endings that the stemmer cuts.
ENDINGS = _list("""
    izations ization ations ation ators ator ating ated ates ate ities ity ments ment ions ion ings ing edly ers er ied
    ies ed es ly al ive y s e
""")

# Words of other languages that readers of documentation use.
GLOSSARY = _table("""
    aufbewahrung aufbewahrt speicherdauer conservation: retention
    löschen borrar supprimer: delete
    gelöscht: deleted
    kosten: cost
    rolle: role
    rollen: roles
    schlüssel clave clé: key
    datensatz: dataset
    datensätze: datasets
    bewertung: score
    bewertungen: scores
    umgebung environnement: environment
    umgebungen: environments
    benutzer: user
    sitzung sesión: session
    sitzungen: sessions
    warteschlange: queue
    abtastrate: sample rate
    maskieren: masking
    standard standardmäßig défaut predeterminado: default
    daten datos données: data
    tage: days
    verschlüsselt: encrypted
    sprachen: languages
    anfragen: requests
    etiqueta étiquette: label
    etiquetas: labels
    precio: price
    durée: period
    caché: cache
""")

FOREIGN_FILLERS = frozenset(
    _list("""
    wie wo wann wer welche welcher welches ist sind der das den dem ein eine einen und oder im für von zu mit nach ich
    kann können wird werden lange viele gibt es bei que qué cómo cuál el la los las una un de en para por puedo se quel
    quelle est le les puis je du
    """)
)

# Other words for the same thing, for a second search and for matching.
SYNONYMS = _table("""
    kept keep store stored expire retain retained save saved preserve preserved: retention
    remove erase throw: delete
    price pricing money: cost
    login: sign in sso
    permission: role
    permissions rights: roles
    test: experiment
    grade rating rate: score
    human: annotation reviewers
    review: annotation
    conversation chat thread: session
    customer: user
    hide redact anonymize: masking
    pii: masking personal
    throttle throttled quota: rate limit
    rollback revert: roll back label
    install: pip install
    container: containers
    database: storage components
    picture screenshot: images media
    notify notified: notification alert
    stage staging: environment
    subset fraction sampling: sampling
    percentage: sample rate
    bill: billing unit
    invoice: billing
    certified certificate: compliance
    verify: check
""")

# Pairs of which one denies the other.
OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in _list("""
    enabled/disabled allowed/forbidden public/private always/never before/after required/optional mutable/immutable
    synchronous/asynchronous supported/unsupported possible/impossible reversible/irreversible accepted/rejected
    increases/decreases older/newer included/excluded online/offline minimum/maximum first/last earlier/later free/paid
    automatically/manually
    """)
)

"""Personal data and secrets in a text -> where they are: patterns and check digits, no language model.

Carried by the layer `harvest` only: phonenumbers and python-stdnum know the numbering plans and check digits.
"""

from flywheel.redaction.redactor import PatternRedactor, find_all

__all__ = ["PatternRedactor", "find_all"]

"""template.yaml -> the same as plain CloudFormation, roles of functions and rules included, for checkov to read.

Run by the Python of the SAM CLI's environment, which has the transform: `python tests/security/expand.py IN OUT`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from cfnlint.decode import decode
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """The template names none of AWS's managed policies, so nobody has to be asked for them."""

    def load(self) -> dict[str, str]:
        """Names and ARNs of managed policies: none."""
        return {}


def expand(source: Path) -> dict[str, Any]:
    """Carry the transform out as CloudFormation does, with code that is nowhere yet.

    Raises:
        ValueError: the template cannot be read.
    """
    loaded, problems = decode(str(source))
    if loaded is None or problems:
        raise ValueError(f"{source} cannot be read: {problems}")
    template = json.loads(json.dumps(loaded))
    for resource in template["Resources"].values():
        for uri in ("CodeUri", "ContentUri", "DefinitionUri"):
            if uri in resource.get("Properties", {}):
                resource["Properties"][uri] = "s3://not-uploaded/yet"
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-west-2")
    expanded: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    return expanded


if __name__ == "__main__":
    given, wanted = map(Path, sys.argv[1:])
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.write_text(json.dumps(expand(given), indent=1))

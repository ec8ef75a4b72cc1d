"""What the template's Globals give every function; Powertools reads it when an entry is imported."""

import os

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "flywheel")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "test")

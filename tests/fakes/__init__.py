"""In-memory doubles of every port; the contract tests hold them against the real adapters."""

"""flywheel: an image push decides whether an agent goes to production."""

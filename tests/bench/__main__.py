"""`python -m tests.bench`: every measurement."""

from tests.bench.evaluate import main

if __name__ == "__main__":
    raise SystemExit(main())

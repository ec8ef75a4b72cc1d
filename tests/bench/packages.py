"""Size and cold start of every function as it is deployed; prints a table, writes `build/bench/packages.json`.

The import is measured as Lambda does it: a fresh interpreter of the host with nothing but the built function and its
layers, and without compiled files, since a layer brings none and cannot keep any.
"""

import io
import json
import platform
import subprocess
import sys
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from local.deploy import host_architecture
from local.tools import ROOT
from tests.packages import Package, build, packages

OUTPUT = ROOT / "build" / "bench" / "packages.json"
RUNS = 5
LIMIT_MB = 250.0
PROBE = """
import json, sys, time
sys.path[:0] = json.loads(sys.argv[1])
started = time.perf_counter()
import app
print(time.perf_counter() - started)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """`unzipped_mb`: function and layers together, held against Lambda's 250 MB; `import_s`: median of five."""

    function: str
    zip_kb: float
    layers: tuple[str, ...]
    unzipped_mb: float
    import_s: float


def zip_kb(folder: Path) -> float:
    """Size of the archive that `sam deploy` uploads for a function."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder))
    return round(len(archive.getvalue()) / 1000, 1)


def unzipped_mb(*folders: Path) -> float:
    return round(
        sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()) / 1e6, 1
    )


def import_s(package: Package) -> float:
    """Seconds that importing the handler takes in a fresh process."""
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-I", "-S", "-B", "-c", PROBE, json.dumps(package.path())]
    return float(subprocess.run(command, capture_output=True, text=True, env={}, check=True).stdout)


def measure(package: Package) -> Measured:
    names = tuple(layer.name.removesuffix("Layer").lower() for layer in package.layers)
    size = unzipped_mb(package.code, *package.layers)
    took_s = median(import_s(package) for _ in range(RUNS))
    return Measured(package.name, zip_kb(package.code), names, size, round(took_s, 2))


def table(measured: list[Measured]) -> str:
    """The figures as the table of `docs/operations.md`."""
    lines = [
        "| function | zip, KB | layers | unzipped with layers, MB | import, s (median of 5) |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{m.function}` | {m.zip_kb:.1f} | {', '.join(m.layers)} | {m.unzipped_mb:.0f} | {m.import_s:.2f} |"
        for m in measured
    ]
    return "\n".join(lines)


def main() -> int:
    """Give 0 when every function is within Lambda's limit, else 1."""
    measured = sorted(map(measure, packages(build(host_architecture()))), key=lambda m: m.function)  # type: ignore[arg-type]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    figures = {"architecture": platform.machine(), "limit_mb": LIMIT_MB, "functions": [asdict(m) for m in measured]}
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(table(measured))
    return 0 if all(m.unzipped_mb < LIMIT_MB for m in measured) else 1


if __name__ == "__main__":
    raise SystemExit(main())

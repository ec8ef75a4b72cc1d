"""Results of all parts in S3 -> the report of the run, written once."""

from dataclasses import dataclass

from flywheel.domain.traffic_report import TrafficReport, build_report, dump_report, load_report
from flywheel.domain.traffic_results import PartResult, load_part
from flywheel.errors import NotFoundError
from flywheel.ports import ObjectStore
from flywheel.traffic import identity
from flywheel.traffic.plan import read_plan


@dataclass(frozen=True, slots=True)
class Reported:
    """`new` is False when the report was there already: nothing is to be counted again."""

    report: TrafficReport
    new: bool


def report_run(store: ObjectStore, run_id: str, failure: str = "") -> Reported:
    """Make the report of what is there; a part without results is named in it.

    Raises:
        NotFoundError: there is no such run.
    """
    plan = read_plan(store, run_id)
    parts = [one for part in range(plan.checked_settings().parts) if (one := _part(store, run_id, part)) is not None]
    report = build_report(plan.facts(failure), parts)
    if store.create(identity.report_key(run_id), dump_report(report)):
        return Reported(report, new=True)
    return Reported(read_report(store, run_id), new=False)


def read_report(store: ObjectStore, run_id: str) -> TrafficReport:
    """Raise `NotFoundError` when the run has no report."""
    return load_report(store.read(identity.report_key(identity.checked_run_id(run_id))))


def run_ids(store: ObjectStore) -> list[str]:
    """Every run that has a report or a plan, the newest first."""
    found = {key.removeprefix(identity.PREFIX).split("/")[0] for key in store.keys(identity.PREFIX + "t-")}
    return sorted((one for one in found if identity.RUN_ID.fullmatch(one)), reverse=True)


def _part(store: ObjectStore, run_id: str, part: int) -> PartResult | None:
    try:
        return load_part(store.read(identity.part_key(run_id, part)))
    except NotFoundError:
        return None

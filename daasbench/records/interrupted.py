"""Attempts that were interrupted: rounds whose record was never written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from daasbench.model import SCHEMA, Job, Line, Machine, Outcome, Reason, Record, Round, Samples


def was_interrupted(record: Record) -> bool:
    """Return whether the record is of an interrupted attempt, so that its case has no result yet."""
    return (record.outcome, record.reason) == (Outcome.FAILED, Reason.INTERRUPTED)


def interrupted_attempts(lines: Iterable[Line], job: Job | None = None) -> list[Record]:
    """Return a record for each interrupted attempt, whose rounds are in the ledger but whose record is not.

    Its outcome is `failed` and its reason `interrupted`; the samples of its rounds are kept in their order. Run, job
    and platform are those of `job`; without it they are taken from another record of `lines`.
    """
    rounds: dict[tuple[str, int], list[Round]] = {}
    ended: set[tuple[str, int]] = set()
    machines: list[Machine] = []
    run, name, platform, commit = (job.run, job.id, job.platform_name, job.commit) if job else ("",) * 4
    for line in lines:
        if isinstance(line, Round):
            rounds.setdefault((line.key, line.attempt), []).append(line)
        elif isinstance(line, Record):
            ended.add((line.key, line.attempt))
            if not run:
                run, name, platform, commit = line.run, line.job, line.platform, line.commit
        elif isinstance(line, Machine):
            machines.append(line)
    return [
        Record(
            key=key,
            run=run,
            job=name,
            platform=platform,
            process=kept[0].process,
            attempt=attempt,
            case=kept[0].case,
            outcome=Outcome.FAILED,
            reason=Reason.INTERRUPTED,
            message=f"its worker ended after {len(kept)} round{'s' if len(kept) > 1 else ''}; run the same command"
            " again to measure this set of processes",
            samples=_joined(kept),
            started_at=min(part.started_at for part in kept),
            machine=machines[0].id if len(machines) == 1 else None,
            commit=commit,
            schema=SCHEMA,
        )
        for (key, attempt), kept in rounds.items()
        if (key, attempt) not in ended
    ]


def _joined(rounds: Sequence[Round]) -> Samples:
    """Return the samples of all rounds, column by column."""
    return Samples(
        **{
            name: [value for part in rounds for value in getattr(part.samples, name)]
            for name in Samples.__struct_fields__
        }
    )

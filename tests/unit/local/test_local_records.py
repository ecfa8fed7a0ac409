"""What is known of jobs: names for ever, states that follow each other, one owner at a time."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.errors import ResourceInUseError, ResourceNotFoundError
from sagedock.local.process import Owner
from sagedock.local.records import Job, JobState, Kind, Metric, Records, Status, Transition

OWNER = Owner(pid=1, started="boot:1")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path)
    yield records
    records.close()


def job(name: str = "job", kind: Kind = Kind.TRAINING, **members: Any) -> Job:
    given = {"arn": f"arn:{kind}/{name}", "created": 1.0, "request": {"a": ["ü", 1]},
             "owner": OWNER}  # fmt: skip
    return Job(kind=kind, name=name, **{**given, **members})


def test_a_job_comes_back_as_it_was(records, tmp_path):
    records.add(job())
    other = Records(tmp_path)
    assert other.get(Kind.TRAINING, "job") == job()
    other.close()


TEXT = st.text(max_size=10)
TIMES = st.floats(0, 4e9)


@given(
    state=st.builds(
        JobState,
        status=st.sampled_from(Status),
        transitions=st.lists(
            st.builds(Transition, status=TEXT, message=TEXT, started=TIMES,
                      ended=st.none() | TIMES)
        ).map(tuple),
        metrics=st.lists(
            st.builds(Metric, name=TEXT, value=st.floats(allow_nan=False), timestamp=TIMES)
        ).map(tuple),
        failure_reason=st.none() | TEXT,
        exit_code=st.none() | st.integers(0, 255),
        notes=st.lists(TEXT).map(tuple),
    )
)  # fmt: skip
def test_a_state_survives_its_text(state):
    assert JobState.from_json(state.to_json()) == state


def test_names_are_unique_for_ever_and_by_kind(records):
    records.add(job())
    records.add(job(kind=Kind.PROCESSING))
    records.update(job(), lambda state: replace(state, status=Status.FAILED))
    with pytest.raises(ResourceInUseError, match=r"Training job names must be unique") as caught:
        records.add(job())
    assert "arn:training/job" in caught.value.message
    assert "another name" in caught.value.hint


def test_an_unknown_job(records):
    with pytest.raises(ResourceNotFoundError, match="No processing job is named 'job'"):
        records.get(Kind.PROCESSING, "job")


def test_jobs_are_listed_newest_first(records):
    for number, kind in enumerate([Kind.TRAINING, Kind.PROCESSING, Kind.TRAINING]):
        records.add(job(f"job{number}", kind, created=float(number)))
    records.update(job("job2"), lambda state: replace(state, status=Status.COMPLETED))
    assert [item.name for item in records.list()] == ["job2", "job1", "job0"]
    assert [item.name for item in records.list(Kind.TRAINING)] == ["job2", "job0"]
    assert [item.name for item in records.list(running=True)] == ["job1", "job0"]


def test_entering_a_status_ends_the_one_before():
    state = JobState().enter("Starting", "a", 1.0).enter("Training", "b", 3.0).enter("Done", "c", 9)
    assert [(t.status, t.started, t.ended) for t in state.transitions] == [
        ("Starting", 1.0, 3.0), ("Training", 3.0, 9), ("Done", 9, None),
    ]  # fmt: skip
    assert state.seconds_in("Starting", "Training") == 8.0


def test_a_change_starts_from_what_is_recorded(records):
    """Not from what the caller knew: the owner and a stopper write to one job."""
    records.add(job())
    records.update(job(), lambda state: replace(state, exit_message="one"))
    after = records.update(job(), lambda state: replace(state, failure_reason="two"))
    assert (after.state.exit_message, after.state.failure_reason) == ("one", "two")
    assert records.get(Kind.TRAINING, "job").state == after.state
    assert after.state.modified > 0


def test_a_change_that_raises_changes_nothing(records):
    records.add(job())

    def broken(state: JobState) -> JobState:
        raise KeyError

    with pytest.raises(KeyError):
        records.update(job(), broken)
    assert records.get(Kind.TRAINING, "job").state == JobState()
    records.update(job(), lambda state: state)  # and the database isn't left locked


def test_a_stop_can_be_asked_for_from_outside(records, tmp_path):
    records.add(job())
    assert not records.stop_requested(job())
    other = Records(tmp_path)
    other.request_stop(job())
    other.close()
    assert records.stop_requested(job())


def test_a_claim_needs_the_owner_one_saw(records):
    records.add(job())
    me, other = Owner(pid=2, started="boot:2"), Owner(pid=3, started="boot:3")
    assert records.claim(job(), me)
    assert records.get(Kind.TRAINING, "job").owner == me
    assert not records.claim(job(), other)  # it saw the first owner
    assert records.claim(job(owner=me), other)


def test_a_job_that_ended_has_no_new_owner(records):
    records.add(job())
    records.update(job(), lambda state: replace(state, status=Status.COMPLETED))
    assert not records.claim(job(), Owner(pid=2, started="x"))


def test_a_job_without_owner_can_be_claimed(records):
    records.add(job(owner=None))
    assert records.claim(job(owner=None), OWNER)


def test_of_many_processes_one_becomes_the_owner(records, tmp_path):
    for number in range(20):
        records.add(job(f"job{number}"))
    program = """
        import sys
        from pathlib import Path
        from sagedock.local.process import Owner
        from sagedock.local.records import Kind, Records
        records, me = Records(Path(sys.argv[1])), Owner.me()
        jobs = [records.get(Kind.TRAINING, f"job{n}") for n in range(20)]
        print("ready", flush=True)
        sys.stdin.readline()
        print(sum(records.claim(job, me) for job in jobs), flush=True)
        """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    claimed = [int(child.communicate()[0]) for child in children]
    assert sum(claimed) == 20
    owners = [item.owner for item in records.list() if item.owner]
    assert {owner.pid for owner in owners} <= {child.pid for child in children}


# processes


def test_this_process_lives():
    assert Owner.me().is_alive()
    assert Owner.me() == Owner.me()


def test_a_reused_pid_is_not_taken_for_its_former_owner():
    me = Owner.me()
    assert not replace(me, started="another boot:1").is_alive()


def test_a_process_that_ended_is_dead_reaped_or_not():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    from sagedock.local.process import _start_of

    owner = Owner(pid=child.pid, started=_start_of(child.pid) or "")
    assert owner.is_alive()
    child.kill()
    while not _is_zombie(child.pid):
        pass
    assert not owner.is_alive()
    child.communicate()
    assert not owner.is_alive()


def _is_zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()

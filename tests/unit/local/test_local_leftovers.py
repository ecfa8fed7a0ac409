"""Which container is still somebody's, by its labels and the records; and who sees to it."""

import threading
import time

import pytest

from sagedock.errors import EngineError, EngineUnavailableError
from sagedock.local.hosting.values import Endpoint, EndpointStatus
from sagedock.local.leftovers import Known, Leftovers
from sagedock.local.process import Owner
from sagedock.local.records import Job, JobState, Kind, Status
from sagedock.server.keeper import Keeper

ALIVE, DEAD = Owner.me(), Owner(pid=1, started="never")


def job(status: Status, owner: Owner = DEAD, failure: str | None = None) -> Job:
    state = JobState(status=status, failure_reason=failure)
    return Job(kind=Kind.TRAINING, name="j", arn="", created=0, request={}, state=state,
               owner=owner)  # fmt: skip


def endpoint(status: EndpointStatus, owner: Owner = DEAD) -> Endpoint:
    return Endpoint(name="e", arn="", created=0, modified=0, status=status, config="c", request={},
                    owner=owner)  # fmt: skip


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (job(Status.IN_PROGRESS), True),  # a new owner takes it over
        (job(Status.STOPPING), True),
        (job(Status.COMPLETED), False),
        (job(Status.COMPLETED, ALIVE), True),  # about to be removed by its owner
        (job(Status.FAILED), False),
        (job(Status.FAILED, failure="… the results are kept in container n."), True),
    ],
)
def test_a_jobs_container(known, wanted):
    labels = {"sagedock": "x", "sagedock.job": "j", "sagedock.kind": "training"}
    found = Known(jobs=[known], endpoints=[])
    assert found.is_wanted("n", labels) is wanted
    assert not found.is_wanted("n", {**labels, "sagedock.kind": "transform"})
    assert not found.is_wanted("n", {**labels, "sagedock.job": "another"})


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (endpoint(EndpointStatus.IN_SERVICE), True),
        (endpoint(EndpointStatus.DELETING), True),
        (endpoint(EndpointStatus.FAILED, ALIVE), True),
        (endpoint(EndpointStatus.FAILED), False),
    ],
)
def test_an_endpoints_container(known, wanted):
    found = Known(jobs=[job(Status.IN_PROGRESS)], endpoints=[known])
    assert found.is_wanted("n", {"sagedock.endpoint": "e"}) is wanted
    assert not found.is_wanted("n", {"sagedock.endpoint": "j"})


class Shop:
    """Has no engine for the first few times it is asked, and then a fault."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.enough = threading.Event()

    def recover(self) -> None:
        self.calls.append("recover")
        if len(self.calls) < 3:
            raise EngineUnavailableError("no engine")

    def take_up(self) -> None:
        self.calls.append("take up")
        if len(self.calls) > 5:
            self.enough.set()
        raise RuntimeError("a fault")


def test_it_waits_for_an_engine_recovers_once_and_looks_on(capfd):
    shop = Shop()
    keeper = Keeper(shop, look_seconds=0.01)
    assert shop.enough.wait(10)
    keeper.close()
    count = len(shop.calls)
    assert shop.calls[:4] == ["recover", "recover", "recover", "take up"]
    assert "recover" not in shop.calls[3:]
    time.sleep(0.05)
    assert len(shop.calls) == count
    assert "a fault" in capfd.readouterr().err


# what is swept


class Crate:
    """A container of which the labels are asked; one without has gone by itself."""

    def __init__(self, name: str, labels: dict[str, str] | None) -> None:
        self.name, self._labels, self.removed = name, labels, False

    def inspect(self) -> dict[str, dict[str, object]]:
        if self._labels is None:
            raise EngineError("gone")
        return {"Config": {"Labels": self._labels}}

    def remove(self) -> None:
        self.removed = True


def test_only_what_nobody_wants_is_listed_and_removed(tmp_path):
    labels = {"sagedock.job": "j", "sagedock.kind": "training"}
    crates = [Crate("old", labels), Crate("gone", None), Crate("live", {"sagedock.endpoint": "e"})]
    for place in ("jobs/training/j/inputs/a", "jobs/training/j/logs", "endpoints/e/fleets/1",
                  "endpoints/dead/fleets/1", "endpoints/dead/logs"):  # fmt: skip
        (tmp_path / place).mkdir(parents=True)
    folders = [tmp_path / "endpoints" / name / "fleets" for name in ("e", "dead")]
    left = Leftovers(containers=crates, folders=folders)
    known = Known(jobs=[job(Status.COMPLETED)], endpoints=[endpoint(EndpointStatus.IN_SERVICE)])
    found = left.sweep(tmp_path, known)
    assert [one.name for one in found.containers] == ["old"]
    assert found.folders == (tmp_path / "jobs/training/j/inputs", folders[1])
    assert found.orphans == ("endpoint e",)
    assert not any(one.removed for one in crates)
    found.remove()
    assert [one.removed for one in crates] == [True, False, False]
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.glob("*/*/*")) == [
        "endpoints/dead/logs", "endpoints/e/fleets", "jobs/training/j"
    ]  # fmt: skip
    assert (tmp_path / "jobs/training/j/logs").is_dir()


def test_who_goes_on_without_an_owner():
    known = Known(
        jobs=[job(Status.IN_PROGRESS), job(Status.STOPPING, ALIVE), job(Status.FAILED)],
        endpoints=[endpoint(EndpointStatus.UPDATING), endpoint(EndpointStatus.FAILED)],
    )
    assert known.orphans() == ("training job j", "endpoint e")

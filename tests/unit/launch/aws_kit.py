"""What tests of launching on AWS share: a listener that remembers, a pace without patience."""

from sagedock.engine.plan import LogLine
from sagedock.launch.aws.watching import Pace
from sagedock.local.records import Job

NUMBER = "123456789012"
QUICK = Pace(first=0.05, most=0.05, silence=0.3, trouble=10)


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.statuses: list[str] = []
        self.notes: list[str] = []
        self.doings: list[str] = []

    def status(self, job: Job) -> None:
        self.statuses.append(job.state.transitions[-1].status)

    def log(self, line: LogLine) -> None:
        self.lines.append(line.text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def doing(self, text: str) -> None:
        self.doings.append(text)

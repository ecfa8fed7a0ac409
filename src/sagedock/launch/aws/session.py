"""Launching on AWS: the caller's account, its default bucket and roles, local inputs uploaded.

Making a request changes nothing there: buckets are made and inputs uploaded when the job that
needs them starts. Nothing of this machine ever takes the place of something missing on AWS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from sagedock import requests
from sagedock.aws.account import Account
from sagedock.aws.calls import Calls
from sagedock.aws.console import console_url
from sagedock.aws.logs import LogReader
from sagedock.aws.prices import PriceTable, load
from sagedock.aws.s3 import Storage
from sagedock.engine.plan import LogLine
from sagedock.errors import AwsError, ResourceInUseError, ResourceNotFoundError, UsageError
from sagedock.launch.aws import checks, endpoints, roles
from sagedock.launch.aws.data import AwsData
from sagedock.launch.aws.expenses import Expenses
from sagedock.launch.aws.runtime import AwsRuntime
from sagedock.launch.aws.seen import seen
from sagedock.launch.aws.watching import GROUPS, Pace, Watch
from sagedock.launch.listeners import PlainListener, notes_of
from sagedock.launch.place import Ended
from sagedock.launch.upload import Upload
from sagedock.local.records import Kind
from sagedock.local.settings import LocalSettings
from sagedock.requests import Request

if TYPE_CHECKING:
    from sagedock.local.execution import Listener

_LOCAL_WORDS = frozenset({"local", "local_gpu"})


class AwsSession(AwsData):
    """Where jobs go and where their data lies: an account of AWS, in one region.

    `account` is asked as the AWS CLI would ask (else `region` and `profile` find it).
    `default_bucket` is by default the SDK's, `sagemaker-REGION-ACCOUNT`. `role` is for jobs that
    name none; without it the caller's own, where SageMaker may take that. `listener` gets the log
    and status of jobs that are waited for; without one they are printed to `stream` (default:
    standard output). `prices` is by default the table that `sagedock prices` shows.

    Ctrl-C while a job is waited for leaves it running. Raises UsageError without boto3 or a
    region.
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        region: str | None = None,
        profile: str | None = None,
        default_bucket: str | None = None,
        role: str | None = None,
        listener: Listener | None = None,
        stream: TextIO | None = None,
        pace: Pace | None = None,
        prices: PriceTable | None = None,
    ) -> None:
        self.account = account or Account(region, profile)
        super().__init__(Storage(self.account), self.account, default_bucket)
        self.sagemaker_client = Calls(lambda: self.account.client("sagemaker"))
        self._role, self._listener, self._stream = role, listener, stream
        self._pace = pace or Pace()
        self._prices = prices
        self._watches: dict[tuple[Kind, str], Watch] = {}
        self._roles: dict[str | None, str] = {}

    @property
    def region(self) -> str:
        """The account's."""
        return self.account.region

    @cached_property
    def bill(self) -> Expenses:
        """What jobs here cost. Raises InputError for a price table that can't be read."""
        table = self._prices or load(LocalSettings.from_environment().data)
        return Expenses(table=table, region=self.region)

    def role_arn(self, role: str | None) -> str:
        """A role as ARN: given so, known to IAM by its name, or the caller's own. Raises
        UsageError where there is none."""
        wanted = role or self._role
        if wanted not in self._roles:
            self._roles[wanted] = roles.role_arn(self.account, wanted)
        return self._roles[wanted]

    def instance_type(self, given: str | None) -> str:
        """`given`: what is paid for is never chosen silently. Raises UsageError without it."""
        if given is None or given in _LOCAL_WORDS:
            word = f"instance_type={given!r} is this machine" if given else "No instance type given"
            raise UsageError(
                f"{word}: on AWS a job needs one, and it is paid for by the second.",
                hint="Such as --instance-type ml.m5.large; prices: sagedock prices",
            )
        return given

    # jobs

    def start(self, kind: Kind, request: Request, uploads: Sequence[Upload], *, wait: bool) -> None:
        """Validate, upload what the job needs, create it. Raises ValidationError,
        ResourceInUseError for a name that is taken, InputError, StoreError, AwsError."""
        operation, name = f"Create{kind.capitalize()}Job", request[f"{kind.capitalize()}JobName"]
        requests.validate(operation, request)
        checks.images(request)
        self._refuse_taken(kind, name)
        self.bring(request, uploads)
        create: Callable[..., Any] = {
            Kind.TRAINING: self.sagemaker_client.create_training_job,
            Kind.PROCESSING: self.sagemaker_client.create_processing_job,
            Kind.TRANSFORM: self.sagemaker_client.create_transform_job,
        }[kind]
        create(**request)
        link, price = self.console_url(kind, name), self.bill.beforehand(kind, request)
        for line in (f"Console: {link}" if link else "", price):
            if line:
                self.note(line)

    def _refuse_taken(self, kind: Kind, name: str) -> None:
        """An upload would replace the code of the job that has the name."""
        try:
            self.describe(kind, name)
        except ResourceNotFoundError:
            return
        raise ResourceInUseError(
            f"A {kind} job named {name!r} exists already: its name is taken for ever.",
            hint="Choose another one, or leave it out: then it has the time in it.",
        )

    def attend(self, kind: Kind, name: str, *, logs: bool) -> Ended:
        """Watch a job to its end; again after an interrupt: it goes on where it was. Ctrl-C
        leaves the job running. Raises AwsError where watching can't go on."""
        watch = self._watches.get((kind, name))
        if watch is None:
            watch = Watch(
                kind,
                lambda: self.describe(kind, name),
                self.log(kind, name),
                self._pace,
                lambda answer: self.bill.so_far(kind, answer),
            )
            self._watches[kind, name] = watch
        try:
            return watch.run(self.listener() if logs else None)
        except AwsError as error:
            again = f"The job goes on. Watch it again: {self.follow_command(name)}"
            raise AwsError(error.message, hint=f"{error.hint} {again}".strip()) from error

    def log(self, kind: Kind, name: str) -> LogReader:
        """A job's streams in CloudWatch."""
        return LogReader(self.account.client("logs"), GROUPS[kind], f"{name}/")

    def listener(self) -> Listener:
        """Who is told of jobs that are waited for."""
        return self._listener or PlainListener(self._stream or sys.stdout)

    def note(self, text: str) -> None:
        """Tell the listener what goes on around a job."""
        notes_of(self.listener())[0](text)

    def doing(self, text: str) -> None:
        """Tell it how far something is."""
        notes_of(self.listener())[1](text)

    def console_url(self, kind: str, name: str) -> str:
        """The page of AWS's console for a job or an endpoint."""
        return console_url(kind, name, self.region, self.account.partition)

    def kind_of(self, name: str) -> Kind:
        """The kind of the job of that name. Raises ResourceNotFoundError."""
        for kind in Kind:
            try:
                self.describe(kind, name)
            except ResourceNotFoundError:
                continue
            return kind
        raise ResourceNotFoundError(
            f"No job is named {name!r} in account {self.account.number}, {self.region}.",
            hint="See all of them: sagedock jobs --aws",
        )

    def lines(self, kind: Kind, name: str) -> list[LogLine]:
        """A job's log so far, each line with its time. Raises AwsError."""
        events = self.log(kind, name).read()
        return [LogLine(stamp=event.stamp, text=event.text) for event in events]

    def logs(self, job_name: str) -> list[str]:
        """The lines of a job's log so far."""
        return [event.text for event in self.log(self.kind_of(job_name), job_name).read()]

    def logs_command(self, job_name: str) -> str:
        """What shows a job's log at a terminal."""
        return f"sagedock logs {job_name} --aws --region {self.region}"

    def follow_command(self, job_name: str) -> str:
        """What goes on showing it."""
        return f"sagedock logs -f {job_name} --aws --region {self.region}"

    def stop_command(self, job_name: str) -> str:
        """What stops a job."""
        return f"sagedock stop {job_name} --aws --region {self.region}"

    def asks_when_interrupted(self) -> bool:
        """It does."""
        return True

    def say_left(self, job_name: str) -> None:
        """That it goes on, and what stops it."""
        self.note(f"interrupted: {job_name} goes on. Stop it: {self.stop_command(job_name)}")

    def expenses(self, kind: Kind, name: str) -> tuple[str, ...]:
        """What a job has cost, where its price is known."""
        text = self.bill.so_far(kind, self.describe(kind, name))
        return (text,) if text else ()

    def notes(self, kind: Kind, name: str) -> tuple[str, ...]:
        """None: the service has a member for everything it says."""
        return ()

    def timings(self, kind: Kind, name: str) -> dict[str, float]:
        """Seconds by the job's transitions (training), or from start to end."""
        job = seen(kind, self.describe(kind, name), None)
        if kind is Kind.TRAINING:
            return job.state.timings()
        begun, over = job.state.started, job.state.ended
        return {"container": over - begun} if begun and over else {}

    # models and endpoints

    def create_model(self, request: Request) -> None:
        """CreateModel, after what it names has been uploaded. Raises ValidationError, InputError,
        StoreError, AwsError."""
        requests.validate("CreateModel", request)
        checks.images(request)
        self.bring(request, ())
        self.sagemaker_client.create_model(**request)

    def wait_until_in_service(self, name: str) -> None:
        """Until an endpoint is InService, telling of its status. Raises JobFailedError with its
        FailureReason, the end of its log told before."""
        endpoints.wait_until_in_service(self, name, self._pace)

    def wait_until_gone(self, name: str) -> None:
        """Until an endpoint that is being deleted is gone."""
        endpoints.wait_until_gone(self, name, self._pace)

    def keep(self, name: str) -> None:
        """The service's own business."""

    def runtime(self) -> AwsRuntime:
        """Calls endpoints."""
        return AwsRuntime(self.account)

    def close(self) -> None:
        """Let go of connections."""
        self.storage.close()

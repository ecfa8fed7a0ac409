"""What `train`, `process` and `transform` do alike: plan, launch, watch, and say how it ended.

Must not know how requests are made: a function that makes one is passed in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sagedock import requests
from sagedock.cli import interrupts
from sagedock.cli.aws import is_aws, open_session
from sagedock.cli.listeners import Show, show_on
from sagedock.cli.planning import planning_session
from sagedock.cli.printing import as_text
from sagedock.cli.summary import summary_lines
from sagedock.cli.tracking import NAMES, tracked_as
from sagedock.errors import ResourceNotFoundError, ValidationError
from sagedock.launch.job import LaunchedJob
from sagedock.local.records import Kind, Status

if TYPE_CHECKING:
    from sagedock.launch.place import Ended, Place
    from sagedock.launch.upload import Upload

_MANNER = ("detach", "quiet", "dry_run", "as_json")
_WHERE = ("aws", "profile", "region", "bucket", *NAMES)
Prepare = Callable[["Place"], tuple[requests.Request, list["Upload"]]]
Ready = Callable[["Place", str], AbstractContextManager[None]]
"""What has to be there when the job of that name starts, made in its `with` block."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One launch: the kind of job, where data is, and how it is to be seen through."""

    kind: Kind
    data: Path | None
    options: Mapping[str, Any]
    aws: bool
    detach: bool
    quiet: bool
    dry_run: bool
    as_json: bool

    @property
    def operation(self) -> str:
        """SageMaker's name for starting such a job."""
        return f"Create{self.kind.capitalize()}Job"

    @property
    def name_member(self) -> str:
        """The member of the request that holds the job's name."""
        return f"{self.kind.capitalize()}JobName"


def launch(
    kind: Kind, options: Mapping[str, Any], prepare: Prepare, *, ready: Ready | None = None
) -> None:
    """Do with the job what the options of `options.job_options` ask for."""
    context = click.get_current_context()
    manner = {name: options[name] for name in _MANNER}
    what = Launch(kind=kind, data=context.obj, options=options, aws=is_aws(options), **manner)
    if options["request"]:
        _refuse_beside_request(context)
        document = _read_request(what, options["request"])
        prepare = lambda session: (_with_buckets(session, document), [])  # noqa: E731
    elif kind is not Kind.TRANSFORM and not options["image"]:
        context.fail("Missing option '--image': the image to run, such as sagedock/training.")
    if what.dry_run:
        _plan(what, prepare)
    else:
        _run(what, prepare, ready or (lambda session, name: nullcontext()))


def _plan(what: Launch, prepare: Prepare) -> None:
    with plans_on(what.data, what.options) as session:
        request, _ = prepare(session)
    requests.validate(what.operation, request)
    click.echo(as_text(request))


@contextmanager
def plans_on(data: Path | None, options: Mapping[str, Any]) -> Iterator[Place]:
    """A session that requests are only made in: on AWS any is, until a job is started."""
    with open_session(data, aws=options) if options["aws"] else planning_session(data) as session:
        yield session


def _run(what: Launch, prepare: Prepare, ready: Ready) -> None:
    show = show_on(sys.stderr if what.as_json or what.detach else sys.stdout, quiet=what.quiet)
    with open_session(what.data, show, what.options) as opened:
        session = tracked_as(opened, what.options)
        request, uploads = prepare(session)
        requests.validate(what.operation, request)
        job = LaunchedJob(session, what.kind, request[what.name_member])
        try:
            with show, ready(session, job.name):
                session.start(what.kind, request, uploads, wait=not what.detach)
            found = None if what.detach else _seen_through(session, job, show)
        except KeyboardInterrupt:
            _say_interrupted(what, session, job)
            raise
        if found is None:
            _say_started(what, session, job)
            return
        _say_ended(what, session, job)
        if found.status is not Status.COMPLETED:
            raise job.failed(found)


def _seen_through(session: Place, job: LaunchedJob, show: Show) -> Ended:
    """Until it has ended. Raises KeyboardInterrupt where the user does not want to wait."""
    while True:
        try:
            with show:
                return job.attend()
        except KeyboardInterrupt:
            if not interrupts.goes_on(session, job):
                raise


# saying


def _say_started(what: Launch, session: Place, job: LaunchedJob) -> None:
    click.echo(as_text(job.describe()) if what.as_json else job.name)
    click.echo(f"Follow it: {session.follow_command(job.name)}", err=True)


def _say_ended(what: Launch, session: Place, job: LaunchedJob) -> None:
    if what.as_json:
        click.echo(as_text(job.describe()))
        return
    click.echo("\n".join(("", *summary_lines(session, job))))


def _say_interrupted(what: Launch, session: Place, job: LaunchedJob) -> None:
    if what.aws:
        interrupts.say_left(session, job)
        return
    try:
        _say_ended(what, session, job)
    except ResourceNotFoundError:
        click.echo(f"interrupted: {job.kind} job {job.name} was not started yet.", err=True)
    else:
        click.echo(f"interrupted: {job.kind} job {job.name} was stopped.", err=True)


# --request


def _refuse_beside_request(context: click.Context) -> None:
    """A job is described by options or by a request: of two descriptions one would be ignored."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in {*_MANNER, *_WHERE, "request"}
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        context.fail(f"{', '.join(given)} can't go with --request: the request says it all.")


def _read_request(what: Launch, stream: Any) -> requests.Request:
    try:
        document = json.load(stream)
    except ValueError as error:  # UnicodeDecodeError too
        raise ValidationError(f"{stream.name} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise ValidationError(
            f"{stream.name} holds a {type(document).__name__}: expected a JSON object, "
            f"{what.operation}'s request."
        )
    requests.validate(what.operation, document)
    return document


def _with_buckets(session: Place, request: requests.Request) -> requests.Request:
    """Buckets that results go to are made if missing, as for a job described by options."""
    targets = [
        request.get(member, {}).get("S3OutputPath")
        for member in ("OutputDataConfig", "TransformOutput")
    ]
    for item in request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        targets.append(item.get("S3Output", {}).get("S3Uri"))
    for uri in filter(None, targets):
        session.output_uri(uri)
    return request

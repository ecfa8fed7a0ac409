"""Shared by the programs of this folder: what an SDK would send, kept instead of sent."""

import json
from collections.abc import Callable
from typing import Any

import boto3


class CapturedError(Exception):
    """In the place of the request."""


class Capture:
    """A boto3 session whose `Create…` calls to SageMaker end in `requests`, never on the wire."""

    def __init__(self) -> None:
        self.boto_session = boto3.Session()
        self.requests: list[dict[str, Any]] = []
        self.boto_session.events.register("before-parameter-build.sagemaker", self._keep)

    def _keep(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name.startswith("Create"):
            self.requests.append(params)
            raise CapturedError(model.name)

    def of(self, call: Callable[..., object], *arguments: Any, **named: Any) -> dict[str, Any]:
        """The request that `call` ends in."""
        try:
            call(*arguments, **named)
        except CapturedError:
            return self.requests[-1]
        raise AssertionError("nothing was created")


def show(name: str, ours: Any, theirs: Any) -> None:
    """A line for the test that runs the program."""
    print(name, json.dumps({"ours": ours, "theirs": theirs}, default=str))

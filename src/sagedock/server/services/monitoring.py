"""CloudWatch: metrics in and out, and those of training jobs."""

from __future__ import annotations

import io
import math
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from sagedock.local.settings import LocalSettings
from sagedock.server.messages import BODY_LIMIT, Request, Response
from sagedock.server.protocols.shapes import Params
from sagedock.server.services.job_metrics import JobMetrics
from sagedock.server.services.kept import KeptService
from sagedock.server.services.metric_records import MetricRecords, Sample, Series
from sagedock.server.services.metric_statistics import (
    Statistic,
    periods,
    rounded_start,
    statistic,
)
from sagedock.server.services.paging import page
from sagedock.server.services.rpc import Operation, ServiceError

_POINTS = 1440
_PAGE = 500
_OLD_SECONDS, _NEW_SECONDS = 14 * 86400, 2 * 3600
_RECENT_SECONDS = 3 * 3600
_SHORT = frozenset({1, 5, 10, 20, 30})
_LARGEST = 2.0**360
"""Values may be as large as this, whatever their sign."""


class Source(Protocol):
    """Where samples come from."""

    def series(self, since: float = ..., /) -> Any: ...

    def between(self, series: Series, start: float, end: float, /) -> list[Sample]: ...


class Metrics:
    """The operations: `own` takes what programs put in, `sources` are all there are."""

    def __init__(self, own: MetricRecords, sources: Sequence[Source]) -> None:
        self._own, self._sources = own, sources

    def operations(self) -> dict[str, Operation]:
        """What RpcService is given."""
        return {
            "PutMetricData": self._put,
            "ListMetrics": self._list,
            "GetMetricStatistics": self._statistics,
            "GetMetricData": self._data,
        }

    # in

    def _put(self, params: Params) -> None:
        namespace, now = params["Namespace"], time.time()
        if namespace.startswith("AWS/"):
            raise _invalid("The value AWS/ for parameter Namespace is invalid.")
        data = list(params.get("MetricData", ()))
        for entity in params.get("EntityMetricData", ()):
            data += entity.get("MetricData", ())
        if not data:
            raise _missing("The parameter MetricData is required.")
        self._own.add(
            (_series(namespace, datum), sample)
            for number, datum in enumerate(data, 1)
            for sample in list(_samples(datum, f"MetricData.member.{number}", now))
        )

    # out

    def _list(self, params: Params) -> dict[str, Any]:
        since = time.time() - _RECENT_SECONDS if "RecentlyActive" in params else 0.0
        found = {one for source in self._sources for one in source.series(since)}
        rows = sorted(
            (one for one in found if _passes(one, params)),
            key=lambda one: (one.namespace, one.name, one.dimensions),
        )
        wrong = _invalid("The value for parameter NextToken is invalid.")
        shown, more = page(rows, params.get("NextToken"), _PAGE, wrong)
        return {"Metrics": [_shown(series) for series in shown], "NextToken": more}

    def _statistics(self, params: Params) -> dict[str, Any]:
        names = [*params.get("Statistics", ()), *params.get("ExtendedStatistics", ())]
        if not names:
            raise _missing("At least one of Statistics and ExtendedStatistics must be specified.")
        wanted = {name: _statistic(name) for name in names}
        start, end, period = _window(params, params["Period"])
        if (end - start) / period > _POINTS:
            raise ServiceError(
                "InvalidParameterCombination",
                f"You have requested up to {math.ceil((end - start) / period):,} datapoints, which "
                f"exceeds the limit of {_POINTS:,}. You may reduce the datapoints requested by "
                "increasing Period, or decreasing the time range.",
            )
        samples = self._samples(_series(params["Namespace"], params), start, end, params)
        groups = periods(samples, start, period, by_unit=True)
        points = [_point(*key, group, wanted) for key, group in groups.items()]
        return {"Label": params["MetricName"], "Datapoints": points}

    def _samples(self, series: Series, start: float, end: float, unit: Params) -> list[Sample]:
        wanted = unit.get("Unit")
        return [
            sample
            for source in self._sources
            for sample in source.between(series, start, end)
            if wanted in {None, sample.unit}
        ]

    def _data(self, params: Params) -> dict[str, Any]:
        queries = params["MetricDataQueries"]
        if len({query["Id"] for query in queries}) < len(queries):
            raise ServiceError(
                "ValidationError",
                "The values for parameter id in MetricDataQueries are not unique.",
            )
        newest_first = params.get("ScanBy") != "TimestampAscending"
        results = [
            self._result(query, params, newest_first)
            for query in queries
            if query.get("ReturnData", True)
        ]
        return {"MetricDataResults": results, "Messages": []}

    def _result(self, query: Params, params: Params, newest_first: bool) -> dict[str, Any]:
        stat = query.get("MetricStat")
        if not stat or query.get("Expression"):
            text = f"Query {query['Id']} is an expression: only MetricStat is known on this machine"
            raise ServiceError("ValidationError", text)
        start, end, period = _window(params, stat["Period"])
        compute, metric = _statistic(stat["Stat"]), stat["Metric"]
        if not metric.get("Namespace") or not metric.get("MetricName"):
            raise _missing("A Metric has a Namespace and a MetricName.")
        series = _series(metric["Namespace"], metric)
        groups = periods(self._samples(series, start, end, stat), start, period, by_unit=False)
        points = sorted((at, compute(group)) for (at, _), group in groups.items())
        known = [point for point in points if point[1] is not None]
        if newest_first:
            known.reverse()
        return {
            "Id": query["Id"],
            "Label": query.get("Label", series.name),
            "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in known],
            "Values": [value for _, value in known],
            "StatusCode": "Complete",
        }


class MonitoringService(KeptService):
    """The service; SDKs send much data compressed."""

    def __call__(self, request: Request) -> Response:
        if request.headers.get("Content-Encoding") != "gzip":
            return super().__call__(request)
        try:
            data = _unpacked(request.whole_body())
        except zlib.error:
            data = b"\xff"  # no body of any protocol, so that it is refused in the protocol's form
        return super().__call__(replace(request, body=io.BytesIO(data), size=len(data)))


def service(settings: LocalSettings) -> MonitoringService:
    """The service `monitoring`, botocore's `cloudwatch`."""
    own, jobs = MetricRecords(settings.data), JobMetrics(settings.data)
    operations = Metrics(own, [own, jobs]).operations()
    return MonitoringService(
        "cloudwatch", operations, held=[own, jobs], invalid="InvalidParameterValue"
    )


def _unpacked(data: bytes) -> bytes:
    """At most a little more than a request may have, so that it is refused and nothing bursts."""
    return zlib.decompressobj(wbits=31).decompress(data, BODY_LIMIT + 1)


# requests


def _samples(datum: Params, path: str, now: float) -> Iterator[Sample]:
    """What one MetricDatum holds. Raises ServiceError."""
    at = datum["Timestamp"].timestamp() if "Timestamp" in datum else now
    if not now - _OLD_SECONDS <= at <= now + _NEW_SECONDS:
        raise _invalid(f"The parameter {path}.Timestamp must specify a time within the past two "
                       "weeks and no more than two hours in the future.")  # fmt: skip
    unit, given = datum.get("Unit", "None"), datum.keys() & {"Value", "Values", "StatisticValues"}
    if len(given) != 1:
        raise ServiceError(
            "InvalidParameterCombination" if given else "MissingParameter",
            f"Exactly one of {path}.Value, {path}.Values and {path}.StatisticValues must be given.",
        )
    if "StatisticValues" in datum:
        one = datum["StatisticValues"]
        sums = [one[name] for name in ("SampleCount", "Sum", "Minimum", "Maximum")]
        number, total, least, greatest = (_finite(value, path) for value in sums)
        yield Sample(at=at, unit=unit, number=number, total=total, least=least, greatest=greatest)
        return
    values = datum.get("Values", [datum.get("Value")])
    counts = datum.get("Counts", [1.0] * len(values))
    if len(counts) != len(values):
        raise _invalid(f"{path}.Counts and {path}.Values must have the same size.")
    for value, count in zip(values, counts, strict=True):
        yield Sample.of(_finite(value, path), at, unit=unit, number=_finite(count, path))


def _finite(value: float, path: str) -> float:
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise _invalid(f"The value {value} for parameter {path}.Value is invalid.")
    return float(value)


def _series(namespace: str, named: Params) -> Series:
    dimensions = [(one["Name"], one["Value"]) for one in named.get("Dimensions", ())]
    return Series(
        namespace=namespace, name=named["MetricName"], dimensions=tuple(sorted(dimensions))
    )


def _passes(series: Series, params: Params) -> bool:
    known = dict(series.dimensions)
    return (
        params.get("Namespace", series.namespace) == series.namespace
        and params.get("MetricName", series.name) == series.name
        and all(
            one["Name"] in known and one.get("Value", known[one["Name"]]) == known[one["Name"]]
            for one in params.get("Dimensions", ())
        )
    )


def _statistic(name: str) -> Statistic:
    found = statistic(name)
    if found is None:
        raise _invalid(f"The value {name} for parameter Stat is not supported.")
    return found


def _window(params: Params, period: int) -> tuple[float, float, int]:
    """Start, end and period in seconds. Raises ServiceError."""
    if period not in _SHORT and period % 60:
        raise _invalid(
            f"The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60, not {period}."
        )
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if start >= end:
        raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
    return rounded_start(start, period), end, period


# answers


def _shown(series: Series) -> dict[str, Any]:
    return {
        "Namespace": series.namespace,
        "MetricName": series.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions],
    }


def _point(
    at: float, unit: str, samples: Sequence[Sample], wanted: dict[str, Statistic]
) -> dict[str, Any]:
    values = {name: compute(samples) for name, compute in wanted.items()}
    extended = {
        name: value for name, value in values.items() if name.startswith("p") and value is not None
    }
    return {
        "Timestamp": datetime.fromtimestamp(at, UTC),
        "Unit": unit,
        **{name: value for name, value in values.items() if not name.startswith("p")},
        "ExtendedStatistics": extended or None,
    }


def _invalid(text: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", text)


def _missing(text: str) -> ServiceError:
    return ServiceError("MissingParameter", text)

"""SageMaker Runtime on the wire: requests to endpoints, handed to LocalRuntime."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sagedock import requests
from sagedock.errors import ModelError, SagedockError
from sagedock.local.hosting.calls.runtime import LocalRuntime
from sagedock.server.messages import Request, Response, TooLargeError
from sagedock.server.protocols import event_stream, json_rpc, rest
from sagedock.server.protocols.shapes import Params, SerializationError, new_request_id
from sagedock.server.services.rpc import ServiceError

SERVICE = "sagemaker-runtime"
PREFIX = "/endpoints/"
"""What paths of this service begin with."""


class RuntimeService:
    """The service `sagemaker-runtime` on `runtime`."""

    def __init__(self, runtime: LocalRuntime) -> None:
        self._operations: Mapping[str, Callable[..., dict[str, Any]]] = {
            "InvokeEndpoint": runtime.invoke_endpoint,
            "InvokeEndpointAsync": runtime.invoke_endpoint_async,
            "InvokeEndpointWithResponseStream": runtime.invoke_endpoint_with_response_stream,
        }

    def __call__(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except TooLargeError:
            fault = ServiceError("ValidationError", "The body is too large", status=413)
        except SerializationError as error:
            fault = ServiceError("ValidationError", str(error))
        except ModelError as error:
            members = error.members
            fault = ServiceError(error.code, error.message, status=error.http_status, **members)
        except SagedockError as error:
            fault = ServiceError("ValidationError", str(error))
        except ServiceError as error:
            fault = error
        except Exception:  # a fault of ours: told as AWS tells its own, and printed to be mended
            traceback.print_exc(file=sys.stderr)
            fault = ServiceError("InternalFailure", "A fault of sagedock's own", status=500)
        return json_rpc.error(fault.code, fault.message, status=fault.status, **fault.members)

    def _answer(self, request: Request) -> Response:
        model = requests.service_model(SERVICE)
        found = rest.operation_of(model, request)
        if found is None or found[0] not in self._operations:
            name = found[0] if found else f"{request.method} {request.path}"
            raise ServiceError(
                "UnknownOperationException", f"Operation {name} isn't available on this machine"
            )
        name, places = found
        operation = model.operation_model(name)
        params: Params = rest.params(request, places, operation.input_shape)
        body = request.whole_body()
        if body or name != "InvokeEndpointAsync":
            params["Body"] = body
        answer = self._operations[name](**params)
        fields = {"x-amzn-RequestId": new_request_id(), **rest.header_fields(answer, operation)}
        if name == "InvokeEndpointAsync":
            document = {key: answer[key] for key in ("InferenceId",) if key in answer}
            fields["Content-Type"] = "application/json"
            return Response(status=202, headers=fields, body=json.dumps(document).encode())
        if name == "InvokeEndpoint":
            return Response(headers=fields, body=answer["Body"].read())
        fields["X-Amzn-SageMaker-Content-Type"] = fields.pop("Content-Type", "")
        fields["Content-Type"] = event_stream.CONTENT_TYPE
        return Response(headers=fields, body=_events(answer["Body"]))


def _events(stream: Any) -> Iterator[bytes]:
    """The frames of a streamed answer; an error in its middle is a frame, too."""
    try:
        for item in stream:
            yield event_stream.event("PayloadPart", item["PayloadPart"]["Bytes"])
    except ModelError as error:
        document = {"Message": error.message, **error.members}
        yield event_stream.exception("ModelStreamError", json.dumps(document).encode())
    finally:
        stream.close()

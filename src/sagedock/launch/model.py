"""Models, and endpoints that keep them ready: an image and its artifact, several of them in a
row, or any number of artifacts behind one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sagedock import hosting_requests as requests
from sagedock.contract.names import base_name_of_image
from sagedock.launch.async_predictor import AsyncPredictor
from sagedock.launch.inference_configs import (
    AsyncInferenceConfig,
    DataCaptureConfig,
    ServerlessInferenceConfig,
)
from sagedock.launch.place import Place, place_of
from sagedock.launch.predictor import Predictor
from sagedock.launch.transformer import Transformer
from sagedock.store.uri import SCHEME, S3Uri

Calls = list[tuple[str, dict[str, Any]]]
"""Operations of the API and their requests, in their order."""


class _Deployable:
    """What can be created by name and kept ready at an endpoint."""

    def __init__(
        self,
        role: str | None,
        name: str | None,
        sagemaker_session: Place | None,
        tags: Sequence[Mapping[str, str]] | None,
        isolated: bool,
        vpc_config: Mapping[str, Sequence[str]] | None,
    ) -> None:
        self.sagemaker_session = place_of(sagemaker_session)
        self.role, self.name, self.tags = role, name, tags or ()
        self.enable_network_isolation, self.vpc_config = isolated, vpc_config
        self._created = False

    def _containers(self) -> dict[str, Any]:
        """CreateModel's PrimaryContainer, or its Containers."""
        raise NotImplementedError

    def _base(self) -> str:
        """What its name begins with where none is given."""
        raise NotImplementedError

    def create(self) -> str:
        """CreateModel, once; the model's name. Raises what the session's `create_model` raises."""
        name = self.sagemaker_session.job_name(self.name, self._base())
        if not self._created:
            self.sagemaker_session.create_model(self.request(name))
            self.name, self._created = name, True
        return name

    def request(self, name: str) -> requests.Request:
        """The CreateModel request of this model under that name."""
        return requests.model_request(
            name=name,
            containers=self._containers(),
            role=self.sagemaker_session.role_arn(self.role),
            isolated=self.enable_network_isolation,
            tags=self.tags,
            vpc=self.vpc_config,
        )

    def deploy(
        self,
        initial_instance_count: int = 1,
        instance_type: str | None = None,
        *,
        endpoint_name: str | None = None,
        wait: bool = True,
        async_inference_config: AsyncInferenceConfig | None = None,
        update_endpoint: bool = False,
        serverless_inference_config: ServerlessInferenceConfig | None = None,
        data_capture_config: DataCaptureConfig | None = None,
        volume_size: int | None = None,
        model_data_download_timeout: int | None = None,
        container_startup_health_check_timeout: int | None = None,
        kms_key: str | None = None,
        **settings: Any,
    ) -> Predictor | AsyncPredictor:
        """Keep this model ready at an endpoint; its Predictor, which other arguments go to (an
        AsyncPredictor with an `async_inference_config`).

        The endpoint goes on until it is deleted. `update_endpoint` puts the model in the place of
        what the endpoint of that name serves now, without losing a request. With `wait` it is
        InService when this returns: JobFailedError with its FailureReason if it is not. Raises
        what the session's client raises.
        """
        session = self.sagemaker_session
        calls = self.prepare(
            initial_instance_count,
            instance_type,
            endpoint_name=endpoint_name,
            serverless_inference_config=serverless_inference_config,
            async_inference_config=async_inference_config,
            data_capture_config=data_capture_config,
            volume_size=volume_size,
            model_data_download_timeout=model_data_download_timeout,
            container_startup_health_check_timeout=container_startup_health_check_timeout,
            update_endpoint=update_endpoint,
            kms_key=kms_key,
        )
        for operation, request in calls:
            self._carry_out(operation, request)
        name = calls[-1][1]["EndpointName"]
        if wait:
            session.wait_until_in_service(name)
        predictor = Predictor(name, session, **settings)
        return AsyncPredictor(predictor) if async_inference_config else predictor

    def prepare(
        self,
        initial_instance_count: int = 1,
        instance_type: str | None = None,
        *,
        endpoint_name: str | None = None,
        serverless_inference_config: ServerlessInferenceConfig | None = None,
        async_inference_config: AsyncInferenceConfig | None = None,
        data_capture_config: DataCaptureConfig | None = None,
        volume_size: int | None = None,
        model_data_download_timeout: int | None = None,
        container_startup_health_check_timeout: int | None = None,
        update_endpoint: bool = False,
        kms_key: str | None = None,
    ) -> Calls:
        """What `deploy` would ask for with these arguments: CreateModel (unless that was done),
        CreateEndpointConfig, CreateEndpoint or UpdateEndpoint."""
        session = self.sagemaker_session
        name = session.job_name(endpoint_name, self._base())
        model = session.job_name(self.name, self._base())
        variant = requests.production_variant(
            model_name=model,
            instance_type=""
            if serverless_inference_config
            else session.instance_type(instance_type),
            instance_count=initial_instance_count,
            serverless=_request_of(serverless_inference_config),
            volume_gb=volume_size,
            download_seconds=model_data_download_timeout,
            startup_seconds=container_startup_health_check_timeout,
        )
        config = self._config(name, update_endpoint)
        request = {"EndpointConfigName": config, "ProductionVariants": [variant]}
        request |= {"KmsKeyId": kms_key} if kms_key else {}
        request |= self._options(async_inference_config, data_capture_config)
        change = "UpdateEndpoint" if update_endpoint else "CreateEndpoint"
        return [
            *([] if self._created else [("CreateModel", self.request(model))]),
            ("CreateEndpointConfig", request),
            (change, {"EndpointName": name, "EndpointConfigName": config}),
        ]

    def _carry_out(self, operation: str, request: dict[str, Any]) -> None:
        session = self.sagemaker_session
        match operation:
            case "CreateModel":
                session.create_model(request)
                self.name, self._created = request["ModelName"], True
            case "CreateEndpointConfig":
                session.sagemaker_client.create_endpoint_config(**request)
            case "CreateEndpoint":
                session.sagemaker_client.create_endpoint(**request)
            case "UpdateEndpoint":
                session.sagemaker_client.update_endpoint(**request)

    def _config(self, endpoint: str, update: bool) -> str:
        """An endpoint's configuration has its name; an update's cannot have it, too."""
        return self.sagemaker_session.job_name(None, endpoint) if update else endpoint

    def _options(
        self, asynchronous: AsyncInferenceConfig | None, capture: DataCaptureConfig | None
    ) -> dict[str, Any]:
        bucket = S3Uri(self.sagemaker_session.planned_bucket())
        found = {}
        if asynchronous:
            default = str(bucket.join("async-endpoint-outputs"))
            found["AsyncInferenceConfig"] = asynchronous.to_request(default)
        if capture:
            default = str(bucket.join("model-monitor", "data-capture"))
            found["DataCaptureConfig"] = capture.to_request(default)
        return found

    def delete_model(self) -> None:
        """DeleteModel; artifacts stay."""
        if self.name is not None:
            self.sagemaker_session.sagemaker_client.delete_model(ModelName=self.name)
            self._created = False


class Model(_Deployable):
    """A model, with SDK v2's argument names: `model_data` is the URI or path of a model.tar.gz,
    `env` goes to its container."""

    def __init__(
        self,
        image_uri: str,
        model_data: str | Path | None = None,
        role: str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
        enable_network_isolation: bool = False,
        sagemaker_session: Place | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
        vpc_config: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(role, name, sagemaker_session, tags, enable_network_isolation, vpc_config)
        self.image_uri, self.model_data = image_uri, model_data
        self.env = dict(env or {})

    def container_def(self) -> dict[str, Any]:
        """This model as a container of a CreateModel request."""
        session = self.sagemaker_session
        data = session.input_uri(self.model_data) if self.model_data else None
        return requests.model_container(self.image_uri, data, self.env)

    def _containers(self) -> dict[str, Any]:
        return {"PrimaryContainer": self.container_def()}

    def _base(self) -> str:
        return base_name_of_image(self.image_uri)

    def to_sdk_v2(self, sagemaker_session: Any = None) -> Any:
        """SDK v2's Model with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v2

        return v2.model(self, sagemaker_session)

    def to_sdk_v3(self, sagemaker_session: Any = None) -> Any:
        """SDK v3's ModelBuilder with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v3

        return v3.model(self, sagemaker_session)

    def transformer(
        self, instance_count: int = 1, instance_type: str | None = None, **settings: Any
    ) -> Transformer:
        """A Transformer of this model; other arguments are the Transformer's own."""
        return Transformer(
            self.create(),
            instance_count,
            instance_type,
            sagemaker_session=self.sagemaker_session,
            **{"base_transform_job_name": base_name_of_image(self.image_uri), **settings},
        )


class PipelineModel(_Deployable):
    """Models in a row: the answer of one is the request of the next (D5.13)."""

    def __init__(
        self,
        models: Sequence[Model],
        role: str | None = None,
        name: str | None = None,
        *,
        enable_network_isolation: bool = False,
        sagemaker_session: Place | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
        vpc_config: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        session = sagemaker_session or models[0].sagemaker_session
        super().__init__(role, name, session, tags, enable_network_isolation, vpc_config)
        self.models = list(models)

    def to_sdk_v2(self, sagemaker_session: Any = None) -> Any:
        """SDK v2's PipelineModel with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v2

        return v2.pipeline_model(self, sagemaker_session)

    def pipeline_container_def(self) -> list[dict[str, Any]]:
        """The containers of a CreateModel request, in their order."""
        return [model.container_def() for model in self.models]

    def _containers(self) -> dict[str, Any]:
        return {"Containers": self.pipeline_container_def()}

    def _base(self) -> str:
        return base_name_of_image(self.models[0].image_uri)


class MultiDataModel(_Deployable):
    """Any number of artifacts below an S3 prefix, behind one image: which one answers is said
    with each request (`target_model`), and loaded when it is first asked for (D5)."""

    def __init__(
        self,
        name: str,
        model_data_prefix: str,
        image_uri: str,
        role: str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        enable_network_isolation: bool = False,
        sagemaker_session: Place | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
        vpc_config: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(role, name, sagemaker_session, tags, enable_network_isolation, vpc_config)
        self.model_data_prefix, self.image_uri = model_data_prefix, image_uri
        self.env = dict(env or {})

    def _containers(self) -> dict[str, Any]:
        prefix = self.model_data_prefix.rstrip("/") + "/"
        container = requests.model_container(self.image_uri, prefix, self.env)
        return {"PrimaryContainer": {**container, "Mode": "MultiModel"}}

    def _base(self) -> str:
        return base_name_of_image(self.image_uri)

    def to_sdk_v2(self, sagemaker_session: Any = None) -> Any:
        """SDK v2's MultiDataModel with these settings. Raises UsageError for one it can't take."""
        from sagedock.launch.sdk import v2

        return v2.multi_data_model(self, sagemaker_session)

    def add_model(self, model_data_source: str | Path, model_data_path: str | None = None) -> str:
        """Put a model.tar.gz below the prefix, as `model_data_path` (default: its own name); its
        URI. Raises InputError where there is none, StoreError for an unknown bucket."""
        text = str(model_data_source)
        name = model_data_path or text.rstrip("/").rpartition("/")[2]
        target = S3Uri.parse(self.model_data_prefix).join(name)
        self.sagemaker_session.copy(model_data_source, target)
        return str(target)

    def list_models(self) -> list[str]:
        """The artifacts there are: what `target_model` may be."""
        prefix = S3Uri.parse(self.model_data_prefix.rstrip("/") + "/")
        found = self.sagemaker_session.list_uris(prefix)
        return [uri.removeprefix(f"{SCHEME}{prefix.bucket}/{prefix.key}") for uri in found]


def _request_of(config: ServerlessInferenceConfig | None) -> dict[str, Any] | None:
    return config.to_request() if config else None

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
from sagedock.launch.predictor import Predictor, wait_until_in_service
from sagedock.launch.session import Session
from sagedock.launch.transformer import Transformer
from sagedock.store.uri import SCHEME, S3Uri

_BLOCK = 1 << 20


class _Deployable:
    """What can be created by name and kept ready at an endpoint."""

    def __init__(
        self,
        role: str | None,
        name: str | None,
        sagemaker_session: Session | None,
        tags: Sequence[Mapping[str, str]] | None,
        isolated: bool,
    ) -> None:
        self.sagemaker_session = sagemaker_session or Session()
        self.role, self.name, self.tags = role, name, tags or ()
        self.enable_network_isolation = isolated
        self._created = False

    def _containers(self) -> dict[str, Any]:
        """CreateModel's PrimaryContainer, or its Containers."""
        raise NotImplementedError

    def _base(self) -> str:
        """What its name begins with where none is given."""
        raise NotImplementedError

    def create(self) -> str:
        """CreateModel, once; the model's name. Raises what LocalSageMaker raises."""
        session = self.sagemaker_session
        name = session.job_name(self.name, self._base())
        if not self._created:
            request = requests.model_request(
                name=name,
                containers=self._containers(),
                role=session.role_arn(self.role),
                isolated=self.enable_network_isolation,
                tags=self.tags,
            )
            session.sagemaker_client.create_model(**request)
            self.name, self._created = name, True
        return name

    def deploy(
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
        wait: bool = True,
        **settings: Any,
    ) -> Predictor | AsyncPredictor:
        """Keep this model ready at an endpoint; its Predictor, which other arguments go to (an
        AsyncPredictor with an `async_inference_config`).

        The endpoint goes on until it is deleted. `update_endpoint` puts the model in the place of
        what the endpoint of that name serves now, without losing a request. With `wait` it is
        InService when this returns: JobFailedError with its FailureReason if it is not. Raises
        what LocalSageMaker raises.
        """
        session = self.sagemaker_session
        name = session.job_name(endpoint_name, self._base())
        variant = requests.production_variant(
            model_name=self.create(),
            instance_type=session.instance_type(instance_type),
            instance_count=initial_instance_count,
            serverless=_request_of(serverless_inference_config),
            volume_gb=volume_size,
            download_seconds=model_data_download_timeout,
            startup_seconds=container_startup_health_check_timeout,
        )
        config = self._config(name, update_endpoint)
        request = {"EndpointConfigName": config, "ProductionVariants": [variant]}
        request |= self._options(async_inference_config, data_capture_config)
        session.sagemaker_client.create_endpoint_config(**request)
        place = {"EndpointName": name, "EndpointConfigName": config}
        client = session.sagemaker_client
        _ = client.update_endpoint(**place) if update_endpoint else client.create_endpoint(**place)
        if wait:
            wait_until_in_service(session, name)
        predictor = Predictor(name, session, **settings)
        return AsyncPredictor(predictor) if async_inference_config else predictor

    def _config(self, endpoint: str, update: bool) -> str:
        """An endpoint's configuration has its name; an update's cannot have it, too."""
        return self.sagemaker_session.job_name(None, endpoint) if update else endpoint

    def _options(
        self, asynchronous: AsyncInferenceConfig | None, capture: DataCaptureConfig | None
    ) -> dict[str, Any]:
        bucket = S3Uri(self.sagemaker_session.default_bucket())
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
        sagemaker_session: Session | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(role, name, sagemaker_session, tags, enable_network_isolation)
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
        sagemaker_session: Session | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        session = sagemaker_session or models[0].sagemaker_session
        super().__init__(role, name, session, tags, enable_network_isolation)
        self.models = list(models)

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
        sagemaker_session: Session | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(role, name, sagemaker_session, tags, enable_network_isolation)
        self.model_data_prefix, self.image_uri = model_data_prefix, image_uri
        self.env = dict(env or {})

    def _containers(self) -> dict[str, Any]:
        prefix = self.model_data_prefix.rstrip("/") + "/"
        container = requests.model_container(self.image_uri, prefix, self.env)
        return {"PrimaryContainer": {**container, "Mode": "MultiModel"}}

    def _base(self) -> str:
        return base_name_of_image(self.image_uri)

    def add_model(self, model_data_source: str | Path, model_data_path: str | None = None) -> str:
        """Put a model.tar.gz below the prefix, as `model_data_path` (default: its own name); its
        URI. Raises InputError where there is none, StoreError for an unknown bucket."""
        session = self.sagemaker_session
        source = S3Uri.parse(session.input_uri(model_data_source))
        name = model_data_path or source.key.rpartition("/")[2]
        target = S3Uri.parse(self.model_data_prefix).join(name)
        session.store.create_bucket(target.bucket)
        with session.store.open(source) as data, session.store.writer(target) as out:
            while block := data.read(_BLOCK):
                out.write(block)
        return str(target)

    def list_models(self) -> list[str]:
        """The artifacts there are: what `target_model` may be."""
        prefix = S3Uri.parse(self.model_data_prefix.rstrip("/") + "/")
        found = self.sagemaker_session.store.list(prefix)
        return [
            str(info.uri).removeprefix(f"{SCHEME}{prefix.bucket}/{prefix.key}") for info in found
        ]


def _request_of(config: ServerlessInferenceConfig | None) -> dict[str, Any] | None:
    return config.to_request() if config else None

"""A model: an image and the artifact it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sagedock import requests
from sagedock.contract.names import base_name_of_image
from sagedock.launch.predictor import Predictor, wait_until_in_service
from sagedock.launch.session import Session
from sagedock.launch.transformer import Transformer


class Model:
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
        sagemaker_session: Session | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        self.sagemaker_session = sagemaker_session or Session()
        self.image_uri, self.model_data, self.role = image_uri, model_data, role
        self.env, self.name, self.tags = dict(env or {}), name, tags or ()
        self._created = False

    def create(self) -> str:
        """CreateModel, once; the model's name. Raises what LocalSageMaker raises."""
        session = self.sagemaker_session
        name = session.job_name(self.name, base_name_of_image(self.image_uri))
        if not self._created:
            data = session.input_uri(self.model_data) if self.model_data else None
            session.sagemaker_client.create_model(
                **requests.model_request(
                    name=name,
                    image_uri=self.image_uri,
                    model_data=data,
                    role=session.role_arn(self.role),
                    environment=self.env,
                    tags=self.tags,
                )
            )
            self.name, self._created = name, True
        return name

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

    def deploy(
        self,
        initial_instance_count: int = 1,
        instance_type: str | None = None,
        *,
        endpoint_name: str | None = None,
        container_startup_health_check_timeout: int | None = None,
        wait: bool = True,
        **settings: Any,
    ) -> Predictor:
        """Keep this model ready at an endpoint; its Predictor, which other arguments go to.

        The endpoint goes on until it is deleted. With `wait` it is InService when this returns:
        JobFailedError with its FailureReason if it is not. Raises what LocalSageMaker raises.
        """
        session = self.sagemaker_session
        client = session.sagemaker_client
        name = session.job_name(endpoint_name, base_name_of_image(self.image_uri))
        variant = requests.production_variant(
            model_name=self.create(),
            instance_type=session.instance_type(instance_type),
            instance_count=initial_instance_count,
            startup_seconds=container_startup_health_check_timeout,
        )
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        if wait:
            wait_until_in_service(session, name)
        return Predictor(name, session, **settings)

    def delete_model(self) -> None:
        """DeleteModel; the artifact stays."""
        if self.name is not None:
            self.sagemaker_session.sagemaker_client.delete_model(ModelName=self.name)
            self._created = False

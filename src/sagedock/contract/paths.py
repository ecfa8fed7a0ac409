"""Where things lie under /opt/ml. The only place that spells the path out.

Source: A2 (config files), A3.1 (channels), A5 (outputs), C15/C16/C18 (processing), B4 (base dir).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MLPaths:
    """Paths of the contract below `root`, as POSIX strings (they are paths *in a container*)."""

    root: str = "/opt/ml"

    @property
    def input(self) -> str:
        return f"{self.root}/input"

    @property
    def input_config(self) -> str:
        return f"{self.input}/config"

    @property
    def hyperparameters(self) -> str:
        """A2.1: one flat object, every value a JSON string."""
        return f"{self.input_config}/hyperparameters.json"

    @property
    def input_data_config(self) -> str:
        """A2.2: object keyed by channel."""
        return f"{self.input_config}/inputdataconfig.json"

    @property
    def resource_config(self) -> str:
        """A2.3, all lower case (A2.3g)."""
        return f"{self.input_config}/resourceconfig.json"

    @property
    def checkpoint_config(self) -> str:
        """A2.4, only with CheckpointConfig."""
        return f"{self.input_config}/checkpointconfig.json"

    @property
    def input_data(self) -> str:
        return f"{self.input}/data"

    def channel(self, name: str) -> str:
        """A3.1: where a File-mode channel's objects lie."""
        return f"{self.input_data}/{name}"

    @property
    def model(self) -> str:
        """A5.1: becomes model.tar.gz."""
        return f"{self.root}/model"

    @property
    def models(self) -> str:
        """D5.2: models of a multi-model container lie here, each below its name."""
        return f"{self.root}/models"

    @property
    def output(self) -> str:
        return f"{self.root}/output"

    @property
    def output_data(self) -> str:
        """A5.2: becomes output.tar.gz, and only this folder does."""
        return f"{self.output}/data"

    @property
    def failure(self) -> str:
        """A5.6: the first 1,024 characters become FailureReason."""
        return f"{self.output}/failure"

    @property
    def success(self) -> str:
        """B6.4: written by the training toolkit."""
        return f"{self.output}/success"

    @property
    def message(self) -> str:
        """C18: becomes ExitMessage of a processing job."""
        return f"{self.output}/message"

    @property
    def code(self) -> str:
        """B4: the training toolkit's default code location."""
        return f"{self.root}/code"

    @property
    def checkpoints(self) -> str:
        """A5.10: default LocalPath."""
        return f"{self.root}/checkpoints"

    @property
    def processing(self) -> str:
        """C6: inputs and outputs of processing lie below this."""
        return f"{self.root}/processing"

    @property
    def processing_code(self) -> str:
        """C21: where ScriptProcessor's script lies."""
        return f"{self.processing}/input/code"

    @property
    def processing_config(self) -> str:
        return f"{self.root}/config"

    @property
    def processing_job_config(self) -> str:
        """C15 (J14: not below processing/)."""
        return f"{self.processing_config}/processingjobconfig.json"

    @property
    def processing_resource_config(self) -> str:
        """C16: another folder than training's."""
        return f"{self.processing_config}/resourceconfig.json"


ML = MLPaths()

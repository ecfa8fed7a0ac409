"""What is said of each step of a job: the service's StatusMessage."""

from __future__ import annotations

from sagedock.local.records import Kind

MESSAGES = {
    Kind.TRAINING: {
        "Starting": "Preparing the instances for training",
        "Downloading": "Downloading input data",
        "Training": "Training image download completed. Training in progress.",
        "Stopping": "Stopping the training job",
        "Uploading": "Uploading generated training model",
        "Completed": "Training job completed",
        "Failed": "Training job failed",
        "Stopped": "Training job stopped",
        "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds",
    },
    Kind.TRANSFORM: {
        "Starting": "Preparing the instances for the transform job",
        "Downloading": "Downloading the model",
        "Training": "Transform in progress",
        "Stopping": "Stopping the transform job",
        "Completed": "Transform job completed",
        "Failed": "Transform job failed",
        "Stopped": "Transform job stopped",
    },
    Kind.PROCESSING: {
        "Starting": "Preparing the instances for processing",
        "Downloading": "Downloading inputs",
        "Training": "Processing in progress",
        "Stopping": "Stopping the processing job",
        "Uploading": "Uploading outputs",
        "Completed": "Processing job completed",
        "Failed": "Processing job failed",
        "Stopped": "Processing job stopped",
        "MaxRuntimeExceeded": "Processing job runtime exceeded MaxRuntimeInSeconds",
    },
}
"""StatusMessage of each step. Of other jobs than training the service shows no steps; ours are
the same."""

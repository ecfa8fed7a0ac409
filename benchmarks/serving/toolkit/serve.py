"""Starts multi-model-server through sagemaker-inference."""

from sagemaker_inference import model_server

model_server.start_model_server(handler_service="/app/handler.py:handle")

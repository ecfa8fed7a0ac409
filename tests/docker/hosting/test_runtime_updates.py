"""Callers while an endpoint is updated: whoever is on the way through old containers arrives."""

import threading
import time

SLOW = """
    import os, time

    def model_fn(folder):
        return os.environ["WORD"]

    def transform_fn(model, body, content_type, accept):
        if model == "one":
            time.sleep(2)
        return (body.decode() if isinstance(body, bytes) else body) + model
"""


def test_a_pipelines_callers_arrive_while_it_is_updated(hosting):
    """The old containers get SIGTERM a second after nobody is sent to them any more; the answer of
    the first, which takes two, has the second still to go through."""
    containers = [
        hosting.container(
            f"p-{word}",
            {"code/inference.py": hosting.code(SLOW)},
            Environment={"WORD": word},
            ContainerHostname=word,
        )
        for word in ("one", "two")
    ]
    hosting.client.create_model(ModelName="p", Containers=containers, ExecutionRoleArn=hosting.role)
    assert hosting.endpoint("live", {"p": 1}) == "InService"
    hosting.config("next", {"p": 1})
    answers, errors, done = [], [], threading.Event()

    def call():
        while not done.is_set():
            try:
                answer = hosting.runtime.invoke_endpoint(
                    EndpointName="live", Body=b"0", ContentType="text/plain"
                )
                answers.append(answer["Body"].read())
            except Exception as error:  # every kind is one too many
                errors.append(error)

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
        time.sleep(0.25)
    hosting.client.update_endpoint(EndpointName="live", EndpointConfigName="next")
    assert hosting.settled("live", "Updating") == "InService"
    time.sleep(3)
    done.set()
    for caller in callers:
        caller.join()
    assert errors == []
    assert set(answers) == {b"0onetwo"}

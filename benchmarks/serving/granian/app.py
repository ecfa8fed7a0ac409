"""The serving image's ASGI application for a server that brings its own workers."""

import os
from concurrent.futures import ThreadPoolExecutor

from sagedock.runtime import door
from sagedock.runtime.serve import discovery, settings
from sagedock.runtime.serve.app import App, BuiltinService
from sagedock.runtime.serve.builtin import Builtin
from sagedock.runtime.serve.metrics import Counters

found = settings.read(os.environ, door.paths_here(), cpus=2)
builtin = Builtin(discovery.load_model(found.model_dir, found), found)
builtin.warm_up()
counters = Counters(1)
pool = ThreadPoolExecutor(1)
apps = []


async def application(scope, receive, send):
    if not apps:  # the service belongs to the event loop, which is there with the first request
        service = BuiltinService(builtin, counters.slot(0), pool, limit=found.max_payload)
        apps.append(App(service, found, counters, counters.slot(0)))
    await apps[0](scope, receive, send)

"""Our S3, alone in a process: what run.py measures. Arguments: port, data folder."""

import sys
from pathlib import Path

from sagedock.server.application import Credentials
from sagedock.server.http import Listener
from sagedock.server.s3.service import S3Service
from sagedock.store.disk import DiskStore

store = DiskStore(Path(sys.argv[2]))
key = Credentials(access_key="test", secret_key="test")
service = S3Service(store, region="us-east-1", credentials=key)  # so signatures are verified
Listener(("127.0.0.1", int(sys.argv[1])), service).serve_forever()

"""Uploads a folder as a launch on AWS does: read, compared with what is there, sent."""

import sys

from sagedock import AwsSession
from sagedock.launch.listeners import PlainListener

session = AwsSession(listener=PlainListener(sys.stderr))
uri = session.input_uri(sys.argv[1])
session.bring({"S3Uri": uri}, ())
print(uri)

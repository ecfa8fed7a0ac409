"""Amazon S3's REST API on the object store of this machine."""

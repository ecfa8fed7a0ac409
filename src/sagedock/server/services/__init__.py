"""The services behind the wire, one file each: operations by name, parameters as in boto3."""

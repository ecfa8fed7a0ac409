"""AWS's addresses written by hand, past every setting of an endpoint."""

import os
import urllib.request

import boto3
import requests

sts = boto3.client("sts", endpoint_url="https://sts.us-east-1.amazonaws.com")
print("boto3", sts.get_caller_identity()["Arn"])
session = boto3.Session()
for variable in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
    del os.environ[variable]
for region in ("us-east-1", "eu-west-1"):
    client = boto3.client("sts", region_name=region)
    print(region, client.meta.endpoint_url, client.get_caller_identity()["Arn"])
s3 = boto3.client("s3")
s3.create_bucket(Bucket="by-hand")
s3.put_object(Bucket="by-hand", Key="a", Body=b"here")
print("s3", s3.meta.endpoint_url, s3.get_object(Bucket="by-hand", Key="a")["Body"].read())
action = "?Action=GetCallerIdentity&Version=2011-06-15"
for address in ("https://sts.us-east-1.amazonaws.com/", "https://sts.amazonaws.com/"):
    with urllib.request.urlopen(address + action) as answer:
        print("urllib", answer.status, "assumed-role/SageMakerRole" in answer.read().decode())
    print("requests", "SageMakerRole" in requests.get(address + action, timeout=10).text)

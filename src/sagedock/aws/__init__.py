"""The real AWS, through boto3: who asks, and how it is asked. The only room that imports boto3.

With AWS_ENDPOINT_URL set (`sagedock run`, `sagedock env`) this machine answers.
"""

"""Asks AWS, or what stands for it (AWS_ENDPOINT_URL), with AWS's own client.

Reads a JSON list of [service, operation, parameters] from standard input, prints the list of answers. An answer that is
an error is {"Error": {"Code", "Message"}}.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError


def ask(service, operation, parameters):
    try:
        answer = getattr(boto3.client(service), operation)(**parameters)
    except ClientError as error:
        return {"Error": error.response["Error"]}
    answer.pop("ResponseMetadata", None)
    return {key: value.read().decode() if hasattr(value, "read") else value for key, value in answer.items()}


print(json.dumps([ask(*question) for question in json.load(sys.stdin)], default=lambda value: value.decode() if isinstance(value, bytes) else str(value)))

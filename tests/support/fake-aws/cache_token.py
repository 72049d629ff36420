"""A login for ElastiCache as AWS's own client signs it, for now; printed as JSON with the time it is for."""

import json
import sys
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

cache, user, region, key, secret, token = sys.argv[1:]
request = AWSRequest("GET", f"http://{cache}/", params={"Action": "connect", "User": user})
SigV4QueryAuth(Credentials(key, secret, token or None), "elasticache", region, expires=900).add_auth(request)
url = request.prepare().url
print(json.dumps({"host": urlsplit(url).netloc, "query": {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}}))

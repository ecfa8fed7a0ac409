"""AWS's RPC protocols, the server's side: JSON, Query, CBOR, all by botocore's shapes."""

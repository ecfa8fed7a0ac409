"""AWS's wire protocols on loopback: what SDKs, the AWS CLI and containers speak to."""

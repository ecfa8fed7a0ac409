"""Object storage by s3:// URI. Knows buckets, keys and bytes; must not know jobs or containers."""

"""The proxy that programs are given: AWS's own names are answered here, all else is passed on."""

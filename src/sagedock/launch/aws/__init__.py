"""The caller's account of AWS as a place to launch in."""

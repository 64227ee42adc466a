"""Hosts that exist: looked at, judged, and reached by SSH; never made or removed."""

"""Checks of multicast on the LAN, by second interfaces and on hosts, one file each."""

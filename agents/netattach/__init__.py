"""netattach: a CNI meta-plug-in that gives pods second interfaces where Multus cannot be had.

Standard library only. It starts once for every CNI call, so modules import late and avoid what is slow to load
(dataclasses, typing, subprocess, http.client).
"""

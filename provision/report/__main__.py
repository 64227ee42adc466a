"""`python -m provision.report`: print the JSON schema of a report, for docs/report.schema.json."""

import json

from provision.report.model import schema

print(json.dumps(schema(), indent=2))

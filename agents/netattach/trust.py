"""Whose network a NetworkAttachmentDefinition is, and what may be attached of it.

One with the tenants' label is judged by their policy. One without it is an administrator's and trusted as it stands,
as long as the cluster keeps the admission policy that lets nobody else write such; else all are judged.
"""

from __future__ import annotations

from .api import Api
from .errors import INVALID_CONFIG, CniError, Damaged
from .files import damaged, read_json
from .network import Network, parse
from .settings import Settings
from .tenants import ADMISSION, LABEL, Grant, Json, at, stands

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_REMEDY = "`mcastlab up` writes it again"


class Definition:
    """A NetworkAttachmentDefinition as the API server has it; `text` is empty where it has no configuration."""

    def __init__(self, namespace: str, name: str, found: Json) -> None:
        self.namespace = namespace
        self.name = name
        config = at(found, "spec").get("config")
        self.text = config if isinstance(config, str) else ""
        self.labelled = LABEL in at(found, "metadata", "labels")

    @property
    def subject(self) -> str:
        return f'the NetworkAttachmentDefinition "{self.namespace}/{self.name}"'


class Trust:
    """Asked about all networks of one call; the cluster and the policy's file are looked at once, where needed."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._path = settings.tenants
        self._policy: Json | None = None
        self._kept: bool | None = None

    @property
    def policy(self) -> Json:
        """The tenants' policy; without its file nothing is allowed to them. Raises Damaged."""
        if self._policy is None:
            try:
                found = read_json(self._path, _REMEDY)
            except FileNotFoundError:
                found = {}
            except Damaged as error:
                problem = f"the tenants' policy cannot be read: {error.msg}"
                raise Damaged(INVALID_CONFIG, problem, error.details) from error
            if not isinstance(found, dict):
                raise damaged(INVALID_CONFIG, self._path, "is not a policy of tenants", _REMEDY)
            self._policy = found
        return self._policy

    def grant(self, namespace: str) -> Grant:
        """What the namespace's own networks may be."""
        return Grant(self.policy, namespace)

    def limit(self, name: str, default: int) -> int:
        """A number of the policy's `limits`."""
        return int(str(at(self.policy, "limits").get(name, default)))

    def judges(self, definition: Definition) -> bool:
        """Whether the tenants' policy decides about it."""
        if definition.labelled:
            return True
        return not self._admission_stands() and not self._own(definition)

    def network(self, definition: Definition) -> Network:
        """The network of a definition that is judged; CniError 7 names key and rule of one that is refused."""
        from .judge import Refused, judge

        try:
            document = judge(definition.text, definition.name, self.grant(definition.namespace))
        except Refused as refused:
            raise CniError(
                INVALID_CONFIG,
                f'{definition.subject} is not one that namespace "{definition.namespace}" may have: {refused}',
                self._why(definition),
            ) from refused
        return Network(definition.subject, document, definition.name)

    def _why(self, definition: Definition) -> str:
        if definition.labelled:
            return f'it has the label "{LABEL}" of tenants; their policy stands in lab.yml'
        return f'all networks are judged, since the cluster has no ValidatingAdmissionPolicy "{ADMISSION}" in force'

    def _own(self, definition: Definition) -> bool:
        """Whether it is a network of the lab's own, as the lab made it."""
        text = at(self.policy, "own").get(definition.name)
        if not isinstance(text, str):
            return False
        subject = definition.subject
        return (
            parse(subject, text, definition.name).to_dict()
            == parse(subject, definition.text, definition.name).to_dict()
        )

    def _admission_stands(self) -> bool:
        if self._kept is None:
            kinds = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
            self._kept = stands(*(self._spec(kind) for kind in kinds))
        return self._kept

    def _spec(self, kind: str) -> Json:
        status, found = self._api.call("GET", f"{_ADMISSION}/{kind}/{ADMISSION}")
        return at(found, "spec") if status == 200 else {}

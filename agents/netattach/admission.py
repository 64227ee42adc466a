"""The tenants' policy as the API server has it: a ValidatingAdmissionPolicy, made of the same schemas.

    python3 -m agents.netattach.admission '{"networks": […], "masters": […], …}'    # prints the manifests

CEL reads no JSON, so the text is judged as text, and some are refused without need: a backslash, white space within a
string, a key in other capitals, a number that is not whole (docs/security.md). First comes what can be said of one key,
so that the refusal names it; the last rule is the whole form.
"""

from __future__ import annotations

import json
import sys

from .patterns import NESTED, form, keys, known_keys, pattern, scalars, twice
from .tenants import ADMISSION, LABEL, OCTETS, POOLED, Grant, Json, at

_KNOWN = [key.strip('"') for key in known_keys()]
_TOKENS = r'^(?:[ \t\r\n{}\[\],:]|"[^"\\\s]*"|-?[0-9]+|true|false)*$'
_NETWORKS = {"apiGroups": ["k8s.cni.cncf.io"], "apiVersions": ["v1"], "resources": ["network-attachment-definitions"]}


def manifests(policy: Json) -> list[Json]:
    """The policy and its binding."""
    metadata = {"name": ADMISSION, "labels": {"app.kubernetes.io/part-of": "mcastlab"}}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": metadata}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**_NETWORKS, "operations": ["CREATE", "UPDATE"], "scope": "*"}]},
        "matchConditions": [
            {"name": "a-tenants", "expression": f"!({_administrator(policy)}) || {_labelled('object')}"}
        ],
        "variables": [{"name": name, "expression": text} for name, text in _variables(policy).items()],
        "validations": _validations(policy),
    }
    binding = {"policyName": ADMISSION, "validationActions": ["Deny"]}
    return [
        {**kind, "kind": "ValidatingAdmissionPolicy", "spec": spec},
        {**kind, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


def _administrator(policy: Json) -> str:
    listed = at(policy, "administrators")
    users, groups = (json.dumps(listed.get(key) or []) for key in ("users", "groups"))
    return f"request.userInfo.username in {users} || request.userInfo.groups.exists(g, g in {groups})"


def _labelled(which: str) -> str:
    return f'(has({which}.metadata.labels) && "{LABEL}" in {which}.metadata.labels)'


def _variables(policy: Json) -> dict[str, str]:
    """What the validations use; what differs by namespace is looked up by it, or by "" for all others."""
    names = sorted(at(policy, "tenants"))
    grants = {name: Grant(policy, name) for name in ["", *names]}
    tables = {
        "form": {name: _quoted(form(grant)) for name, grant in grants.items()},
        "ipam": {name: _quoted('"ipam":' + pattern(grant.ipam())) for name, grant in grants.items()},
        "values": {name: _quoted("|".join(scalars(grant))) for name, grant in grants.items()},
        "keys": {name: _quoted("|".join(keys(grant)).replace('"', "")) for name, grant in grants.items()},
        "macvlan": {name: json.dumps(grant.masters["macvlan"]) for name, grant in grants.items()},
        "ipvlan": {name: json.dumps(grant.masters["ipvlan"]) for name, grant in grants.items()},
        "ranges": {name: json.dumps(grant.ranges) for name, grant in grants.items()},
    }
    found = {name: f"{_table(table)}[variables.tenant]" for name, table in tables.items()}
    return (
        {"tenant": f'object.metadata.namespace in {json.dumps(names)} ? object.metadata.namespace : ""'} | found | _CEL
    )


# What is found in the text; `compact` is the text without white space, which `_TOKENS` keeps out of its strings.
_CEL = {
    "name": 'has(object.metadata.name) ? object.metadata.name : ""',
    "subject": """"network '" + object.metadata.namespace + "/" + variables.name + "': " """,
    "text": 'has(object.spec) && has(object.spec.config) ? object.spec.config : ""',
    "compact": r"""variables.text.replace(" ", "").replace("\n", "").replace("\t", "").replace("\r", "")""",
    # A key in other capitals is no key of an added plug-in: Go would take it for the known one.
    "odd_keys": f"""variables.compact.findAll(r'"[^"]*":').map(k, k.split('"')[1]).filter(k, !k.matches(variables.keys)
        || (k.lowerAscii() in {json.dumps([key.lower() for key in _KNOWN])} && !(k in {json.dumps(_KNOWN)})))""",
    "odd_values": r"""variables.compact.findAll(r'"[^"]*":(?:"[^"]*"|[^,{}\[\]"]+)')
        .filter(v, !v.matches(variables.values))""",
    "odd_types": """variables.compact.findAll(r'"type":"[^"]*"').filter(t, !t.matches(variables.values))""",
    "twice": f"variables.compact.find(r'{twice()}')",
    "masters": """variables.compact.findAll(r'"master":"[^"]*"').map(m, m.split('"')[3])""",
    "kind": """variables.compact.find(r'"type":"(?:macvlan|ipvlan)"')""",
    "allowed": """variables.kind.contains("ipvlan") ? variables.ipvlan : variables.macvlan""",
    "names": """variables.compact.findAll(r'"name":"[^"]*"').map(n, n.split('"')[3]) + [variables.name]""",
    "ipams": f"""variables.compact.findAll(r'"ipam":{NESTED}')""",
    "addresses": """variables.compact.findAll(r'"address":"[^"]*"').map(a, a.split('"')[3].split("/")[0])""",
    "sets": r"""variables.ipams.filter(i, i.contains('"type":"host-local"')).map(i, i.contains('"ranges":')
        ? i.findAll(r'\{[^{}]*"subnet":[^{}]*\}') : [i])""",
    "given": 'variables.ranges.size() > 0 ? variables.ranges.join(", ") : "none"',
}


def _validations(policy: Json) -> list[Json]:
    reserved, subject = json.dumps(Grant(policy, "").reserved), "variables.subject"
    ask = f"give it the label '{LABEL}', by which tenants' networks are told from administrators'"
    own = "administrators' networks have no such label, and only administrators change them or take the label off"
    first = '(u.find(r\'"{0}":"[^"]*"\') != "" ? u.find(r\'"{0}":"[^"]*"\').split(\'"\')[3] : "")'
    start, end, subnet = (first.format(key) for key in ("rangeStart", "rangeEnd", "subnet"))
    edges = f"[{start}, {end}].all(e, e == '' ? cidr(r).containsCIDR({subnet}) : isIP(e) && cidr(r).containsIP(e))"
    rules = [
        (_labelled("object"), f'"{ask}"'),
        (f'request.operation != "UPDATE" || {_administrator(policy)} || {_labelled("oldObject")}', f'"{own}"'),
        (f"variables.text.size() <= {OCTETS}", f"\"'config' is longer than {OCTETS} octets\""),
        (
            f"variables.compact != \"\" && variables.text.matches(r'{_TOKENS}')",
            "\"'config' cannot be judged here: it is empty, no JSON, or has a backslash, a blank within a string or a"
            ' number that is not whole"',
        ),
        (
            "variables.odd_types.size() == 0",
            """"'type' may not be " + variables.odd_types.map(t, t.split('"')[3]).join(", ")""",
        ),
        (
            "variables.odd_keys.size() == 0",
            """"no tenant may have the key '" + variables.odd_keys.join("', '") + "'\"""",
        ),
        ('variables.twice == ""', '"key \'" + variables.twice.split(\'"\')[1] + "\' is there twice"'),
        ("variables.odd_values.size() == 0", '"the value in " + variables.odd_values.join(", ") + " is not allowed"'),
        (
            "variables.masters.all(m, m in variables.allowed)"
            ' && (variables.kind == "" || variables.masters.size() == 1)',
            '"\'master\' must be one of: " + variables.allowed.join(", ")',
        ),
        (
            f"variables.names.all(n, !(n in {reserved}))",
            "\"'name' is that of a network of the lab's own\"",
        ),
        (
            "variables.addresses.all(a, isIP(a) && variables.ranges.exists(r, cidr(r).containsIP(a)))",
            "\"'ipam.addresses' must be of the namespace's ranges: \" + variables.given",
        ),
        (
            f"variables.sets.all(s, s.all(u, isCIDR({subnet}) && variables.ranges.exists(r, {edges})))",
            "\"'ipam.subnet', or rangeStart and rangeEnd, must be of the namespace's ranges: \" + variables.given",
        ),
        *_pooled(policy, first.format("range")),
        (
            "variables.ipams.all(i, i.matches(variables.ipam))",
            "\"'ipam' is of a type, or has a key, that may not stand there\"",
        ),
        (
            "variables.compact.matches(variables.form)",
            "\"'type' of the network or of a plug-in of its chain, or the place of a key, is not allowed\"",
        ),
    ]
    return [
        {"expression": rule, "messageExpression": f"{subject} + {message}", "reason": "Forbidden"}
        for rule, message in rules
    ]


def _pooled(policy: Json, pool: str) -> list[tuple[str, str]]:
    """The rule of whereabouts' ranges, where the cluster has its pools; `pool` finds the range in the text `u`."""
    own = f'u.contains(\'"type":"{POOLED}"\')'
    inside = f"isCIDR({pool}) && variables.ranges.exists(r, cidr(r).containsCIDR({pool}))"
    rule = f"variables.ipams.all(u, !{own} || ({inside}))"
    return (
        [(rule, "\"'ipam.range' must be of the namespace's ranges: \" + variables.given")]
        if policy.get("pools")
        else []
    )


def _quoted(text: str) -> str:
    """A pattern of the whole of a text, in CEL."""
    return f"r'^(?:{text})$'"


def _table(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in values.items()) + "}"


if __name__ == "__main__":
    sys.stdout.write("".join(f"---\n{json.dumps(one, indent=1)}\n" for one in manifests(json.loads(sys.argv[1]))))

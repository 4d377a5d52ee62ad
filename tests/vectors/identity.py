#!/usr/bin/env python3
"""Makes identity.json: twin records, histories and what is to be said of them.

It shares no code with the hub, so that the vectors are no echo of it. Needs the Python package
`cryptography`. Deterministic (Ed25519 is): run it again and nothing changes.

    tests/vectors/identity.py > tests/vectors/identity.json
"""

import base64
import copy
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def canonical(value):
    """RFC 8785 for strings, integers, arrays and objects."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def b64(octets):
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Key:
    def __init__(self, number):
        self.seed = bytes([number]) * 32
        self.key = Ed25519PrivateKey.from_private_bytes(self.seed)
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.name = "ed25519:" + b64(raw)

    def sign(self, octets):
        return b64(self.key.sign(octets))


RECOVERY, HUB, SIGN, NEW_HUB, NEW_SIGN, THIEF = map(Key, range(1, 7))


def payload(record):
    """What is signed and hashed."""
    left_out = {"sigs"} if "prev" in record else {"sigs", "id"}
    return canonical({name: value for name, value in record.items() if name not in left_out}).encode()


def hash_of(record):
    return "sha256:" + b64(hashlib.sha256(payload(record)).digest())


def time(day, hour=0):
    return f"2026-11-{day:02}T{hour:02}:00:00Z"


def unix(day, hour=0):
    return 1793491200 + (day - 1) * 86400 + hour * 3600


def draft(at, rotate=(RECOVERY, HUB), sign=(SIGN,), handle="alice@example.org", hub="example.org"):
    return {
        "type": "twin/1",
        "time": at,
        "exp": "2027-11-30T00:00:00Z",
        "handle": handle,
        "hub": [hub],
        "keys": {"rotate": [key.name for key in rotate], "sign": [key.name for key in sign]},
        "custody": "hub",
        "accepts": ["mail/1"],
    }


def signed(record, *keys):
    record = dict(record)
    record["sigs"] = [{"key": key.name, "sig": key.sign(payload(record))} for key in keys]
    return record


def genesis(record, *keys):
    record = dict(record, seq=1)
    digest = hashlib.sha256(payload(record)).digest()
    record["id"] = "tw1" + base64.b32encode(digest[:20]).decode().lower()
    return signed(record, *keys)


def behind(before, record, *keys):
    return signed(dict(record, seq=before["seq"] + 1, id=before["id"], prev=hash_of(before)), *keys)


def changed(record, **members):
    return {**copy.deepcopy(record), **members}


FIRST = genesis(draft(time(1)), HUB)
SECOND = behind(FIRST, draft(time(2), sign=(NEW_SIGN,)), HUB)
THIRD = behind(SECOND, draft(time(3), rotate=(RECOVERY, NEW_HUB), sign=(NEW_SIGN,)), HUB)
MOVED = behind(SECOND, draft(time(3), handle="alice@example.net", hub="example.net"), RECOVERY)
STOLEN = behind(FIRST, draft(time(2), rotate=(THIEF,), sign=(THIEF,)), HUB)
DEEPER = behind(STOLEN, draft(time(2, 1), rotate=(THIEF,), sign=(THIEF,)), THIEF)
RESCUED = behind(FIRST, draft(time(2, 3), rotate=(RECOVERY, NEW_HUB), sign=(NEW_SIGN,)), RECOVERY)
OTHER = genesis(draft(time(1), handle="bob@example.org"), HUB)

OTHER_SECOND = behind(FIRST, draft(time(2), sign=(SIGN, NEW_SIGN)), HUB)
NOT_ROTATING = behind(FIRST, draft(time(2)), SIGN)
# The old hub key was rotated away by the third version.
LATE = behind(THIRD, draft(time(4)), HUB)
EARLIER = behind(SECOND, draft(time(1)), HUB)
SKIPPED = signed(dict(draft(time(3)), seq=3, id=FIRST["id"], prev=hash_of(FIRST)), HUB)
WRONG_PREV = signed(dict(draft(time(2)), seq=2, id=FIRST["id"], prev=hash_of(OTHER)), HUB)
SWAPPED = changed(SECOND, sigs=STOLEN["sigs"])
FORGED = changed(SECOND, custody="device")

# name, versions that are believed and when each was first seen, versions that are offered, now, outcome
HISTORIES = [
    ("a new twin", [], [], [FIRST, SECOND, THIRD], unix(4), "new"),
    ("a newer version", [FIRST], [unix(1)], [FIRST, SECOND], unix(4), "extended 1"),
    ("two newer versions", [FIRST], [unix(1)], [FIRST, SECOND, THIRD], unix(4), "extended 2"),
    ("nothing new", [FIRST, SECOND], [unix(1), unix(2)], [FIRST, SECOND], unix(4), "unchanged"),
    ("a move", [FIRST, SECOND], [unix(1), unix(2)], [FIRST, SECOND, MOVED], unix(4), "extended 1"),
    ("an older version", [FIRST, SECOND], [unix(1), unix(2)], [FIRST], unix(4), "rolled back 2"),
    ("a fork", [FIRST, SECOND], [unix(1), unix(2)], [FIRST, OTHER_SECOND], unix(2, 1), "forked 2"),
    ("a rescue in time", [FIRST, STOLEN], [unix(1), unix(2)], [FIRST, RESCUED], unix(4, 23), "overruled 2"),
    ("a rescue from more", [FIRST, STOLEN, DEEPER], [unix(1), unix(2), unix(2)], [FIRST, RESCUED], unix(4), "overruled 2"),
    ("a rescue too late", [FIRST, STOLEN], [unix(1), unix(2)], [FIRST, RESCUED], unix(5, 1), "forked 2"),
    ("the thief again", [FIRST, RESCUED], [unix(1), unix(2, 4)], [FIRST, STOLEN, DEEPER], unix(3), "forked 2"),
    ("another twin", [FIRST], [unix(1)], [OTHER], unix(4), "another twin"),
    ("a key that may not rotate", [], [], [FIRST, NOT_ROTATING], unix(4), "unsigned"),
    ("a key that was rotated away", [], [], [FIRST, SECOND, THIRD, LATE], unix(5), "unsigned"),
    ("another version's signature", [], [], [FIRST, SWAPPED], unix(4), "unsigned"),
    ("a changed version", [], [], [FIRST, FORGED], unix(4), "unsigned"),
    ("time that runs backwards", [], [], [FIRST, SECOND, EARLIER], unix(4), "broken"),
    ("a version left out", [], [], [FIRST, SKIPPED], unix(4), "broken"),
    ("a version behind another record", [], [], [FIRST, WRONG_PREV], unix(4), "broken"),
    ("no first version", [], [], [SECOND, THIRD], unix(4), "broken"),
    ("a version of another twin", [], [], [OTHER, SECOND], unix(4), "another twin"),
    ("a version from tomorrow", [], [], [FIRST, SECOND], unix(1, 12), "from the future"),
    ("a first version that nobody signed", [], [], [changed(FIRST, sigs=[])], unix(4), "unsigned"),
    ("a first version that a stranger signed", [], [], [signed(changed(FIRST), THIEF)], unix(4), "unsigned"),
]

MALFORMED = [
    ("an id that is not the hash", genesis(draft(time(1)), HUB) | {"id": OTHER["id"]}),
    ("a changed first version", changed(FIRST, handle="mallory@example.org")),
    ("a handle in upper case", genesis(draft(time(1), handle="Alice@example.org"), HUB)),
    ("a time that is none", genesis(draft("2026-11-31T00:00:00Z"), HUB)),
    ("a time in a zone", genesis(draft("2026-11-01T00:00:00+00:00"), HUB)),
    ("no keys", genesis(draft(time(1), rotate=()), HUB)),
    ("a key twice", genesis(draft(time(1), rotate=(HUB, HUB)), HUB)),
    ("too many keys", genesis(draft(time(1), rotate=tuple(map(Key, range(20, 29)))), Key(20))),
    ("a hub that is an address", genesis(draft(time(1), hub="https://127.0.0.1/"), HUB)),
    ("another type", genesis(draft(time(1)) | {"type": "twin/2"}, HUB)),
    ("an unknown custody", genesis(draft(time(1)) | {"custody": "cloud"}, HUB)),
    ("an end before its beginning", genesis(draft(time(1)) | {"exp": time(1)}, HUB)),
    ("a first version with one before it", signed(dict(FIRST, prev=hash_of(OTHER)), HUB)),
    ("a second version without one before it", signed(dict(draft(time(2)), seq=2, id=FIRST["id"]), HUB)),
    ("too long", genesis(draft(time(1)) | {"note": "x" * 4096}, HUB)),
    ("no sigs", {name: value for name, value in FIRST.items() if name != "sigs"}),
]


def main():
    known = genesis(draft(time(1)) | {"note": "€ \r \ufb33 😀 \u0007", "\ufb33": 1, "😀": [2, {}], "\u20ac": "x"}, HUB)
    records = [("the first version", FIRST), ("a second one", SECOND), ("members not known", known)]
    vectors = {
        "about": "Made by identity.py. Seeds, keys and records of twins, as hub/identity documents them.",
        "keys": [{"seed": key.seed.hex(), "public": key.name} for key in (RECOVERY, HUB, SIGN)],
        "records": [
            {"name": name, "record": record, "canonical": canonical(record), "signed": payload(record).decode(),
             "hash": hash_of(record), "id": record["id"]}
            for name, record in records
        ],
        "histories": [
            dict(zip(("name", "known", "seen", "offered", "now", "outcome"), history)) for history in HISTORIES
        ],
        "malformed": [{"name": name, "record": record} for name, record in MALFORMED],
    }
    json.dump(vectors, sys.stdout, indent=1, ensure_ascii=False)
    print()


main()

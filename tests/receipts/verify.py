#!/usr/bin/env python3
"""A second verifier of receipts, written from docs/protocol.md and RFC 8032 with nothing but the standard library.

    verify.py RECEIPT...     prints one line per file; exit code 1 if one does not hold

It shares no code with the Rust one. It checks the chain of keys, the record, the signed state of the collection and the
way to it through the hash tree, the checkpoint, and that the changes are exactly the signed history. What the changes
add up to it does not compute (that takes automerge); it finds the title in them.
"""

import base64
import datetime
import hashlib
import json
import sys

# Ed25519 (RFC 8032, section 5.1), slow and plain.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0])
    f = (a[1] + a[0]) * (b[1] + b[0])
    g = 2 * a[3] * b[3] * D
    h = 2 * a[2] * b[2]
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(n, point):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point(bytes([0x58] + [0x66] * 31))
ZERO = (0, 1, 1, 0)


def signed_by(key, domain, payload, signature):
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or same(times(8, a), ZERO) or same(times(8, r), ZERO):
        return False
    message = signed_bytes(domain, payload)
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return same(times(s, BASE), add(r, times(k, a)))


def signed_bytes(domain, payload):
    return b"ortsnetz/" + domain.encode() + b"/v1\0" + payload


class Wrong(Exception):
    """The receipt does not hold."""


def need(holds, text):
    if not holds:
        raise Wrong(text)


def cbor(raw):
    """The one value in these bytes; only what Ortsnetz writes."""
    value, end = item(raw, 0)
    need(end == len(raw), "bytes after the end")
    return value


def item(raw, at):
    need(at < len(raw), "cut short")
    kind, short = raw[at] >> 5, raw[at] & 31
    at += 1
    if kind == 7:
        need(short in (20, 21, 22), "an unknown value")
        return {20: False, 21: True, 22: None}[short], at
    if short >= 24:
        need(short <= 27, "a length without end")
        width = 1 << short - 24
        short = int.from_bytes(raw[at : at + width], "big")
        at += width
    if kind == 0:
        return short, at
    if kind == 1:
        return -1 - short, at
    if kind in (2, 3):
        need(at + short <= len(raw), "cut short")
        part = raw[at : at + short]
        return part if kind == 2 else part.decode(), at + short
    need(kind == 4, "an unknown type")
    values = []
    for _ in range(short):
        value, at = item(raw, at)
        values.append(value)
    return values, at


DOMAINS = ["genesis", "root-rotation", "node-certificate", "node-revocation", "publisher-term", "succession", "collection"]


class Chain:
    """Whose keys count, by the statements in the receipt."""

    def __init__(self, statements):
        signed = sorted(([*cbor(raw)] for raw in statements), key=lambda one: one[0])
        need(signed and signed[0][0] == 0, "no genesis")
        payload = signed[0][1]
        genesis = cbor(payload)
        self.name, self.ars, self.root = genesis[1], genesis[2], genesis[4]
        need(dict(map(tuple, signed[0][2])).keys() >= {self.root}, "the genesis is not signed by its key")
        self.organisation = hashlib.sha256(signed_bytes("genesis", payload)).digest()
        self.check(signed[0], {self.root})
        self.nodes, self.revoked, self.terms, self.collections = {}, {}, {}, {}
        rotations = sorted((one for one in signed if one[0] == 1), key=lambda one: cbor(one[1])[1])
        for number, rotation in enumerate(rotations, 1):
            _, counted, old, new, _ = cbor(rotation[1])
            need(counted == number and old == self.root, "a root key that does not follow")
            self.check(rotation, {old})
            self.check(rotation, {new})
            self.root = new
        for kind, take in ((2, self.certificate), (3, self.revocation), (4, self.term)):
            for one in (one for one in signed if one[0] == kind):
                self.check(one, {self.root})
                take(cbor(one[1]))
        admins = {node for node, (roles, *_) in self.nodes.items() if roles[0] and node not in self.revoked}
        for one in (one for one in signed if one[0] == 6):
            self.check(one, {self.root} | admins)
            content = cbor(one[1])
            self.collections[content[1]] = content[2]
        for name in ("public", "partners", "internal"):
            self.collections[self.named(name)] = name

    def named(self, name):
        digest = hashlib.sha256(b"ortsnetz/collection/v1" + self.organisation + name.encode()).digest()
        return digest[:16]

    def check(self, one, keys):
        kind, payload, signatures = one
        need(kind < len(DOMAINS), "a statement that has no place in a receipt")
        if kind:
            need(cbor(payload)[0] == self.organisation, "a statement of another organisation")
        holds = any(key in keys and signed_by(key, DOMAINS[kind], payload, sig) for key, sig in signatures)
        need(holds, f"a {DOMAINS[kind]} is not signed by anybody who may")

    def certificate(self, content):
        _, node, serial, roles, begin, end, _, name = content
        if node not in self.nodes or self.nodes[node][3] < serial:
            self.nodes[node] = (roles, begin, end, serial, name)

    def revocation(self, content):
        _, node, serial, _ = content
        need(node in self.nodes, "a revocation of nobody")
        if serial >= self.nodes[node][3]:
            self.revoked[node] = serial

    def term(self, content):
        self.terms[content[1]] = content[2]


class Record:
    """A signed record."""

    def __init__(self, raw):
        self.bytes, self.node, self.signature = cbor(raw)
        fields = cbor(self.bytes)
        need(len(fields) == 14 and fields[0] == 1, "not a record")
        _, self.organisation, self.collection, self.entry, self.generation, *self.position = fields[:8]
        _, _, at, _, (self.kind, self.body), totals = fields[8:]
        self.at = self.position[1] + at
        self.root = totals[1] if totals else None
        self.heads = self.body[0] if self.kind in (0, 3) else []

    def check(self, chain, what):
        """Whether it is signed by who may; returns why its certificate does not vouch for it by itself, if so."""
        need(self.organisation == chain.organisation, f"the {what} is of another organisation")
        need(self.collection in chain.collections, f"the collection of the {what} is not known")
        by_root = self.node == chain.root and self.kind == 2
        need(by_root or chain.terms.get(self.position[0]) == self.node, f"the {what} is not signed by the publisher")
        need(signed_by(self.node, "record", self.bytes, self.signature), f"the signature of the {what} is wrong")
        if by_root:
            return None
        need(self.node in chain.nodes, f"the signer of the {what} has no certificate")
        _, begin, end, _, _ = chain.nodes[self.node]
        if self.node in chain.revoked:
            return "taken back"
        return None if begin <= self.at <= end else "not valid at that time"

    def item(self):
        term, epoch, sequence = self.position
        content = b"".join(self.heads) or b"withdrawn"
        numbers = self.generation.to_bytes(4, "big") + term.to_bytes(4, "big")
        numbers += epoch.to_bytes(8, "big") + sequence.to_bytes(8, "big")
        return hashlib.sha256(b"ortsnetz/item/v1\0" + self.entry + numbers + content).digest()


NOTHING = bytes(32)


def combine(domain, hashes):
    if all(one == NOTHING for one in hashes):
        return NOTHING
    return hashlib.sha256(domain + b"".join(hashes)).digest()


def tree_root(tree, record):
    items, leaves, nodes = ([bytes.fromhex(one) or NOTHING for one in tree[part]] for part in ("items", "leaves", "nodes"))
    need(len(leaves) == 64 and len(nodes) == 64, "the tree has another shape")
    digest = hashlib.sha256(record.entry).digest()
    leaf = digest[0] << 4 | digest[1] >> 4
    need(record.item() in items, "the record is not in its leaf")
    need(leaves[leaf % 64] == combine(b"ortsnetz/leaf/v1", items), "the leaf is another one")
    need(nodes[leaf // 64] == combine(b"ortsnetz/node/v1", leaves), "the bucket is another one")
    return combine(b"ortsnetz/root/v1", nodes)


FIRST = bytes.fromhex("d94c2aaaf19387c0dc165e04ffe264bf1db3353e57f4535c027c2a90bff4ec83")


def change(raw):
    """Hash and dependencies of a raw automerge change."""
    need(raw[:4] == b"\x85\x6f\x4a\x83" and raw[8] == 1, "not a raw change")
    digest = hashlib.sha256(raw[8:]).digest()
    need(raw[4:8] == digest[:4], "the checksum of a change is wrong")
    length, at = leb(raw, 9)
    need(length == len(raw) - at, "a change of another length")
    count, at = leb(raw, at)
    return digest, [raw[at + 32 * n : at + 32 * n + 32] for n in range(count)]


def leb(raw, at):
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def history(heads, chunks):
    """The changes are exactly those the signed heads build on."""
    known = dict(change(raw) for raw in chunks)
    needed, waiting = set(), list(heads)
    while waiting:
        head = waiting.pop()
        if head in needed or head == FIRST:
            continue
        need(head in known, "a change of the signed history is missing")
        needed.add(head)
        waiting += known[head]
    need(needed == known.keys(), "a change that is not part of the signed history")


def time(ms):
    return datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def verify(text):
    file = json.loads(text)
    need(file["ortsnetz_receipt"] == 1, "another version")
    proof, about, entry = file["proof"], file["about"], file["entry"]
    decode = base64.b64decode
    chain = Chain([decode(one, validate=True) for one in proof["statements"]])
    record = Record(decode(proof["record"], validate=True))
    need(record.kind in (0, 1, 3) and record.entry, "the record is about no entry")
    witness = Record(decode(proof["witness"], validate=True)) if proof["witness"] else record
    doubt = record.check(chain, "record")
    if witness is not record:
        need(not witness.check(chain, "signed state"), "the signed state is by somebody who did not count then")
        need((witness.organisation, witness.collection) == (record.organisation, record.collection), "another feed")
        need(witness.position >= record.position, "the signed state is older")
    need(not doubt or witness.node != record.node, f"the certificate was {doubt} and nobody else vouches")
    root = witness.root or (witness.body[0][0] if witness.kind == 2 else None)
    need(root and tree_root(proof["tree"], record) == root, "the record does not stand in the signed state")
    if proof["checkpoint"]:
        checkpoint = Record(decode(proof["checkpoint"], validate=True))
        need(checkpoint.kind == 2 and not checkpoint.check(chain, "checkpoint"), "the checkpoint does not count")
        need(checkpoint.collection == record.collection and checkpoint.position > record.position, "another checkpoint")
        if checkpoint.position[:2] != record.position[:2]:
            cuts = {(term, epoch): sequence for term, epoch, sequence in checkpoint.body[0][2]}
            need(record.position[2] <= cuts.get(tuple(record.position[:2]), 0), "the checkpoint does not count the record")
    chunks = [decode(one, validate=True) for one in proof["changes"]]
    history(record.heads, chunks)
    need((entry is not None) == bool(record.heads), "an entry that was not signed")
    need(about["organisation"]["id"] == chain.organisation.hex(), "the header names another organisation")
    need(about["organisation"]["name"] == chain.name, "the header names another organisation")
    need(about["entry"]["id"] == record.entry.hex(), "the header names another entry")
    need(about["said_at"] == time(record.at), "the header names another time")
    need(about["collection"] == chain.collections[record.collection], "the header names another collection")
    for title in (entry or {}).get("title", {}).values():
        need(any(title.encode() in chunk for chunk in chunks), "the title was not signed")
    return f"{chain.name} said so at {time(record.at)}, shown by a signature of {time(witness.at)}"


def main(paths):
    failed = False
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                print(f"{path}: holds: {verify(file.read())}")
        except (Wrong, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            failed = True
            print(f"{path}: does not hold: {error or type(error).__name__}")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

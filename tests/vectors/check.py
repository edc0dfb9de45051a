#!/usr/bin/env python3
"""Checks the test vectors with a second implementation, written from docs/protocol.md alone: CBOR, Ed25519, hashes,
HMAC and texts in plain Python. Prints how many things were checked; ends with an error at the first that differs."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

HERE = Path(__file__).parent
WORDS = (HERE / "../../crates/trust/src/words/de.txt").read_text().split()
checked = 0


def equal(what, found, expected):
    global checked
    checked += 1
    if found != expected:
        raise SystemExit(f"{what}: {found!r} instead of {expected!r}")


def load(name):
    return json.loads((HERE / name).read_text())


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u32(number):
    return number.to_bytes(4, "big")


def u64(number):
    return number.to_bytes(8, "big")


# CBOR, shortest form only.

def encode(value):
    def head(major, number):
        for size, mark in ((0, 0), (1, 24), (2, 25), (4, 26), (8, 27)):
            if size == 0 and number < 24:
                return bytes([major << 5 | number])
            if size and number < 1 << 8 * size:
                return bytes([major << 5 | mark]) + number.to_bytes(size, "big")
        raise ValueError(number)
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(4, len(value)) + b"".join(encode(item) for item in value)


def decode(data):
    def item(at):
        major, low = data[at] >> 5, data[at] & 31
        at += 1
        if major == 7:
            return {20: False, 21: True, 22: None}[low], at
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(low, 0)
        number = int.from_bytes(data[at:at + size], "big") if size else low
        at += size
        if major == 0:
            return number, at
        if major == 1:
            return -1 - number, at
        if major in (2, 3):
            content = data[at:at + number]
            return (content if major == 2 else content.decode()), at + number
        assert major == 4, "no maps, no tags"
        items = []
        for _ in range(number):
            value, at = item(at)
            items.append(value)
        return items, at
    value, end = item(0)
    equal("bytes read", end, len(data))
    equal("one encoding", encode(value), data)
    return value


# Ed25519 as in RFC 8032.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    z, t = 2 * a[2] * b[2] % P, 2 * a[3] * b[3] * D % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - square) % P == 0, "not on the curve"
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def verifies(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    number = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    return s < L and same(times(s, BASE), add(point(r), times(number, point(key))))


def message(domain, payload):
    return b"ortsnetz/" + domain.encode() + b"/v1\0" + payload


# Names.

def base58(data):
    digits, number = "", int.from_bytes(data, "big")
    while number:
        number, rest = divmod(number, 58)
        digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[rest] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def node_text(node):
    return base58(bytes.fromhex("002408011220") + node)


def collection(organisation, name):
    return sha(b"ortsnetz/collection/v1", organisation, name.encode())[:16]


def statements():
    all = load("statements.json")
    own = bytes.fromhex(all["keys"][0]["organisation"])
    for keys in all["keys"]:
        equal("node id", node_text(bytes.fromhex(keys["node_public"])), keys["node_id"])
    for statement in all["statements"]:
        payload, domain = bytes.fromhex(statement["payload"]), statement["domain"]
        decode(payload)
        signatures = [[bytes.fromhex(s["key"]), bytes.fromhex(s["signature"])] for s in statement["signatures"]]
        for key, signature in signatures:
            equal(statement["what"], verifies(key, message(domain, payload), signature), True)
        equal("sorted", signatures, sorted(signatures))
        equal("bytes", encode([statement["kind"], payload, signatures]).hex(), statement["bytes"])
        equal("hash", sha(message(domain, payload)).hex(), statement["hash"])
    first = all["statements"][0]
    equal("organisation", first["hash"], own.hex())
    equal("message", message("genesis", bytes.fromhex(first["payload"])).hex(), all["message_of_the_first"])
    for named in all["collections"]:
        equal("collection", collection(own, named["name"]).hex(), named["id"])
    drafts = "drafts:" + all["keys"][0]["node_id"]
    equal("draft collection", collection(own, drafts).hex(), all["draft_collection"])
    entry = all["imported_entry"]
    parts = [entry[name].encode() for name in ("agency", "scheme", "value")]
    made = sha(b"ortsnetz/entry/v1", own, *[u64(len(part)) + part for part in parts])[:16]
    equal("imported entry", made.hex(), entry["id"])
    founding = [bytes.fromhex(s["bytes"]) for s in all["statements"] if s["what"].startswith("made when")]
    chain = sha(b"ortsnetz/chain/v1\0", *[sha(statement) for statement in founding])
    equal("chain", chain.hex(), all["chain_hash_of_the_founding_statements"])


def item(record):
    if record[3] is None:
        return None
    kind, fields = record[12]
    if kind in (4, 5):
        content = encode(record[12])
    elif kind == 1 or not fields[0]:
        content = b"withdrawn"
    else:
        content = b"".join(fields[0])
    position = u32(record[5]) + u64(record[6]) + u64(record[7])
    return sha(b"ortsnetz/item/v1\0", record[3], u32(record[4]), position, content)


def records():
    all = load("records.json")
    node = bytes.fromhex(all["keys"]["node_public"])
    for case in all["records"]:
        data, signature = bytes.fromhex(case["record"]), bytes.fromhex(case["signature"])
        record = decode(data)
        equal("fields", (len(record), record[0]), (14, 1))
        equal(case["what"], verifies(node, message("record", data), signature), True)
        equal("bytes", encode([data, node, signature]).hex(), case["bytes"])
        found = item(record)
        equal("item", found and found.hex(), case["item"])
        if record[12][0] == 5:
            answer = record[12][1][0]
            equal("key of an answer", record[3], sha(b"ortsnetz/answer/v1\0", answer[0], answer[1])[:16])


def combine(domain, hashes):
    nothing = bytes(32)
    return nothing if all(h == nothing for h in hashes) else sha(domain, *hashes)


def tree():
    all = load("tree.json")
    organisation, public = bytes.fromhex(all["organisation"]), bytes.fromhex(all["collection"])
    epoch, serial = all["epoch"], all["list_serial"]
    for case in all["trees"]:
        leaves = {}
        for n in range(case["entries"]):
            entry = bytes([n]) * 16
            content = b"withdrawn" if n % 10 == 9 else bytes([n]) * 32
            made = sha(b"ortsnetz/item/v1\0", entry, u32(1), u32(1), u64(epoch), u64(n + 1), content)
            leaves.setdefault(int.from_bytes(sha(entry)[:2], "big") >> 4, []).append((entry, made))
        leaf = lambda at: sha(b"ortsnetz/leaf/v1", *[i for _, i in sorted(leaves[at])]) if at in leaves else bytes(32)
        nodes = [combine(b"ortsnetz/node/v1", [leaf(64 * at + below) for below in range(64)]) for at in range(64)]
        equal(f"root of {case['entries']}", combine(b"ortsnetz/root/v1", nodes).hex(), case["root"])
        chain = bytes.fromhex(all["chain_hash"])[:16]
        offer = int.from_bytes(sha(b"ortsnetz/offer/chain/v1", organisation, chain)[:16], "big")
        if case["entries"]:
            cursor = u32(1) + u64(epoch) + u64(case["entries"])
            part = sha(b"ortsnetz/offer/feed/v1", organisation, public, cursor, u64(serial))
            offer += int.from_bytes(part[:16], "big")
        equal("offer", (offer % 2**128).to_bytes(16, "big").hex(), case["offer_to_a_stranger"])


def joining():
    all = load("join.json")
    coded = all["token"].removeprefix("ORTSNETZ")
    raw = base64.b32decode(coded + "=" * (-len(coded) % 8))
    equal("version", raw[0], 1)
    length = int.from_bytes(raw[1:3], "big")
    equal("checksum", raw[3 + length:], sha(raw[:3 + length])[:4])
    token = decode(raw[3:3 + length])
    equal("token", (token[4].hex(), token[5].hex()), (all["token_id"], all["token_secret"]))
    joiner, inviter = all["joiner"], all["inviter"]
    names = [joiner["node_public"], inviter["node_public"], joiner["organisation"], inviter["organisation"]]
    ends = b"".join(bytes.fromhex(name) for name in names)
    nonces = [bytes.fromhex(all["joiner_nonce"]), bytes.fromhex(all["inviter_nonce"])]
    organisations = [bytes.fromhex(side["organisation"]) for side in (joiner, inviter)]
    commitments = [sha(b"ortsnetz/commitment/v1\0", o, n) for o, n in zip(organisations, nonces)]

    def proof(label, *bound):
        bound = b"".join(u64(len(value)) + value for value in bound)
        content = b"ortsnetz/join/v1\0" + label + b"\0" + token[4] + ends + bound
        return hmac.new(token[5], content, hashlib.sha256).digest()

    said = [decode(bytes.fromhex(line["message"])) for line in all["conversation"]]
    equal("order", [m[0] for m in said], [0, 1, 2, 2, 3, 3])
    request = [token[4], organisations[0], commitments[0], proof(b"partner-request", commitments[0])]
    equal("request", said[0][1], [request])
    equal("challenge", said[1][1], [commitments[1], proof(b"partner-challenge", *commitments)])
    equal("reveals", [said[2][1][0], said[3][1][0]], nonces)
    equal("partnership", said[4][1][0][1], said[5][1][0][1])
    bits = int.from_bytes(sha(b"ortsnetz/check-words/v1\0", ends, *nonces), "big")
    equal("check words", [WORDS[bits >> 256 - 11 * (n + 1) & 2047] for n in range(6)], all["check_words"])


def documents():
    all = load("documents.json")
    first, change = bytes.fromhex(all["first_change"]), bytes.fromhex(all["change"])
    for chunk, known in ((first, all["first_change_hash"]), (change, all["change_hash"])):
        equal("magic", chunk[:4].hex(), "856f4a83")
        equal("type", chunk[8], 1)
        equal("checksum", chunk[4:8], sha(chunk[8:])[:4])
        equal("hash", sha(chunk[8:]).hex(), known)
    equal("heads", all["heads"], [all["change_hash"]])
    equal("it builds on the first", bytes.fromhex(all["first_change_hash"]) in change, True)


def messages():
    all = load("messages.json")
    kinds = set()
    for case in all["messages"]:
        kind, fields = decode(bytes.fromhex(case["body"]))
        kinds.add(kind)
        heads, changes = fields[5] if kind == 5 else ([], [])
        equal("changes of each record", len(heads), len(changes))
        for (record, cut), chunks in zip(heads, changes):
            if cut is not None:
                record = record[:cut] + sha(chunks[-1][8:]) + record[cut:]
            data, node, signature = decode(record)
            equal(case["what"], verifies(node, message("record", data), signature), True)
    equal("kinds", kinds, set(range(20)))
    equal("packed", all["packed_audit"][:2], "01")


def sealed():
    all = load("sealed.json")
    root = bytes.fromhex(all["keys"]["root_secret"])
    equal("key", sha(b"ortsnetz/sealing-key/v1\0", root).hex(), all["sealing_secret"])
    file, size = bytes(n % 251 for n in range(all["bytes"])), 131072
    pieces = [file[at:at + size] for at in range(0, len(file), size)]
    for index, (piece, path) in enumerate(zip(pieces, all["paths"])):
        at, level, path = index, len(pieces), [bytes.fromhex(step) for step in path]
        found = sha(b"\0", piece)
        while level > 1:
            if at ^ 1 < level:
                step = path.pop(0)
                found = sha(b"\1", found, step) if at % 2 == 0 else sha(b"\1", step, found)
            at, level = at // 2, (level + 1) // 2
        equal("piece", (found.hex(), path), (all["root"], []))
    payload, signature = decode(bytes.fromhex(all["signed"]))
    key = bytes.fromhex(all["keys"]["root_public"])
    equal("signature", verifies(key, message(all["domain"], payload), signature), True)
    copy = decode(payload)
    told = [1, bytes.fromhex(all["keys"]["organisation"]), len(file), bytes.fromhex(all["root"])]
    equal("copy", [copy[0], copy[1], copy[3], copy[4]], told)
    asks = [decode(bytes.fromhex(ask)) for ask in all["asks"]]
    equal("asks", [ask[0] for ask in asks], [0, 1, 2, 3])
    equal("offer", asks[1][1], [[payload, signature]])
    equal("put", asks[2][1], [copy[2], 2, pieces[2], [bytes.fromhex(step) for step in all["paths"][2]]])
    answers = [decode(bytes.fromhex(answer)) for answer in all["answers"]]
    equal("answers", [answer[0] for answer in answers], [0, 1, 2, 3, 4])
    equal("refusal", answers[4][1], [2, "the disk is full"])


for part in (statements, records, tree, joining, documents, messages, sealed):
    part()
print(f"{checked} things checked")

#!/usr/bin/env python3
"""Writes sealed.json: a workspace's keys, records and sealed objects, made by an implementation that is not ours, from
docs/spec/vault.md and docs/spec/sealed.md alone. Needs the PyPI package `cryptography`; all bytes are fixed, so two
runs give the same file. usage: make_vectors.py > sealed.json"""
import base64
import hashlib
import hmac
import json
import sys

import cryptography
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

CHUNK = 65536
PASSPHRASE = "correct horse battery staple"


def fixed(label, n):
    return hashlib.shake_256(b"steward vectors " + label.encode()).digest(n)


def b64(data):
    return base64.b64encode(data).decode()


def hkdf(key, salt, info, n):
    return HKDF(algorithm=hashes.SHA256(), length=n, salt=salt or None, info=info.encode()).derive(key)


def wrap(workspace_key, purpose, bound, key, nonce, generation=1):
    number = generation.to_bytes(4, "little")
    both = hkdf(workspace_key, bound + nonce, f"steward wrap v2 {purpose}", 44)
    return number + nonce + AESGCM(both[:32]).encrypt(both[32:], key, number + bound)


def record(workspace_key, purpose, context, plain, label, generation=1):
    bound = hashlib.sha256(b"steward record v2\n" + context.encode()).digest()
    data_key = fixed(f"data key {label}", 32)
    wrapped = wrap(workspace_key, purpose, bound, data_key, fixed(f"nonce {label}", 12), generation)
    return b"\x02" + wrapped + AESGCM(data_key).encrypt(bytes(12), plain, bound)


def workspace_json(workspace_key, older_key):
    log2n, salt, nonce = 10, fixed("scrypt salt", 16), fixed("wrap nonce", 12)
    wrapping = hashlib.scrypt(PASSPHRASE.encode(), salt=salt, n=1 << log2n, r=8, p=1, dklen=32)
    bound = f"steward passphrase v1 scrypt {log2n} 8 1 ".encode() + salt
    sealed = nonce + AESGCM(wrapping).encrypt(nonce, workspace_key, bound)
    older_bound = hashlib.sha256(b"steward generation v2\n1").digest()
    older = wrap(workspace_key, "generation", older_bound, older_key, fixed("older nonce", 12), 2)
    o = {"format": "steward-keys-2", "generation": 2, "made": "2026-11-25T01:00:00Z", "provider": "passphrase",
         "state": {"kdf": "scrypt", "log2n": log2n, "r": 8, "p": 1, "salt": b64(salt), "sealed": b64(sealed)},
         "older": [{"generation": 1, "made": "2026-11-24T01:00:00.5Z", "wrapped": b64(older)}]}
    text = json.dumps(o, sort_keys=True, separators=(",", ":")).encode()
    o["check"] = b64(hmac.new(hkdf(workspace_key, b"", "steward keys v2", 32), text, "sha256").digest())
    return json.dumps(o, indent=1) + "\n"


def sealed_object(workspace_key, kind, name, version, plain, generation=2, place=0):
    data_key = fixed(f"data key {name} {version}", 32)
    fixed_head = b"SWSEAL02" + CHUNK.to_bytes(4, "big")
    bound = hashlib.sha256(fixed_head + f"{kind}/{name}/{version}".encode()).digest()
    wrapped = wrap(workspace_key, f"object/{kind}", bound, data_key, fixed(f"nonce {name}", 12), generation)
    places = [bytes(64), bytes(64)]
    places[place] = wrapped
    chunks = [plain[i : i + CHUNK] for i in range(0, len(plain), CHUNK)] or [b""]
    body = b""
    for i, chunk in enumerate(chunks):
        nonce = bytes(7) + i.to_bytes(4, "big") + bytes([i + 1 == len(chunks)])
        body += AESGCM(data_key).encrypt(nonce, chunk, bound)
    return fixed_head + b"".join(places) + body


def pattern(n):
    return bytes((i * 7 + i // 256) % 256 for i in range(n))


def main():
    workspace_key, older_key = fixed("workspace key", 32), fixed("older key", 32)
    signing = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")  # RFC 8032, 7.1, test 2
    private = Ed25519PrivateKey.from_private_bytes(signing)
    mac_root, message = fixed("mac root", 32), b"a message of at most 64 bytes"
    mac_key = HKDFExpand(algorithm=hashes.SHA256(), length=32, info=b"steward mac v2 api-key").derive(mac_root)
    # Some under the generation before, as a rotation that was cut off leaves them.
    objects = [("dataset", "empty", 1, 0, 2, 0), ("dataset", "one", 2, 1, 1, 0), ("model", "small", 3, 1000, 2, 1),
               ("assessment", "two-chunks", 18446744073709551615, CHUNK + 1, 1, 1)]
    keys = {1: older_key, 2: workspace_key}
    out = {
        "tool": f"make_vectors.py, Python {sys.version.split()[0]}, cryptography {cryptography.__version__}",
        "passphrase": PASSPHRASE,
        "workspace.json": workspace_json(workspace_key, older_key),
        "mac.sealed": b64(record(workspace_key, "mac", "keys/mac.sealed", mac_root, "mac", 2)),
        "signing.sealed": b64(record(older_key, "signing", "keys/signing.sealed", signing, "signing", 1)),
        "signing.pub": b64(private.public_key().public_bytes_raw()) + "\n",
        "record": {"purpose": "store/principal", "context": "principal\nann\n1", "plain": "what a record holds",
                   "sealed": b64(record(workspace_key, "store/principal", "principal\nann\n1", b"what a record holds",
                                        "record", 2))},
        "mac": {"purpose": "api-key", "message": message.decode(),
                "mac": hmac.new(mac_key, message, "sha256").hexdigest()},
        "signature": {"message": message.decode(), "signature": private.sign(message).hex()},
        "objects": [{"kind": k, "name": n, "version": str(v), "size": size,
                     "sealed": b64(sealed_object(keys[g], k, n, v, pattern(size), g, place))}
                    for k, n, v, size, g, place in objects],
    }
    json.dump(out, sys.stdout, indent=1)
    print()


main()

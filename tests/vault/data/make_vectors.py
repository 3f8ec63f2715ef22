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
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CHUNK = 65536
PASSPHRASE = "correct horse battery staple"


def fixed(label, n):
    return hashlib.shake_256(b"steward vectors " + label.encode()).digest(n)


def b64(data):
    return base64.b64encode(data).decode()


def hkdf(key, salt, info, n):
    return HKDF(algorithm=hashes.SHA256(), length=n, salt=salt or None, info=info.encode()).derive(key)


def record(workspace_key, purpose, context, plain, salt):
    both = hkdf(workspace_key, salt, f"steward record v1 {purpose}", 44)
    return b"\x01" + salt + AESGCM(both[:32]).encrypt(both[32:], plain, context.encode())


def workspace_json(workspace_key):
    log2n, salt, nonce = 10, fixed("scrypt salt", 16), fixed("wrap nonce", 12)
    wrapping = hashlib.scrypt(PASSPHRASE.encode(), salt=salt, n=1 << log2n, r=8, p=1, dklen=32)
    bound = f"steward passphrase v1 scrypt {log2n} 8 1 ".encode() + salt
    sealed = nonce + AESGCM(wrapping).encrypt(nonce, workspace_key, bound)
    state = {"kdf": "scrypt", "log2n": log2n, "r": 8, "p": 1, "salt": b64(salt), "sealed": b64(sealed)}
    return json.dumps({"format": "steward-keys-1", "provider": "passphrase", "state": state}) + "\n"


def sealed_object(workspace_key, kind, name, version, plain):
    data_key = fixed(f"data key {name} {version}", 32)
    wrapped = record(workspace_key, "object-key", f"{kind}/{name}/{version}", data_key, fixed(f"salt {name}", 24))
    header = b"SWSEAL01" + CHUNK.to_bytes(4, "big") + len(wrapped).to_bytes(2, "big") + wrapped
    bound = hashlib.sha256(header).digest()
    chunks = [plain[i : i + CHUNK] for i in range(0, len(plain), CHUNK)] or [b""]
    body = b""
    for i, chunk in enumerate(chunks):
        nonce = bytes(7) + i.to_bytes(4, "big") + bytes([i + 1 == len(chunks)])
        body += AESGCM(data_key).encrypt(nonce, chunk, bound)
    return header + body


def pattern(n):
    return bytes((i * 7 + i // 256) % 256 for i in range(n))


def main():
    workspace_key = fixed("workspace key", 32)
    signing = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")  # RFC 8032, 7.1, test 2
    private = Ed25519PrivateKey.from_private_bytes(signing)
    mac_key = hkdf(workspace_key, b"", "steward mac v1 api-key", 32)
    message = b"a message of any length"
    objects = [("dataset", "empty", 1, 0), ("dataset", "one", 2, 1), ("model", "small", 3, 1000),
               ("assessment", "two-chunks", 18446744073709551615, CHUNK + 1)]
    out = {
        "tool": f"make_vectors.py, Python {sys.version.split()[0]}, cryptography {cryptography.__version__}",
        "passphrase": PASSPHRASE,
        "workspace.json": workspace_json(workspace_key),
        "signing.sealed": b64(record(workspace_key, "signing", "keys/signing.sealed", signing, fixed("signing salt", 24))),
        "signing.pub": b64(private.public_key().public_bytes_raw()) + "\n",
        "record": {"purpose": "store", "context": "principal\nann\n1", "plain": "what a record holds",
                   "sealed": b64(record(workspace_key, "store", "principal\nann\n1", b"what a record holds",
                                        fixed("record salt", 24)))},
        "mac": {"purpose": "api-key", "message": message.decode(),
                "mac": hmac.new(mac_key, message, "sha256").hexdigest()},
        "signature": {"message": message.decode(), "signature": private.sign(message).hex()},
        "objects": [{"kind": k, "name": n, "version": str(v), "size": size,
                     "sealed": b64(sealed_object(workspace_key, k, n, v, pattern(size)))} for k, n, v, size in objects],
    }
    json.dump(out, sys.stdout, indent=1)
    print()


main()

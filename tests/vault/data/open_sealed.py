#!/usr/bin/env python3
"""Opens a sealed object as docs/spec/sealed.md says, with Python's standard library alone (AES-256-GCM is written out
below: NIST SP 800-38D over FIPS 197), and prints the SHA-256 of its plaintext.
usage: open_sealed.py KEYS-FOLDER PASSPHRASE OBJECT KIND NAME VERSION"""
import base64
import hashlib
import hmac
import json
import sys


def make_tables():
    """The S-box from its definition: the inverse in GF(2^8), then the affine map."""
    sbox, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q = (q ^ q << 4) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        x = q
        for k in (1, 2, 3, 4):
            x ^= (q << k | q >> (8 - k)) & 0xFF
        sbox[p] = x ^ 0x63
        if p == 1:
            break
    sbox[0] = 0x63
    twice = [(v << 1) & 0xFF ^ (0x1B if v & 0x80 else 0) for v in range(256)]
    return sbox, twice


SBOX, TWICE = make_tables()


def expand(key):
    words, rcon = [list(key[i : i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        w = list(words[i - 1])
        if i % 8 == 0:
            w = [SBOX[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = TWICE[rcon]
        elif i % 8 == 4:
            w = [SBOX[b] for b in w]
        words.append([a ^ b for a, b in zip(words[i - 8], w)])
    return [sum(words[r : r + 4], []) for r in range(0, 60, 4)]


def encrypt_block(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for r in range(1, 15):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if r < 14:
            mixed = []
            for c in range(0, 16, 4):
                a = s[c : c + 4]
                t = a[0] ^ a[1] ^ a[2] ^ a[3]
                mixed += [a[i] ^ t ^ TWICE[a[i] ^ a[(i + 1) % 4]] for i in range(4)]
            s = mixed
        s = [a ^ b for a, b in zip(s, keys[r])]
    return bytes(s)


def ghash_table(h):
    """h times x^i for each bit i, so that a product is at most 128 exclusive ors."""
    rows, v = [], h
    for _ in range(128):
        rows.append(v)
        v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
    return rows


def times(rows, x):
    z = 0
    for i in range(128):
        if x >> (127 - i) & 1:
            z ^= rows[i]
    return z


def gcm_open(key, nonce, bound, sealed):
    keys, text, tag = expand(key), sealed[:-16], sealed[-16:]
    rows, y = ghash_table(int.from_bytes(encrypt_block(keys, bytes(16)), "big")), 0
    for part in (bound, text):
        for i in range(0, len(part), 16):
            y = times(rows, y ^ int.from_bytes(part[i : i + 16].ljust(16, b"\0"), "big"))
    y = times(rows, y ^ (len(bound) * 8 << 64 | len(text) * 8))
    first = int.from_bytes(encrypt_block(keys, nonce + b"\0\0\0\1"), "big")
    if not hmac.compare_digest((y ^ first).to_bytes(16, "big"), tag):
        sys.exit("a tag does not verify")
    plain = bytearray()
    for i in range(0, len(text), 16):
        stream = encrypt_block(keys, nonce + (i // 16 + 2).to_bytes(4, "big"))
        plain += bytes(a ^ b for a, b in zip(text[i : i + 16], stream))
    return bytes(plain)


def hkdf(key, salt, info, n):
    prk = hmac.new(salt or bytes(32), key, "sha256").digest()
    out, last, i = b"", b"", 1
    while len(out) < n:
        last = hmac.new(prk, last + info + bytes([i]), "sha256").digest()
        out, i = out + last, i + 1
    return out[:n]


def unwrap(keys, purpose, bound, wrapped):
    generation = int.from_bytes(wrapped[:4], "little")
    if generation not in keys:
        return None
    both = hkdf(keys[generation], bound + wrapped[4:16], f"steward wrap v2 {purpose}".encode(), 44)
    return gcm_open(both[:32], both[32:], wrapped[:4] + bound, wrapped[16:])


def workspace_keys(folder, passphrase):
    """Generation -> key."""
    with open(f"{folder}/workspace.json", encoding="utf-8") as f:
        o = json.load(f)
    assert o["format"] == "steward-keys-2" and o["provider"] == "passphrase"
    s, check = o["state"], base64.b64decode(o.pop("check"))
    salt, sealed = base64.b64decode(s["salt"]), base64.b64decode(s["sealed"])
    n = 1 << s["log2n"]
    key = hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=s["r"], p=s["p"], dklen=32, maxmem=n * 1024 + (1 << 26))
    bound = f"steward passphrase v1 scrypt {s['log2n']} {s['r']} {s['p']} ".encode() + salt
    newest = gcm_open(key, sealed[:12], bound, sealed[12:])
    text = json.dumps(o, sort_keys=True, separators=(",", ":")).encode()
    assert hmac.compare_digest(check, hmac.new(hkdf(newest, b"", b"steward keys v2", 32), text, "sha256").digest())
    keys = {o["generation"]: newest}
    for row in o["older"]:
        bound = hashlib.sha256(f"steward generation v2\n{row['generation']}".encode()).digest()
        keys[row["generation"]] = unwrap(keys, "generation", bound, base64.b64decode(row["wrapped"]))
    return keys


def open_object(keys, data, kind, context):
    assert data[:8] == b"SWSEAL02"
    chunk, body = int.from_bytes(data[8:12], "big"), data[140:]
    bound = hashlib.sha256(data[:12] + context.encode()).digest()
    wrapped = [unwrap(keys, f"object/{kind}", bound, data[at : at + 64]) for at in (12, 76)]
    data_key = next(key for key in wrapped if key)
    plain, i = b"", 0
    while True:
        part, body = body[: chunk + 16], body[chunk + 16 :]
        nonce = bytes(7) + i.to_bytes(4, "big") + (b"\0" if body else b"\1")
        plain += gcm_open(data_key, nonce, bound, part)
        i += 1
        if not body:
            return plain


def main():
    folder, passphrase, path, kind, name, version = sys.argv[1:]
    with open(path, "rb") as f:
        data = f.read()
    plain = open_object(workspace_keys(folder, passphrase), data, kind, f"{kind}/{name}/{version}")
    print(hashlib.sha256(plain).hexdigest())


main()

// Makes tests/govern/mldsa.txt: keys, messages and signatures of ML-DSA-44 by another implementation.
// npm install @noble/post-quantum@0.7.1 && node mldsa_vectors.mjs >mldsa.txt
// Each line: public key, message, signature, in base64; then one that begins with "cosignature": verifier key,
// checkpoint text, signature line (C2SP tlog-cosignature, type 6), and verifier key and signature line of the log
// (Ed25519), in base64.
import { createHash, createPrivateKey, createPublicKey, sign as signed } from "node:crypto";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";

const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const of = (text) => Buffer.from(text, "utf8");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const key = (n) => ml_dsa44.keygen(new Uint8Array(32).fill(n));
const sign = (message, secret) => ml_dsa44.sign(message, secret, { extraEntropy: false });

for (const [n, message] of [[1, ""], [2, "abc"], [3, "0123456789".repeat(100)], [4, "\u0000\u0001"]]) {
    const k = key(n);
    console.log(base64(k.publicKey), base64(of(message)) || "-", base64(sign(of(message), k.secretKey)));
}

const u64 = (v) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(v)); return b; };
const short = (text) => Buffer.concat([Buffer.from([of(text).length]), of(text)]);
const name = "witness.example/pq", origin = "log.example/one", time = 1790000000, size = 5;
const root = sha256(of("five entries"));
const k = key(6);
const type = Buffer.from([6]);
const id = sha256(Buffer.concat([of(name + "\n"), type, k.publicKey])).subarray(0, 4);
const message = Buffer.concat([of("subtree/v1\n\0"), short(name), u64(time), short(origin), u64(0), u64(size), root]);
const blob = Buffer.concat([id, u64(time), sign(message, k.secretKey)]);
const vkey = (name, id, blob) => `${name}+${id.toString("hex")}+${base64(blob)}`;
const text = `${origin}\n${size}\n${base64(root)}\n`;
const log = createPrivateKey({ format: "der", type: "pkcs8",
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, 9)]) });
const logKey = Buffer.concat([Buffer.from([1]), createPublicKey(log).export({ format: "der", type: "spki" }).subarray(-32)]);
const logId = sha256(Buffer.concat([of(origin + "\n"), logKey])).subarray(0, 4);
const logBlob = Buffer.concat([logId, signed(null, of(text), log)]);
console.log("cosignature", base64(of(vkey(name, id, Buffer.concat([type, k.publicKey])))), base64(of(text)),
    base64(of(`\u2014 ${name} ${base64(blob)}\n`)), base64(of(vkey(origin, logId, logKey))),
    base64(of(`\u2014 ${origin} ${base64(logBlob)}\n`)));

#!/usr/bin/python3
"""Writes tokens that PyJWT signed, and tokens that must not be taken, with the keys to verify them: tokens.json when
it is pinned (tests/protect/data/tokens.py > tests/protect/data/tokens.json), and anew at each run of the test.
Needs Debian's python3-jwt and python3-cryptography."""
import base64
import hashlib
import hmac
import json

import cryptography
import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

NOW = 1700000000
ISSUER = "https://id.example/realm"
AUDIENCE = "https://steward.example"


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


def rsa_jwk(key, **more):
    n = key.public_key().public_numbers()
    return {"kty": "RSA", "n": number(n.n), "e": number(n.e), **more}


def ec_jwk(key, crv, size, **more):
    n = key.public_key().public_numbers()
    return {"kty": "EC", "crv": crv, "x": number(n.x, size), "y": number(n.y, size), **more}


def ed_jwk(key, **more):
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw), **more}


rsa1 = rsa.generate_private_key(65537, 2048)
other = rsa.generate_private_key(65537, 2048)
p256, p384, p521 = (ec.generate_private_key(c()) for c in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))
ed = ed25519.Ed25519PrivateKey.generate()
keys = [
    rsa_jwk(rsa1, kid="rsa", use="sig"),
    ec_jwk(p256, "P-256", 32, kid="p256", alg="ES256"),
    ec_jwk(p384, "P-384", 48, kid="p384", key_ops=["verify"]),
    ec_jwk(p521, "P-521", 66, kid="p521"),
    ed_jwk(ed, kid="ed"),
    rsa_jwk(other, kid="encrypts", use="enc"),
    {"kty": "oct", "k": b64(b"secret that is known to everybody"), "kid": "oct", "alg": "HS256"},
    {"kty": "XYZ", "kid": "unknown"},
]
signers = {"RS256": (rsa1, "rsa"), "RS384": (rsa1, "rsa"), "RS512": (rsa1, "rsa"), "PS256": (rsa1, "rsa"),
           "PS384": (rsa1, "rsa"), "PS512": (rsa1, "rsa"), "ES256": (p256, "p256"), "ES384": (p384, "p384"),
           "ES512": (p521, "p521"), "EdDSA": (ed, "ed")}


def claims(**more):
    c = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 300, "iat": NOW - 10}
    c.update(more)
    return {k: v for k, v in c.items() if v is not None}


def signed(payload, alg="ES256", kid=True, key=None, **header):
    own, name = signers[alg]
    if kid:
        header["kid"] = name if kid is True else kid
    return jwt.encode(payload, key or own, algorithm=alg, headers=header)


def raw(header, payload, sign):
    """Header and claims as texts, for what no library writes."""
    h = header if isinstance(header, str) else json.dumps(header)
    p = payload if isinstance(payload, str) else json.dumps(payload)
    message = b64(h.encode()) + "." + b64(p.encode())
    return message + "." + b64(sign(message.encode()))


def rs256(message):
    return rsa1.sign(message, padding.PKCS1v15(), hashes.SHA256())


cases = []


def case(name, token, says="", **rules):
    cases.append({"name": name, "token": token, "says": says, **rules})


for alg in signers:
    case("signed with " + alg, signed(claims(), alg))
    case("without kid, " + alg, signed(claims(), alg, kid=False))
case("audience in a list", signed(claims(aud=["https://other.example", AUDIENCE])))
case("times with fractions", signed(claims(exp=NOW + 0.5, nbf=NOW - 0.5)))
case("typ at+jwt", signed(claims(), typ="at+jwt"), access_only=True)
case("typ application/at+jwt", signed(claims(), typ="application/AT+JWT"), access_only=True)
case("expired within the skew", signed(claims(exp=NOW - 29, iat=NOW - 300)))
case("not yet within the skew", signed(claims(nbf=NOW + 30, iat=NOW + 30)))

case("groups", signed(claims(groups=["Claims Team", "nobody knows"])))
case("groups within", signed(claims(realm_access={"roles": "Claims Team"})))
case("groups of numbers", signed(claims(groups=[1])))
case("groups elsewhere", signed(claims(_claim_names={"groups": "src1"})))
case("a subject with blanks", signed(claims(sub="ann smith")))

good = signed(claims())
h, p, s = good.split(".")
case("expired", signed(claims(exp=NOW - 30, iat=NOW - 300)), "token expired")
case("without exp", signed(claims(exp=None)), "no time at which it expires")
case("exp in words", raw({"alg": "RS256", "kid": "rsa"}, claims(exp="soon"), rs256), "no time at which it expires")
case("exp out of range", raw({"alg": "RS256", "kid": "rsa"}, claims(exp=1e300), rs256), "no time at which it expires")
case("exp negative", raw({"alg": "RS256", "kid": "rsa"}, claims(exp=-1), rs256), "no time at which it expires")
case("not yet", signed(claims(nbf=NOW + 31)), "does not hold yet")
case("issued later", signed(claims(iat=NOW + 31)), "issued in the future")
case("another audience", signed(claims(aud="https://other.example")), "for another audience")
case("a prefix of the audience", signed(claims(aud=AUDIENCE + "/x")), "for another audience")
case("no audience", signed(claims(aud=None)), "names no audience")
case("audience of numbers", raw({"alg": "RS256", "kid": "rsa"}, claims(aud=[1]), rs256), "audience is none")
case("another issuer", signed(claims(iss=ISSUER + "/")), "of another issuer")
case("no issuer", signed(claims(iss=None)), "of another issuer")
case("no subject", signed(claims(sub=None)), "no subject")
case("an empty subject", signed(claims(sub="")), "no subject")
case("typ JWT where at+jwt is needed", signed(claims()), "no at+jwt", access_only=True)
case("typ of a logout token", signed(claims(), typ="logout+jwt"), "of another kind")
case("an ID token", signed(claims(nonce="n")), "an ID token is no access token")
case("bound to a certificate", signed(claims(cnf={"x5t#S256": "x"})), "bound to a key")
case("algorithm not the issuer's", signed(claims(), "PS256"), "not one of its issuer's", algorithms=["RS256"])

case("none", raw({"alg": "none"}, claims(), lambda m: b"x"), "algorithm is none of ours")
case("none without signature", b64(b'{"alg":"none"}') + "." + p + ".", "not a token")
case("nOnE", raw({"alg": "nOnE"}, claims(), lambda m: b"x"), "algorithm is none of ours")
pem = rsa1.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
for alg in ("HS256", "RS256"):
    case("HMAC with the public key, said to be " + alg,
         raw({"alg": alg, "kid": "rsa"}, claims(), lambda m: hmac.new(pem, m, hashlib.sha256).digest()),
         "algorithm is none of ours" if alg == "HS256" else "signature is wrong")
case("HMAC with the set's own secret", raw({"alg": "HS256", "kid": "oct"}, claims(), lambda m: hmac.new(
    b"secret that is known to everybody", m, hashlib.sha256).digest()), "algorithm is none of ours")
case("another's signature", signed(claims(), "RS256", key=other), "signature is wrong")
case("a key that encrypts", signed(claims(), "RS256", key=other, kid="encrypts"), "unknown")
case("kid of nobody", signed(claims(), kid="nobody"), "unknown")
case("kid of another kind of key", signed(claims(), "ES256", kid="rsa"), "unknown")
case("kid of another curve", signed(claims(), "ES256", kid="p384"), "unknown")
case("an RSA key with an EC algorithm's name", raw({"alg": "ES256", "kid": "rsa"}, claims(), rs256), "unknown")
case("ES256 in DER", raw({"alg": "ES256", "kid": "p256"}, claims(), lambda m: p256.sign(m, ec.ECDSA(hashes.SHA256()))),
     "signature is wrong")
case("ES256 of zeros", raw({"alg": "ES256", "kid": "p256"}, claims(), lambda m: bytes(64)), "signature is wrong")
case("PS256 without salt", raw({"alg": "PS256", "kid": "rsa"}, claims(), lambda m: rsa1.sign(
    m, padding.PSS(padding.MGF1(hashes.SHA256()), 0), hashes.SHA256())), "signature is wrong")
case("RS256 with SHA-1 inside", raw({"alg": "RS256", "kid": "rsa"}, claims(), lambda m: rsa1.sign(
    m, padding.PKCS1v15(), hashes.SHA1())), "signature is wrong")
case("claims changed", h + "." + b64(json.dumps(claims(sub="root")).encode()) + "." + s, "signature is wrong")
for name in ("jku", "x5u", "x5c", "jwk"):
    value = {"jku": "https://evil.example/keys", "x5u": "https://evil.example/cert", "x5c": ["x"],
             "jwk": ed_jwk(ed)}[name]
    case("with " + name, signed(claims(), **{name: value}), "brings its own key")
case("a critical extension", signed(claims(), crit=["exp"], exp=NOW), "critical extension")
case("b64", signed(claims(), crit=["b64"], b64=True), "critical extension")
case("nested", signed(claims(), cty="JWT"), "packed, encrypted or nested")
case("packed", signed(claims(), zip="DEF"), "packed, encrypted or nested")
case("a header member twice", raw('{"alg":"RS256","kid":"rsa","alg":"none"}', claims(), rs256), "a member twice")
case("a claim twice", raw({"alg": "RS256", "kid": "rsa"},
                          json.dumps(claims())[:-1] + ',"sub":"root"}', rs256), "a member twice")
case("claims that are a list", raw({"alg": "RS256", "kid": "rsa"}, "[]", rs256), "not JSON")
case("bytes behind the claims", raw({"alg": "RS256", "kid": "rsa"}, json.dumps(claims()) + "x", rs256), "not JSON")
case("kid a number", raw({"alg": "RS256", "kid": 1}, claims(), rs256), "kid is none")
case("alg a list", raw({"alg": ["RS256"], "kid": "rsa"}, claims(), rs256), "algorithm is none of ours")
case("padding", h + "." + p + "." + s + "==", "not base64url")
case("the other alphabet", h + "." + p + "." + s[:-3] + "+/" + s[-1], "not base64url")
case("two parts", h + "." + p, "not a token")
case("four parts", good + ".x", "not a token")
case("five parts", good + ".x.y", "not a token")
case("a long one", signed(claims(sub="ann", more="x" * 9000)), "not a token")

print(json.dumps({
    "made_with": "PyJWT %s, cryptography %s, tests/protect/data/tokens.py" % (jwt.__version__, cryptography.__version__),
    "now": NOW, "issuer": ISSUER, "audience": AUDIENCE, "jwks": {"keys": keys}, "cases": cases}, indent=1))

#!/usr/bin/env python3
"""Checks testdata/vectors.json: every derivation and every frame, with envelope.py alone.

    vectors.py FILE

Not every version of the package `cryptography` has ML-KEM: where it is missing, the shares are
checked from the ML-KEM shared secret on.
"""

import json
import sys

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

import envelope as e


def same(name, got, want):
    if got.hex() != want:
        sys.exit("%s: %s, want %s" % (name, got.hex(), want))


def prf_of(key):
    return lambda message: e.cmac(bytes.fromhex(key), message)


def keys_alone(v):
    link, session = v["link_ascii"].encode(), bytes.fromhex(v["session"])
    nonces = bytes.fromhex(v["nonce_i"]), bytes.fromhex(v["nonce_a"])
    s = e.Session(e.INITIATOR, e.GCM, False, link, session, v["generation"],
                  prf_of(v["link_key"]), nonces)
    same("secret", s.secret, v["secret"])
    message = v["message_ascii"].encode()
    same("frame i2a 0", s.sending.seal(e.DATA, message), v["frame_i2a_0"])
    same("frame i2a 1", s.sending.seal(e.DATA, message), v["frame_i2a_1"])
    s = e.Session(e.ACCEPTOR, e.GCM, False, link, session, v["generation"],
                  prf_of(v["link_key"]), nonces)
    same("frame a2i 0", s.sending.seal(e.DATA, message), v["frame_a2i_0"])


def lattice(x, key, ciphertext):
    try:
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
        own = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(x["ml_kem_768_seed_i"]))
    except (ImportError, UnsupportedAlgorithm):
        print("no ML-KEM here")
        return
    same("ML-KEM key", own.public_key().public_bytes_raw(), key.hex())
    same("ML-KEM", own.decapsulate(ciphertext), x["ml_kem_768_shared"])


def hello_share(v, hello):
    """The share, which only the term and the option of a standby come after."""
    end = len(hello) - (11 if "term_i" in v else 0) - (3 if "standby" in v else 0)
    return hello[end - 1216:end] if "shares" in v else None


def shares(v, hello, ack, hellos):
    if "shares" not in v:
        return None
    x = v["shares"]
    own = X25519PrivateKey.from_private_bytes(bytes.fromhex(x["x25519_private_i"]))
    offer, answer = hello_share(v, hello), e.read_ack(ack, bytes.fromhex(v["session"]))[4]
    other = X25519PrivateKey.from_private_bytes(bytes.fromhex(x["x25519_private_a"]))
    same("x25519", own.exchange(X25519PublicKey.from_public_bytes(answer[:32])), x["x25519_shared"])
    same("x25519", other.exchange(X25519PublicKey.from_public_bytes(offer[:32])),
         x["x25519_shared"])
    lattice(x, offer[32:], answer[32:])
    secret = e.shares_secret(bytes.fromhex(x["x25519_shared"]),
                             bytes.fromhex(x["ml_kem_768_shared"]), hellos)
    same("shares", secret, x["shares_secret"])
    return secret


def session(v):
    link, sid = v["link_ascii"].encode(), bytes.fromhex(v["session"])
    suite, = bytes.fromhex(v["suite"])
    hello, ack = bytes.fromhex(v["hello"]), bytes.fromhex(v["ack"])
    nonces = bytes.fromhex(v["nonce_i"]), bytes.fromhex(v["nonce_a"])
    offer = hello_share(v, hello)
    first = min(map(int, v["link_keys"]))
    same("hello", e.make_hello(link, first, sid, nonces[0], (suite,), v["padded"], offer,
                              v.get("term_i"), v.get("standby", False)),
         v["hello"])
    answer = e.read_ack(ack, sid)
    if answer[:4] + answer[5:] != (suite, first, nonces[1], v["padded"], v.get("term_a"),
                                  v.get("standby", False)):
        sys.exit("ack")
    hellos = e.hash_hellos(hello, ack)
    same("hash of hellos", hellos, v["hash_of_hellos"])
    secret = shares(v, hello, ack, hellos)
    for k in v["keys"]:
        s = e.link_secret(prf_of(v["link_keys"][str(k["generation"])]), k["generation"], sid,
                          *nonces, link, secret)
        for _ in range(k["epoch"]):
            s = e.next_secret(s)
        same("secret", s, k["secret"])
        for side, name in ((e.INITIATOR, "i2a"), (e.ACCEPTOR, "a2i")):
            same(name, e.material(s, suite, side, link, k["generation"], k["epoch"], sid),
                 k["material_" + name])
    frames(v, suite, link, sid, first, nonces, secret, hellos)


def frames(v, suite, link, sid, first, nonces, secret, hellos):
    ends = {}
    for side, name in ((e.INITIATOR, "initiator"), (e.ACCEPTOR, "acceptor")):
        s = ends[name] = e.Session(side, suite, v["padded"], link, sid, first,
                                   prf_of(v["link_keys"][str(first)]), nonces, secret)
        same("proof", e.proof(s.secret, side, hellos), v["finished_" + name[0]])
        for g in sorted(map(int, v["link_keys"])):
            if g != first:
                s.install(g, prf_of(v["link_keys"][str(g)]))
    kinds = {"data": e.DATA, "finished": e.FINISHED, "close": e.CLOSE, "term": e.TERM}
    for f in v["frames"]:
        frame, kind, content = bytes.fromhex(f["frame"]), kinds[f["type"]], bytes.fromhex(
            f["content"])
        sender = ends[f["from"]]
        receiver = ends["acceptor" if f["from"] == "initiator" else "initiator"]
        if receiver.receiving.open(frame) != (kind, content):
            sys.exit("frame %s: not opened as %s" % (f["frame"], f["content"]))
        out, at = sender.sending, receiver.receiving
        if out.generation != at.generation:
            out.switch(at.generation)
        elif out.epoch != at.epoch:
            out.ratchet()
        if suite == e.GCM:
            same("frame", out.seal(kind, content), f["frame"])
        else:
            iv, seal = frame[24:32], out.cipher.seal
            out.cipher.seal = lambda head, content: seal(head, content, iv)
            same("frame", out.seal(kind, content), f["frame"])
            out.cipher.seal = seal


def terms():
    """What a center does about the terms of a peer."""
    t = e.Terms()
    s = e.Session.__new__(e.Session)
    s.admit(t, 5)
    later = e.Session.__new__(e.Session)
    later.admit(t, 6)
    for term, ok in ((5, False), (6, True), (0, True)):
        try:
            t.admit(term)
            if not ok:
                sys.exit("term %d after 6 is admitted" % term)
        except e.Refused:
            if ok:
                sys.exit("term %d after 6 is refused" % term)
    if not s.over() or later.over():
        sys.exit("who is over")
    standby = e.Session.__new__(e.Session)
    standby.wait(t)
    t.admit(9)
    if standby.over():
        sys.exit("a standby's session is over by the term of another")
    standby.raised((10).to_bytes(8, "big"))
    if standby.over() or t.highest != 10 or not later.over():
        sys.exit("a standby that has said its term")
    try:
        standby.raised((11).to_bytes(8, "big"))
        sys.exit("a second term in one session")
    except e.Refused:
        pass


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        v = json.load(f)
    keys_alone(v["keys_alone"])
    terms()
    for s in v["sessions"]:
        session(s)
        print("%s: %d frames" % (s["name"], len(s["frames"])))
    print("all right")


if __name__ == "__main__":
    main()

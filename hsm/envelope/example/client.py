#!/usr/bin/env python3
"""Dials a link, sends messages under the envelope and prints the answers' number.

    client.py HOST PORT LINK GENERATION COUNT [--pad] [--epoch-frames N] [--terms N] < keys.json

The link keys come by standard input, so that no list of processes shows them, as JSON: hex by
generation. Here the client has the later ones from the start; a real one gets them by 1804/811. It
switches when the switch has. --terms asks for the term of the peer's cluster, and refuses one below
N, the highest that was heard before.
"""

import argparse
import json
import socket
import struct
import sys

import envelope


def main():
    args = argparse.ArgumentParser()
    args.add_argument("host")
    args.add_argument("port", type=int)
    args.add_argument("link")
    args.add_argument("generation", type=int)
    args.add_argument("count", type=int)
    args.add_argument("--pad", action="store_true")
    args.add_argument("--epoch-frames", type=int, default=1 << 24)
    args.add_argument("--terms", type=int)
    args = args.parse_args()
    keys = {int(g): bytes.fromhex(k) for g, k in json.load(sys.stdin).items()}
    prfs = {g: (lambda message, k=k: envelope.cmac(k, message)) for g, k in keys.items()}

    sock = socket.create_connection((args.host, args.port), timeout=20)
    stream = sock.makefile("rb")

    def send(frame):
        sock.sendall(struct.pack(">H", len(frame)) + frame)

    def receive():
        size = stream.read(2)
        if len(size) < 2:
            raise envelope.Refused("the peer cut the connection")
        return stream.read(struct.unpack(">H", size)[0])

    terms = None if args.terms is None else envelope.Terms(args.terms)
    s = envelope.initiate(send, receive, args.link.encode(), args.generation, prfs, args.pad,
                          args.epoch_frames, terms)
    for g in sorted(keys):
        if g > s.generation:
            s.install(g, prfs[g])
    for n in range(args.count):
        message = b"1804 message %d" % n
        send(s.sending.seal(envelope.DATA, message))
        kind, answer = s.receiving.open(receive())
        if kind != envelope.DATA or answer != message[::-1]:
            raise envelope.Refused("an answer to something else")
        if s.receiving.generation != s.sending.generation:
            s.sending.switch(s.receiving.generation)
    at = "%d/%d %d/%d" % (s.sending.generation, s.sending.epoch, s.receiving.generation,
                          s.receiving.epoch)
    send(s.sending.seal(envelope.CLOSE, b"\0"))
    if s.receiving.open(receive()) != (envelope.CLOSE, b"\0"):
        raise envelope.Refused("no close in answer to ours")
    heard = "" if terms is None else ", term %d" % terms.highest
    print("%d answered, at %s%s" % (args.count, at, heard))


if __name__ == "__main__":
    main()

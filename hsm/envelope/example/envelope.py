"""The link envelope of cardswitch, version 1, as a partner may write it from SPEC.md alone.

It needs Python 3.9 and the package `cryptography` (Debian: python3-cryptography). It does the
initiator's side with AES-256-GCM; the legacy suite and the shares are there as far as the vectors
need them.
"""

import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

LABEL = b"iso8583-link/v1"
DATA, HELLO, ACK, FINISHED, CLOSE, TERM = range(6)
INITIATOR, ACCEPTOR = 0, 1
GCM, TDES = 0x01, 0x81
WAYS = {INITIATOR: b"i2a", ACCEPTOR: b"a2i"}
LETTERS = {INITIATOR: b"i", ACCEPTOR: b"a"}
ALERT = bytes([0xE8, 0x10 | CLOSE, 0, ACCEPTOR]) + bytes(20)


class Refused(Exception):
    """The peer, or a frame, is not to be trusted: close the connection."""


# Derivations (SPEC.md, section 5)


def cmac(key, message):
    c = CMAC(algorithms.AES(key))
    c.update(message)
    return c.finalize()


def expand(key, info, size):
    out, block, n = b"", b"", 1
    while len(out) < size:
        block = hmac.new(key, block + info + bytes([n]), hashlib.sha256).digest()
        out, n = out + block, n + 1
    return out[:size]


def extract(salt, material):
    return hmac.new(salt, material, hashlib.sha256).digest()


def link_secret(prf, generation, session, nonce_i, nonce_a, link, shares=None):
    """S of a generation at epoch 0. prf is AES-CMAC under the link key."""
    fixed = LABEL + b"\0" + struct.pack(">H", generation) + session + nonce_i + nonce_a + link
    s = b"".join(prf(struct.pack(">I", i) + fixed + struct.pack(">I", 256)) for i in (1, 2))
    return s if shares is None else extract(s, shares)


def next_secret(s):
    return expand(s, b"next", 32)


def shares_secret(curve, lattice, hellos):
    return extract(LABEL + b"/shares", curve + lattice + hellos)


def material(s, suite, side, link, generation, epoch, session):
    label, size = (LABEL, 44) if suite == GCM else (LABEL + b"/tdes", 40)
    tail = struct.pack(">HH", generation, epoch) + session
    return expand(s, label + b"/" + WAYS[side] + b"/" + link + b"/" + tail, size)


def hash_hellos(hello, ack):
    return hashlib.sha256(hashlib.sha256(hello).digest() + hashlib.sha256(ack).digest()).digest()


def proof(s, side, hellos):
    key = expand(s, LABEL + b"/finished/" + LETTERS[side], 32)
    return hmac.new(key, LETTERS[side] + hellos, hashlib.sha256).digest()


# Frames (SPEC.md, sections 2, 6 and 7)


def header(kind, suite, side, generation, epoch, session, sequence):
    return struct.pack(">BBBBHH8sQ", 0xE8, 0x10 | kind, suite, side, generation, epoch, session,
                       sequence)


def pad(content):
    n = 64 - len(content) % 64
    return content + bytes(n - 1) + bytes([n])


def unpad(content):
    n = content[-1] if content else 0
    if len(content) % 64 or not 1 <= n <= 64 or any(content[-n:-1]):
        raise Refused("padding")
    return content[:-n]


class AEAD:
    """AES-256-GCM with the sequence number in the nonce."""

    def __init__(self, keys):
        self.gcm, self.iv = AESGCM(keys[:32]), int.from_bytes(keys[32:], "big")

    def nonce(self, head):
        return (self.iv ^ int.from_bytes(head[16:24], "big")).to_bytes(12, "big")

    def seal(self, head, content):
        return head + self.gcm.encrypt(self.nonce(head), content, head)

    def open(self, frame):
        head = frame[:24]
        try:
            return self.gcm.decrypt(self.nonce(head), frame[24:], head)
        except InvalidTag:
            raise Refused("tag") from None


class Legacy:
    """TDES-CBC with the MAC of X9.19. Only for the vectors: it counts no blocks."""

    def __init__(self, keys):
        self.keys, self.left, self.right = keys[:24], keys[24:32], keys[32:40]

    @staticmethod
    def cipher(key, mode):
        try:
            from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
        except ImportError:
            TripleDES = algorithms.TripleDES
        return Cipher(TripleDES(key), mode)

    def des(self, key, block, encrypt):
        c = self.cipher(key * 3, modes.ECB())
        c = c.encryptor() if encrypt else c.decryptor()
        return c.update(block) + c.finalize()

    def mac(self, data):
        state = bytes(8)
        for at in range(0, len(data), 8):
            mixed = bytes(a ^ b for a, b in zip(state, data[at:at + 8]))
            state = self.des(self.left, mixed, True)
        return self.des(self.left, self.des(self.right, state, False), True)

    def seal(self, head, content, iv=None):
        iv = iv or os.urandom(8)
        content += b"\x80" + bytes(-(len(content) + 1) % 8)
        c = self.cipher(self.keys, modes.CBC(iv)).encryptor()
        body = head + iv + c.update(content) + c.finalize()
        return body + self.mac(body)

    def open(self, frame):
        if not hmac.compare_digest(self.mac(frame[:-8]), frame[-8:]):
            raise Refused("MAC")
        c = self.cipher(self.keys, modes.CBC(frame[24:32])).decryptor()
        content = c.update(frame[32:-8]) + c.finalize()
        kept = content.rstrip(b"\0")
        if len(content) - len(kept) > 7 or kept[-1:] != b"\x80":
            raise Refused("padding")
        return kept[:-1]


class Direction:
    """One direction of a session: where it stands, and the secrets of what is to come."""

    def __init__(self, session, side):
        self.session, self.side, self.pending = session, side, {}
        self.enter(session.generation, 0, session.secret)

    def keys(self, generation, epoch, secret):
        s = self.session
        return {GCM: AEAD, TDES: Legacy}[s.suite](
            material(secret, s.suite, self.side, s.link, generation, epoch, s.id))

    def enter(self, generation, epoch, secret):
        self.generation, self.epoch, self.sequence, self.secret = generation, epoch, 0, secret
        self.cipher = self.keys(generation, epoch, secret)
        # A generation that was passed never comes back.
        waiting = list(self.pending)
        if generation in waiting:
            for old in waiting[:waiting.index(generation) + 1]:
                del self.pending[old]

    def ratchet(self):
        if self.epoch == 0xFFFF:
            raise Refused("the generation is used up")
        self.enter(self.generation, self.epoch + 1, next_secret(self.secret))

    def switch(self, generation):
        self.enter(generation, 0, self.pending[generation])

    def seal(self, kind, content):
        s = self.session
        if self.sequence >= s.epoch_frames:
            self.ratchet()
        head = header(kind, s.suite, self.side, self.generation, self.epoch, s.id, self.sequence)
        self.sequence += 1
        return self.cipher.seal(head, pad(content) if s.padded else content)

    def open(self, frame):
        """Gives type and content of the next frame, or raises Refused: then all is over."""
        s = self.session
        if s.over():
            raise Refused("old term: the peer has another active node since")
        if len(frame) < 24 + 17:
            raise Refused("short frame")
        magic, kind, suite, side, generation, epoch, session, sequence = struct.unpack(
            ">BBBBHH8sQ", frame[:24])
        if (magic, kind >> 4, suite, side, session) != (0xE8, 1, s.suite, self.side, s.id):
            raise Refused("a frame of something else")
        at = self.generation, self.epoch
        if (generation, epoch) == (at[0], at[1] + 1):
            step = self.ratchet
        elif generation in self.pending and epoch == 0:
            def step():
                self.switch(generation)
        elif (generation, epoch) == at:
            step = None
        else:
            raise Refused("generation or epoch")
        if sequence != (self.sequence if step is None else 0) or sequence >= 1 << 32:
            raise Refused("sequence")
        if step:
            step()  # a tag that fails now ends the session, so there is no way back to keep
        content = self.cipher.open(frame)
        content = unpad(content) if s.padded else content
        if not content:
            raise Refused("empty")
        self.sequence += 1
        return kind & 0x0F, content


class Terms:
    """The highest term that a peer has proven, over all its links and connections (SPEC.md,
    section 4). A center keeps one for each peer, also over its own restarts."""

    def __init__(self, highest=0):
        self.highest = highest

    def admit(self, term):
        if term and term < self.highest:
            raise Refused("old term: %d after %d" % (term, self.highest))
        self.highest = max(self.highest, term)
        return self.highest


class Session:
    """The initiator's or acceptor's view of a connection, from the hellos on."""

    waits = False  # for the term of a standby

    def __init__(self, side, suite, padded, link, session, generation, prf, nonces, shares=None,
                 epoch_frames=1 << 24):
        self.suite, self.padded, self.link, self.id = suite, padded, link, session
        self.generation, self.nonces, self.shares = generation, nonces, shares
        self.epoch_frames = epoch_frames
        self.terms, self.since = None, 0
        self.secret = self.derive(generation, prf)
        self.sending = Direction(self, side)
        self.receiving = Direction(self, 1 - side)

    def admit(self, terms, term):
        """The peer has proven to be of a term, 0 if it has none."""
        self.terms, self.since = terms, terms.admit(term)

    def wait(self, terms):
        """The peer is a standby, and says its term later (SPEC.md, section 14)."""
        self.terms, self.waits = terms, True

    def raised(self, content):
        """The standby has become the active node, and says its term."""
        term = int.from_bytes(content, "big")
        if not self.waits or len(content) != 8 or not term:
            raise Refused("a term out of turn")
        self.waits = False
        self.admit(self.terms, term)

    def over(self):
        """Whether a higher term was proven since, on another connection."""
        return self.terms is not None and not self.waits and self.terms.highest > self.since

    def derive(self, generation, prf):
        return link_secret(prf, generation, self.id, *self.nonces, self.link, self.shares)

    def install(self, generation, prf):
        """A new generation of the link key, for both directions, in the order of the calls."""
        secret = self.derive(generation, prf)
        self.receiving.pending[generation] = secret
        self.sending.pending[generation] = secret


# Handshake (SPEC.md, sections 3 and 4)


def make_hello(link, generation, session, nonce, suites=(GCM,), padding=False, share=None,
               term=None, standby=False):
    body = nonce + bytes([len(link)]) + link + bytes([len(suites)]) + bytes(suites)
    if padding:
        body += b"\x01\0\0"
    if share:
        body += b"\x02" + struct.pack(">H", len(share)) + share
    if term is not None:
        body += b"\x03" + struct.pack(">HQ", 8, term)
    if standby:
        body += b"\x04\0\0"
    return header(HELLO, 0, INITIATOR, generation, 0, session, 0) + body


def read_ack(frame, session):
    """Gives suite, generation, nonce, whether contents are padded, the share and the term, or None,
    and whether the session waits."""
    if frame == ALERT:
        raise Refused("alert: the peer does not know the link or key, or wants another suite")
    if len(frame) < 56 or len(frame) > 2048:
        raise Refused("ack")
    magic, kind, suite, side, generation, epoch, got, sequence = struct.unpack(
        ">BBBBHH8sQ", frame[:24])
    if (magic, kind, side, epoch, got, sequence) != (0xE8, 0x10 | ACK, ACCEPTOR, 0, session, 0):
        raise Refused("ack")
    nonce, rest, last, options = frame[24:56], frame[56:], 0, {}
    while rest:
        if len(rest) < 3 or not last < rest[0] <= 4:
            raise Refused("ack")
        last, n = rest[0], int.from_bytes(rest[1:3], "big")
        if len(rest) < 3 + n or n != {1: 0, 2: 1120, 3: 8, 4: 0}[last]:
            raise Refused("ack")
        options[last], rest = rest[3:3 + n], rest[3 + n:]
    term = int.from_bytes(options[3], "big") if 3 in options else None
    return suite, generation, nonce, 1 in options, options.get(2), term, 4 in options


def initiate(send, receive, link, generation, prfs, padding=False, epoch_frames=1 << 24,
             terms=None):
    """Opens a session. send and receive carry one frame each; prfs has the PRF of each generation
    that may be used. With the Terms of the peer, the peer is asked for its term."""
    session, nonce = os.urandom(8), os.urandom(32)
    hello = make_hello(link, generation, session, nonce, padding=padding,
                       term=None if terms is None else 0)  # we are no cluster
    send(hello)
    ack = receive()
    suite, chosen, nonce_a, padded, share, term, waits = read_ack(ack, session)
    if waits:
        raise Refused("ack: nobody asked for a session that waits")
    if suite != GCM or share is not None or (padding and not padded) or chosen not in prfs:
        raise Refused("ack: not what we offered")
    if term is not None and terms is None:
        raise Refused("ack: not what we offered")
    s = Session(INITIATOR, suite, padded, link, session, chosen, prfs[chosen], (nonce, nonce_a),
                epoch_frames=epoch_frames)
    hellos = hash_hellos(hello, ack)
    kind, content = s.receiving.open(receive())
    if kind != FINISHED or not hmac.compare_digest(content, proof(s.secret, ACCEPTOR, hellos)):
        raise Refused("finished: someone changed the hellos")
    if terms is not None:
        s.admit(terms, term or 0)
    send(s.sending.seal(FINISHED, proof(s.secret, INITIATOR, hellos)))
    return s

// Package envelope encrypts whole ISO 8583 messages between two centers that share a link key.
//
// Nothing of a message is readable on the wire, not even its type. The package touches no socket,
// no clock and no file: it takes and gives frames. SPEC.md, beside this file, is the wire format,
// byte for byte, good enough to write the other end from it; testdata/vectors.json are its test
// vectors, and example/ is another end in Python.
//
// # A frame
//
// It stands behind the length of the link's framing. A fixed header or TPDU, if the link has one,
// is inside, before the message:
//
//	 0      magic E8
//	 1      version 1 (high nibble), type: 0 data, 1 hello, 2 hello-ack, 3 finished,
//	       4 close or alert, 5 term
//	 2      suite: 1 AES-256-GCM, 81 TDES-CBC with X9.19
//	 3      flags: bit 0 is the direction, 0 from the initiator (who dialled); others 0
//	 4..5   generation of the link key
//	 6..7   epoch: the ratchet within a generation
//	 8..15  session id: random, of the initiator
//	16..23  sequence: from 0, per direction, generation and epoch
//	24..    ciphertext, and 16 bytes of tag; all before it is authenticated
//
// # Keys
//
// Both sides have a link key (ZEK), of which there is a new generation every day or so. It may lie
// in an HSM and never leave it: the package asks for AES-CMAC under it (PRF), twice a connection.
// Nonces of both sides make the keys of every connection its own, so sequences begin at 0 and
// nothing must be kept over a crash. Optional shares (X25519 and ML-KEM-768) see to it that
// whoever learns the link key later opens nothing that was recorded.
//
// # Use
//
// A Handshake is fed the peer's frames until its Session stands. The session has two halves, which
// two goroutines use without a lock: Sealer and Opener. Both write in place, and allocate nothing
// but at a change of key:
//
//	writer: length := sealer.Size(len(message)); dst, err = sealer.Seal(dst, message)
//	reader: message, err := opener.Open(frame)
//
// Session.Install makes the next generation known, from any goroutine, Session.Switch makes our
// sealer use it, and the peer's first frame with it moves our opener. Traffic doesn't stop for it
// and no frame is lost. The epochs go on by themselves, or by Session.Ratchet.
//
// # What is refused
//
// The opener takes exactly the next frame. Anything else (a gap, a repeat, a frame of ours, of
// another connection or key, one flipped bit) ends the session for good. The Cause is for the audit
// log and the metrics; the peer gets one alert that says nothing.
//
// # Terms
//
// A peer may be a cluster, whose active node says its term, the number of its election. With
// Policy.Terms a node of an earlier term than one that was proven is refused, and whatever still
// comes over its connections: it was paused, or cut off, and doesn't know yet that another node has
// taken over. Both sides may be one; an end that knows nothing of terms is taken as ever. A node
// that isn't active may hold a session that waits (Policy.Standby), over which it signs on, until
// it says its term by Sealer.Raise.
//
// # What it leaves to the caller
//
// The time a handshake may take; how many may be open; which keys may still be used (Keys); the
// audit log; sending Sealer.Alert after a refusal; closing connections whose sessions are Over;
// calling Session.End at last. Secrets are wiped when they have served, but Go may keep copies, and
// the key schedules of its ciphers stay until the collector takes them. With GODEBUG=fips140=on all
// of it runs; fips140=only refuses GCM with our nonces, and TDES.
package envelope

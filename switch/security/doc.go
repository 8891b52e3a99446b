// Package security checks the messages that come from a center, and protects those that go to it.
//
// What a center agreed on is its Profile: how messages are authenticated (MAC, element 64 or
// 128), in which zone and format PINs come and go (element 52), and whether element 53 names the
// keys (package keying). A Guard does the work with a security module and the keys in force. It
// knows no links and no tables: Inspect stands before the doors of the switch, Protect at the
// release, where the last bytes of a message are made.
//
// # The code of a message
//
// The element with the code is the message's last one: 128 where there is an element above 64,
// else 64. An element 64 with others behind it is no code, for those would be unprotected. The
// code is over the message as it is on the wire, in whatever dialect, from the MTI up to the
// code's element, bitmap with the code's own bit included; or over the elements that the profile
// lists, in its order, each as on the wire with its length, 0 standing for the MTI and 1 for the
// bitmap. A listed element that isn't there adds nothing, and what isn't listed isn't protected:
// the list is for partners who can't do better. A code of 4 bytes is followed by 4 zeros. The
// ways are those of package mac.
//
// Codes are made anew at every sending, and so is element 53: they are about this sending under
// the key of today. They are no part of what the journal keeps as an answer or an advice, so the
// same question gets the same answer byte for byte only as far as these elements go: they differ
// when the key has changed between.
//
// # PINs
//
// A PIN block is translated in one operation of the module, at the release, after its request is
// durable: the journal never has it. The card number is the message's own, so a block can't be
// moved to another card. Everything that is wrong with a block is one reason (ISO 9564-1).
package security

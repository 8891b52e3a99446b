// Package pinblock makes and opens PIN blocks of ISO 9564-1 and carries a PIN from one to another.
//
// Formats 0, 1 and 3 have 8 bytes and are enciphered with TDES, format 4 has 16 and goes with AES.
// Format 4 doesn't fit element 52: it needs an element of its own by agreement.
//
// A switch needs Translator and nothing else: the block goes in, another comes out, and the PIN
// between them is wiped. All refusals of a block are one error, ErrBlock, and all tests of a block
// are made whatever the first one says. Whoever may try blocks or card numbers at will would
// otherwise learn a PIN digit by digit from which test failed. For the same reason the digits of a
// PIN aren't looked at unless that is asked for (Checks).
//
// What a format can tell of a wrong card number is little: format 0 tells it if a digit differs
// that lies on the fill, format 3 only if the fill then leaves A to F, format 1 has no card number.
// Format 4 lets one wrong number in some 60,000 pass, and then gives a PIN of chance.
//
// Two places keep traces that Go can't wipe: the key schedules of crypto/des and crypto/aes, and
// stacks that the runtime has moved. TDES of the standard library isn't constant in time either. So
// in production PINs are for a module of their own; this package is for test, for private networks,
// and for what computes beside such a module.
package pinblock

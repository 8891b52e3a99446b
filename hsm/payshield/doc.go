// Package payshield drives a payment HSM that speaks the payShield host commands over TCP.
//
// A command is a length of two bytes, a message header that comes back unchanged, two characters of
// command, and fields. The answer has the header, the command with its second character counted up
// by one, an error code of two characters, and fields. Keys are "S" key blocks under the units'
// local master key (LMK): the switch keeps them, the units keep nothing.
//
// # What it was tested against
//
// Only against our own simulator (conformance/payshield), which is made of public descriptions of
// the commands, and against messages that public programs print. No unit was at hand, and the
// vendor's command reference isn't public. Each command's function says what it rests on: [V] is a
// message or a layout printed by a public program that talks to units, [M] is from memory. The
// sources are:
//
//   - ut-codec: github.com/softwaregroup-bg/ut-codec-payshield, commands and answers as bytes, with
//     key block LMK.
//   - aws: github.com/aws-samples/samples-for-payment-cryptography-service, its payShield commands
//     and its migration guide.
//   - pressure: github.com/mszeu/PayShieldPressureTest, NC and N0 with the answers of a 10K.
//   - smoke: github.com/credulous67/Payshield_test, NC of one LMK, A0 with key block LMK.
//   - thales9000: a public Go client of a payShield 9000, M0, M2, M6 and M8 with binary data.
//   - racal: public pages that describe CA, CC, CI and G0 of the units' ancestors field by field.
//
// An installation proves it on its own units before it takes a card: `hsm/moduletest` runs against
// any module.
//
// # What it can't do
//
// What rests on nothing public is absent, and says so (hsm.ErrAbsent), instead of guessing. So no
// key ring is on units alone: package split puts another module beside them. Absent are:
//
//   - Form. Clear components don't go over a network: they are entered at a unit's console, which
//     gives a block. FormBlocks joins such blocks (A4), and Adopt takes a key that was formed so.
//   - DeriveSecret. The key has usage B3 and the unit makes CMACs with MAC keys only; besides no
//     source says how M6 is asked for all 16 bytes.
//   - WrapDataKey. M0 encrypts with data keys, not with a key encryption key (usage K0).
//   - PIN blocks of format 4 and AES DUKPT: units have them, but no source shows the fields.
//   - TDES-CMAC, AES-CMAC of more than 8 bytes, and modes, versions or optional blocks in an
//     exported header that aren't the key's.
//
// And it can't tell how long an imported key is where the lengths of the blocks leave two answers,
// as they do for TDES of two and three parts under an AES LMK. Then the least that is wanted is
// taken for it; the unit enforces its own rule that no key is under a weaker one.
//
// # Two units
//
// The first unit that is up and not resting is asked. A connection counts as up once it has
// answered NC with the right check value of the LMK, and is asked again when it was silent. What
// certainly didn't leave is asked again at the other unit, and so is what may have been done if
// doing it twice is as good as once; only A0, which makes a key, isn't (command.repeatable). So a
// call takes at most two time-outs. If no unit is up, it is an hsm.ErrUnavailable at once.
//
// Answers find their questions by the header, which no two unanswered questions of a connection
// share. A question that was given up keeps its header, and its place in the window, until its
// answer or the end of the connection. An answer to nothing, or of another command, ends it.
package payshield

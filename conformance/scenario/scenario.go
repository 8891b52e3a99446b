// Package scenario runs conversations with a host, written down as text.
//
// A scenario says who connects, what is sent, and what must come back. It plays the merchant, the
// issuer, or both at once, against the switch or any other 1993 host; partners are certified
// with the same files that test the switch. A file holds scenarios and message templates:
//
//	# The smallest sale.
//	message sale 1200
//	  2   {pan}
//	  3   000000
//	  4   1000
//	  11  {stan}
//	  12  {now}
//	  37  {rrn}
//
//	scenario: a sale is approved
//	connect shop as merchant
//	connect bank as issuer
//	sign-on shop
//	send shop 1200 like sale as s
//	expect bank 1200
//	  37  {s.37}
//	answer bank 000
//	  38  A12345
//	expect shop 1210 within 2s
//	  39  000
//	  11  *E
//	  38  *M
//	  52  *A
//
// A scenario that begins with "needs katakana" is skipped where a door's dialect doesn't have it,
// one that begins with "needs keys" where a door has no envelope or no kbpk_file, one that begins
// with "needs X" where the target doesn't say that it does X: linked (a return that names its sale
// names it to the issuer as that knows it), partial (reversals), days (business days by 1804/821
// and 15xx), negative (files by 1304), decides (an issuer, which answers by itself).
//
// Steps, one a line; what is indented belongs to the step above:
//
//	connect PARTY as merchant|issuer [NAME] [manual]   manual: answers no 1804 by itself
//	sign-on PARTY, sign-off PARTY, echo PARTY          an 1804 that must be answered 800
//	send PARTY MTI [like TEMPLATE|MESSAGE] [as NAME]
//	repeat PARTY [of NAME] [as NAME]                   the last request again, as a repeat
//	expect PARTY MTI [within 2s] [as NAME]
//	expect PARTY nothing for 300ms
//	expect PARTY closed [within 2s]
//	answer PARTY ACTION [to NAME] [as NAME]            answers what was expected last; an
//	                                                   approval gets an approval code
//	bytes PARTY HEX                                    one message of these bytes
//	frame PARTY HEX                                    these bytes without any length
//	allow PARTY MTI                                    may be left over at the end
//	new-key PARTY as KEY                               a new key of the party's link, and one
//	take-key PARTY of MESSAGE as KEY                   that a message brought: the host may
//	use-key PARTY of KEY                               send under it; now the party does, too
//	wait 300ms
//	close PARTY, cut PARTY                             in order, or with a reset
//
// Under send, repeat and answer: "N VALUE [as NAME]" sets element N, "without N ..." leaves out,
// "tail HEX" adds bytes behind the last element. Short values of fixed elements are filled as
// the standard says. A value may be "quoted", hex:0011 for bytes, kana:ｱｵﾔﾏ for half-width
// katakana, or wire:3032... for exactly these bytes on the wire, prefix included.
//
// Under expect: "N *M" present, "N *A" absent, "N *E" the same as in the message it answers, or a
// pattern of package match; "where N PATTERN" picks one message out of several.
//
// In braces: {stan} {rrn} new numbers, {now} {utc} times, {yesterday} {today} {tomorrow} dates,
// {NAME} a value kept with "as" or given by the target, {MESSAGE.11} an element of a named message,
// {MESSAGE.original} the element 56 that names it, {unsent} one that names a sale which was never
// sent, {KEY.order} and {KEY.block} the elements 53 and 96 that bring a key, {KEY.forged} a block
// whose code is wrong, {KEY.check} the element 96 that shows who has the key.
package scenario

import "time"

// Scenario is one conversation.
type Scenario struct {
	Title string
	File  string
	Line  int
	Steps []Step

	katakana  bool     // only for links that carry it
	keys      bool     // only for links whose keys are changed
	needs     []string // what the target must do, see Target.Does
	templates map[string]template
}

// Step is one line with what is indented under it.
type Step struct {
	Line   int
	Text   string
	verb   string
	party  string
	role   string
	mti    string // or an action code, or nothing, or closed
	like   string
	name   string
	to     string
	manual bool
	span   time.Duration
	bytes  []byte
	fields []field
}

// field is one indented line.
type field struct {
	line    int
	text    string
	element int
	verb    string // set, without, where, tail
	value   string
	name    string
}

type template struct {
	mti    string
	fields []field
}

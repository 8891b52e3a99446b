package audit

import "fmt"

// Event says what kind of thing happened. On disk it is its name, so numbers may change, names may
// not.
type Event uint8

const (
	LogCreated   Event = iota + 1 // of the log itself
	LogStarted                    //
	LogStopped                    //
	LogRecovered                  // a crash left something unfinished, which was dropped
	LogSegment                    // a segment begins
	LogAnchor                     // all before is signed
	LogTrimmed                    // old segments were removed
	LogRead                       // somebody read the log
	LogVerified                   // somebody had it checked

	SystemStarted
	SystemStopped
	ConfigChanged
	NodePromoted
	NodeFenced
	BackupTaken
	BackupRestored

	LoggedIn // people
	LoggedOut
	AccessDenied
	AccountCreated
	AccountChanged
	AccountDeleted
	AccountLocked

	LinkTold    // an operator acted on a link
	LinkRefused // a partner failed to prove itself, or a session was attacked
	WorkListDecided
	NegativeFileChanged
	DayCutOver
	JournalRead
	JournalVerified

	KeyRequested // a ceremony, step by step
	KeyComponent
	KeyApproved
	KeyActivated
	KeyGenerated
	KeyImported
	KeyExported
	KeyExchanged
	KeyRetired
	KeyDestroyed

	CardRevealed // somebody was shown a whole card number
	TokenFound   // somebody asked for the tokens of a card
	TokenDeleted
	VaultRekeyed

	MessageRefused    // a message isn't taken for its center's, or couldn't be protected
	CardRequested     // somebody wants to see a whole card number
	CardApproved      // another says that they may
	DayCompared       // totals of a business day, or its transactions, were compared or accepted
	TerminalSuspected // what a terminal encrypts can't be opened, again and again
	CardsChecked      // somebody has issuers asked whether cards are valid

	StandInOrdered   // an operator set an issuer's stand-in
	NegativeAsked    // somebody asked whether a card is on a negative list, or saw such a list
	NegativeExported // a negative list was written for a merchant center

	PromotionAsked // somebody wants this site to take over alone, or doesn't any more
	WindowRead     // what a lost site had beyond a promotion was listed, or taken in
	DrillOrdered   // a failure is practised: ordered here, or done to this node

	afterEvents
)

// String is the name as it stands in the log.
func (e Event) String() string {
	names := [afterEvents]string{
		LogCreated: "log.created", LogStarted: "log.started", LogStopped: "log.stopped",
		LogRecovered: "log.recovered", LogSegment: "log.segment", LogAnchor: "log.anchor",
		LogTrimmed: "log.trimmed", LogRead: "log.read", LogVerified: "log.verified",
		SystemStarted: "system.started", SystemStopped: "system.stopped",
		ConfigChanged: "config.changed", NodePromoted: "node.promoted", NodeFenced: "node.fenced",
		BackupTaken: "backup.taken", BackupRestored: "backup.restored",
		LoggedIn: "login.done", LoggedOut: "login.ended", AccessDenied: "access.denied",
		AccountCreated: "account.created", AccountChanged: "account.changed",
		AccountDeleted: "account.deleted", AccountLocked: "account.locked",
		LinkTold: "link.told", LinkRefused: "link.refused", WorkListDecided: "worklist.decided",
		NegativeFileChanged: "negative.changed", DayCutOver: "day.cutover",
		DayCompared: "day.compared",
		JournalRead: "journal.read", JournalVerified: "journal.verified",
		KeyRequested: "key.requested", KeyComponent: "key.component", KeyApproved: "key.approved",
		KeyActivated: "key.activated", KeyGenerated: "key.generated", KeyImported: "key.imported",
		KeyExported: "key.exported", KeyExchanged: "key.exchanged", KeyRetired: "key.retired",
		KeyDestroyed: "key.destroyed",
		CardRevealed: "card.revealed", TokenFound: "token.found", TokenDeleted: "token.deleted",
		VaultRekeyed:  "vault.rekeyed",
		CardRequested: "card.requested", CardApproved: "card.approved",
		MessageRefused: "message.refused", TerminalSuspected: "terminal.suspected",
		StandInOrdered: "standin.ordered", CardsChecked: "card.checked",
		NegativeAsked: "negative.asked", NegativeExported: "negative.exported",
		PromotionAsked: "promotion.asked", WindowRead: "window.read",
		DrillOrdered: "drill.ordered",
	}
	if e < afterEvents {
		return names[e]
	}
	return ""
}

// ParseEvent finds an event by its name.
func ParseEvent(name string) (Event, error) {
	for e := Event(1); e < afterEvents; e++ {
		if e.String() == name {
			return e, nil
		}
	}
	return 0, fmt.Errorf("no event is named %q", name)
}

// Events lists them all.
func Events() []Event {
	list := make([]Event, 0, afterEvents)
	for e := Event(1); e < afterEvents; e++ {
		list = append(list, e)
	}
	return list
}

// ours tells that only the log itself records such an event.
func (e Event) ours() bool { return e >= LogCreated && e <= LogTrimmed }

// Result says how it ended.
type Result uint8

const (
	Done    Result = iota + 1
	Refused        // it wasn't allowed
	Failed         // it was allowed, and didn't work
	afterResults
)

func (r Result) String() string {
	if names := [...]string{"", "done", "refused", "failed"}; int(r) < len(names) {
		return names[r]
	}
	return ""
}

func parseResult(name string) (Result, error) {
	for r := Result(1); r < afterResults; r++ {
		if r.String() == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("no result is named %q", name)
}

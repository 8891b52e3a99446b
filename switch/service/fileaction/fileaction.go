// Package fileaction decides on file actions (13xx): entries of negative lists, alone or as a load.
//
// An issuer changes its own list, one entry at a time, which counts at once (the emergency file),
// or replaces the regular file by a load: an 1804 with message reason code 8000 or 8001 begins it,
// 1304s with function code 306 and message numbers (DE 71) that rise by one from 1 bring its
// entries, an 1804 with 8002 and the number of the last one ends it. Merchant centers may ask
// whether a card is listed. What is answered is reference iso8583-1993 section 5.8.
package fileaction

import "cardswitch/switch/txn"

// Function codes of file actions (DE 24; reference iso8583-1993 section 3.2).
const (
	Add           = 301
	Change        = 302
	Delete        = 303
	Replace       = 304
	Inquiry       = 305
	ReplaceFile   = 306
	firstFunction = Add
	lastFunction  = ReplaceFile
)

// Message reason codes of the 1804s that frame a load (DE 25; reference iso8583-1993 section 3.3).
const (
	LoadBegins       = 8000 // a restart ends it
	LoadBeginsAnyhow = 8001 // it goes on after a restart
	LoadEnds         = 8002
)

// Request decides on a 1304, 1305, 1324 or 1325 by what is known of the question alone.
func Request(q txn.Request) txn.Decision {
	switch q.Asked {
	case txn.Pending, txn.Answered:
		return txn.Decision{Act: txn.Repeat}
	case txn.Differs, txn.Overtaken:
		return txn.Decision{Act: txn.Refuse, Reason: txn.QuestionDiffers,
			Action: txn.QuestionDiffers.Action()}
	}
	return txn.Decision{Act: txn.TakeFile}
}

// File is what DE 101 names.
type File uint8

const (
	// Unknown: a file that the issuer doesn't have here.
	Unknown File = iota
	// Emergency entries count at once.
	Emergency
	// Regular is the file that is replaced as a whole.
	Regular
)

// Facts are everything from which a file action is decided.
type Facts struct {
	Function int
	Owner    bool // an issuer, about its own list
	Kept     bool // there is a list for the card
	File     File
	Card     bool // DE 2 names one
	Fields   bool // the others could be read

	Urgent   bool // an emergency entry has the card
	Regular  bool // the regular file in force has it
	Unusable bool // nobody can tell

	RefuseDoubles bool // an entry that is there is not replaced

	Load   bool   // one is under way
	Busy   bool   // and its file is being made
	Last   uint64 // number of its last entry
	Number uint64 // DE 71
}

// Do is what is to be done to the list.
type Do uint8

const (
	// Nothing changes.
	Nothing Do = iota
	// Enter the card among the emergency entries.
	Enter
	// Remove the card from the list.
	Remove
	// Tell what the list says of the card.
	Tell
	// Stage the entry for the file that is loaded.
	Stage
)

// Verdict is what becomes of a file action: its reason has the action code of the answer.
type Verdict struct {
	Do     Do
	Reason txn.Reason
}

// Decide decides on a file action that wasn't asked before.
func Decide(f Facts) Verdict {
	switch {
	case f.Function < firstFunction || f.Function > lastFunction:
		return Verdict{Nothing, txn.FileUnsupported}
	case !f.Owner && f.Function != Inquiry:
		return Verdict{Nothing, txn.FileNotTheirs}
	case !f.Card:
		return Verdict{Nothing, txn.FileFieldWrong}
	case !f.Kept || f.Owner && f.File == Unknown:
		return Verdict{Nothing, txn.FileUnknown}
	case f.Function == Inquiry:
		return inquiry(f)
	case !f.Fields:
		return Verdict{Nothing, txn.FileFieldWrong}
	case f.Function == ReplaceFile:
		return stage(f)
	case f.File == Regular && f.Load:
		return Verdict{Nothing, txn.FileLocked}
	case f.File == Regular:
		return Verdict{Nothing, txn.FileUnsupported} // it is replaced as a whole only
	}
	return single(f)
}

func inquiry(f Facts) Verdict {
	switch {
	case f.Urgent || f.Regular:
		return Verdict{Tell, txn.FileDone}
	case f.Unusable:
		return Verdict{Nothing, txn.FileNotDone}
	}
	return Verdict{Nothing, txn.FileNoRecord}
}

// stage takes an entry of a load: its number must follow the last one's.
func stage(f Facts) Verdict {
	switch {
	case f.File != Regular:
		return Verdict{Nothing, txn.FileUnsupported}
	case f.Busy:
		return Verdict{Nothing, txn.FileLocked}
	case !f.Load:
		return Verdict{Nothing, txn.FileNotDone}
	case f.Number != f.Last+1:
		return Verdict{Nothing, txn.FileOutOfSequence}
	}
	return Verdict{Stage, txn.FileDone}
}

// single changes one entry.
func single(f Facts) Verdict {
	listed := f.Urgent || f.Regular
	switch f.Function {
	case Add:
		switch {
		case f.Urgent && f.RefuseDoubles:
			return Verdict{Nothing, txn.FileDoubleRefused}
		case f.Urgent:
			return Verdict{Enter, txn.FileDoubleReplaced}
		}
		return Verdict{Enter, txn.FileDone}
	case Change:
		if !listed {
			return Verdict{Nothing, missing(f)}
		}
		return Verdict{Enter, txn.FileDone}
	case Delete:
		if !listed {
			return Verdict{Nothing, missing(f)}
		}
		return Verdict{Remove, txn.FileDone}
	}
	return Verdict{Enter, txn.FileDone} // Replace: whatever was there
}

func missing(f Facts) txn.Reason {
	if f.Unusable {
		return txn.FileNotDone
	}
	return txn.FileNoRecord
}

// Frame is everything from which an 1804 that frames a load is decided.
type Frame struct {
	Reason int // DE 25
	Owner  bool
	File   File
	Load   bool // one is under way
	Busy   bool // and its file is being made
	Same   bool // the load under way, or the last one, has this name and this kind
	Repeat bool
	Last   uint64 // number of its last entry
	Number uint64 // DE 71 of the end
}

// Step is what an 1804 does to a load.
type Step uint8

const (
	// Stay: nothing changes.
	Stay Step = iota
	// Begin a new load.
	Begin
	// End it: its file is made.
	End
)

// DecideFrame decides on an 1804 that frames a load. Such messages have no kept answer, so that
// their repeats find out by what is there that it is done.
func DecideFrame(f Frame) (Step, txn.Reason) {
	switch {
	case !f.Owner:
		return Stay, txn.FileNotTheirs
	case f.File != Regular:
		return Stay, txn.FileUnknown
	case f.Busy:
		return Stay, txn.InProgress
	case f.Reason != LoadEnds:
		// With recovery it goes on behind its last entry; a new one of the other kind begins anew.
		if f.Load && f.Same && (f.Reason == LoadBeginsAnyhow || f.Last == 0 || f.Repeat) {
			return Stay, txn.LoadGoesOn
		}
		return Begin, txn.LoadBegun
	case !f.Load && f.Same && f.Number == f.Last && f.Last > 0:
		return Stay, txn.LoadEnded
	case !f.Load:
		return Stay, txn.LoadNotBegun
	case f.Number != f.Last || f.Last == 0:
		return Stay, txn.FileOutOfSequence
	}
	return End, txn.LoadEnded
}

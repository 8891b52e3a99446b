package txn

// Reasons of negative lists and file actions.
const (
	CardListed         Reason = 801
	CardMarked         Reason = 802
	ListUnusable       Reason = 803
	FileDone           Reason = 811
	FileDoubleReplaced Reason = 812
	FileNoRecord       Reason = 813
	FileFieldWrong     Reason = 814
	FileLocked         Reason = 815
	FileDoubleRefused  Reason = 816
	FileUnknown        Reason = 817
	FileOutOfSequence  Reason = 818
	FileNotDone        Reason = 819
	FileUnsupported    Reason = 820
	FileNotTheirs      Reason = 821
	LoadBegun          Reason = 831
	LoadGoesOn         Reason = 832
	LoadEnded          Reason = 833
	LoadNotBegun       Reason = 834
	FileImported       Reason = 841
	FileTookOver       Reason = 842
	OperatorListed     Reason = 843
	OperatorUnlisted   Reason = 844
	EntryPast          Reason = 845
)

// aboutFiles is about negative lists and file actions (reference iso8583-1993 section 5.8). A
// listed card is refused with the action code of its entry, not with one of these.
func aboutFiles(r Reason) reasonText {
	switch r {
	case CardListed:
		return reasonText{104, "the card is on its issuer's negative list", ""}
	case CardMarked:
		return reasonText{0, "forwarded, though on its issuer's negative list", ""}
	case ListUnusable:
		return reasonText{909, "the issuer's negative file can't be used", "`cardswitch negative status`"}
	case FileDone:
		return reasonText{300, "file action done", ""}
	case FileDoubleReplaced:
		return reasonText{303, "the card was listed; its entry is replaced", ""}
	case FileNoRecord:
		return reasonText{302, "the card isn't listed", ""}
	case FileFieldWrong:
		return reasonText{304, "a field of the entry is wrong", "see DE 2, 14, 25, 72 and 73"}
	case FileLocked:
		return reasonText{305, "the regular file is being loaded", ""}
	case FileDoubleRefused:
		return reasonText{308, "the card is listed already", "see the issuer's `negative.duplicates`"}
	case FileUnknown:
		return reasonText{309, "no such file", "compare DE 101 with the issuer's `negative`"}
	case FileOutOfSequence:
		return reasonText{922, "the message number doesn't follow the last one", "see DE 71"}
	case FileNotDone:
		return reasonText{306, "file action not done", "`cardswitch negative status`"}
	}
	return aboutLoads(r)
}

func aboutLoads(r Reason) reasonText {
	switch r {
	case FileUnsupported:
		return reasonText{301, "file action not supported", "the regular file changes as a whole"}
	case FileNotTheirs:
		return reasonText{902, "the list isn't theirs", "issuers change their own, merchants may ask"}
	case LoadBegun:
		return reasonText{800, "the load of a regular file has begun", ""}
	case LoadGoesOn:
		return reasonText{800, "the load of a regular file goes on", ""}
	case LoadEnded:
		return reasonText{800, "the load of a regular file has ended", ""}
	case LoadNotBegun:
		return reasonText{902, "no load of a regular file is under way", ""}
	case FileImported:
		return reasonText{0, "a regular negative file was imported", ""}
	case FileTookOver:
		return reasonText{0, "a regular negative file is in force", ""}
	case OperatorListed:
		return reasonText{0, "listed by an operator", ""}
	case OperatorUnlisted:
		return reasonText{0, "taken off the list by an operator", ""}
	case EntryPast:
		return reasonText{0, "taken off the list: past its last day", ""}
	}
	return reasonText{909, "unknown reason", ""}
}

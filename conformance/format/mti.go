package format

// Original is the MTI without its repeat mark: 1201 and 1200 are the same question.
func Original(mti string) string {
	if len(mti) == 4 && (mti[3] == '1' || mti[3] == '3' || mti[3] == '5') {
		return mti[:3] + string(mti[3]-1)
	}
	return mti
}

// Repeat is the MTI of the same message sent again.
func Repeat(mti string) string {
	if len(mti) == 4 && (mti[3] == '0' || mti[3] == '2' || mti[3] == '4') {
		return mti[:3] + string(mti[3]+1)
	}
	return mti
}

// IsRepeat reports whether the MTI marks a repeat.
func IsRepeat(mti string) bool { return Original(mti) != mti }

// Response is the MTI that answers this one, empty if nothing does.
func Response(mti string) string {
	o := Original(mti)
	if len(o) != 4 || o[2] != '0' && o[2] != '2' {
		return ""
	}
	return o[:2] + string(o[2]+1) + o[3:]
}

// Echo lists the elements that a response copies from the message it answers.
func Echo(mti string) []int {
	switch Original(mti) {
	case "1100":
		return []int{2, 3, 4, 7, 11, 12, 32, 33, 37, 41, 42, 49, 59, 102, 103}
	case "1120":
		return []int{2, 3, 7, 11, 12, 32, 33, 37, 41, 42, 59, 102, 103}
	case "1200", "1220":
		return []int{2, 3, 4, 7, 11, 12, 28, 29, 32, 33, 37, 41, 42, 49, 59, 102, 103}
	case "1420":
		return []int{2, 3, 4, 7, 11, 12, 28, 29, 32, 33, 37, 41, 42, 49, 56, 59, 102, 103}
	case "1804":
		return []int{7, 11, 12, 24, 28, 29, 59, 93, 94}
	}
	return []int{7, 11, 12, 28, 29, 32, 33, 50, 59, 93, 94}
}

// Answer begins the response to a message: its MTI, the echoed elements and the action code.
func Answer(question *Message, action string) *Message {
	return New(Response(question.MTI)).Copy(question, Echo(question.MTI)...).Set(39, action)
}

package keyblock

// Usage is what a key is for, X9.143 table 2: two characters.
type Usage string

// The usages, by the standard's own names.
const (
	UsageB0 Usage = "B0"
	UsageB1 Usage = "B1"
	UsageB2 Usage = "B2"
	UsageB3 Usage = "B3"
	UsageC0 Usage = "C0"
	UsageD0 Usage = "D0"
	UsageD1 Usage = "D1"
	UsageD2 Usage = "D2"
	UsageD3 Usage = "D3"
	UsageE0 Usage = "E0"
	UsageE1 Usage = "E1"
	UsageE2 Usage = "E2"
	UsageE3 Usage = "E3"
	UsageE4 Usage = "E4"
	UsageE5 Usage = "E5"
	UsageE6 Usage = "E6"
	UsageE7 Usage = "E7"
	UsageI0 Usage = "I0"
	UsageK0 Usage = "K0"
	UsageK1 Usage = "K1"
	UsageK2 Usage = "K2"
	UsageK3 Usage = "K3"
	UsageK4 Usage = "K4"
	UsageM0 Usage = "M0"
	UsageM1 Usage = "M1"
	UsageM2 Usage = "M2"
	UsageM3 Usage = "M3"
	UsageM4 Usage = "M4"
	UsageM5 Usage = "M5"
	UsageM6 Usage = "M6"
	UsageM7 Usage = "M7"
	UsageM8 Usage = "M8"
	UsageP0 Usage = "P0"
	UsageP1 Usage = "P1"
	UsageS0 Usage = "S0"
	UsageS1 Usage = "S1"
	UsageS2 Usage = "S2"
	UsageV0 Usage = "V0"
	UsageV1 Usage = "V1"
	UsageV2 Usage = "V2"
	UsageV3 Usage = "V3"
	UsageV4 Usage = "V4"
	UsageV5 Usage = "V5"
)

// Modes that go together, beside N, which goes with every usage.
const (
	derives  = "X"
	encrypts = "BDE"
	codes    = "CGV"
	signs    = "SV"
)

// Text says for people what the key is for.
func (u Usage) Text() string {
	text, _ := u.describe()
	return text
}

// describe gives the text and the modes of use that make sense beside N. No modes: the usage is
// unknown.
func (u Usage) describe() (text, modes string) {
	switch u {
	case UsageB0:
		return "DUKPT base derivation key (BDK)", derives
	case UsageB1:
		return "DUKPT initial key", derives
	case UsageB2:
		return "base key variant key", derives + "Y"
	case UsageB3:
		return "key derivation key", derives
	case UsageC0:
		return "card verification key (CVK)", codes
	case UsageD0:
		return "data encryption key", encrypts
	case UsageD1:
		return "asymmetric data encryption key", encrypts
	case UsageD2:
		return "decimalization table encryption key", encrypts
	case UsageD3:
		return "sensitive data encryption key", encrypts
	case UsageI0:
		return "initialization vector", string(ModeN)
	case UsageK0:
		return "key encryption key", encrypts
	case UsageK1:
		return "key block protection key (KBPK)", encrypts
	case UsageK2:
		return "TR-34 key pair of a key receiver", encrypts
	case UsageK3:
		return "key pair for key wrapping or agreement", encrypts + derives
	case UsageK4:
		return "key block protection key of ISO 20038", encrypts
	case UsageP0:
		return "PIN encryption key", encrypts
	case UsageP1:
		return "PIN generation key", codes
	case UsageS0:
		return "key pair for signatures", signs
	case UsageS1:
		return "key pair of a certification authority", signs
	case UsageS2:
		return "key pair for other uses", signs + encrypts + derives
	}
	return u.describeFamily()
}

// describeFamily is describe for the EMV, MAC and PIN verification keys.
func (u Usage) describeFamily() (text, modes string) {
	switch u {
	case UsageE0:
		return "EMV issuer master key: application cryptograms", derives
	case UsageE1:
		return "EMV issuer master key: secure messaging, confidentiality", derives
	case UsageE2:
		return "EMV issuer master key: secure messaging, integrity", derives
	case UsageE3:
		return "EMV issuer master key: data authentication code", derives
	case UsageE4:
		return "EMV issuer master key: dynamic numbers", derives
	case UsageE5:
		return "EMV issuer master key: card personalization", derives
	case UsageE6:
		return "EMV issuer master key: other", derives
	case UsageE7:
		return "EMV key pair for PIN encryption", encrypts
	case UsageM0:
		return "MAC key: ISO 16609 algorithm 1 with TDES", codes
	case UsageM1:
		return "MAC key: ISO 9797-1 algorithm 1", codes
	case UsageM2:
		return "MAC key: ISO 9797-1 algorithm 2", codes
	case UsageM3:
		return "MAC key: ISO 9797-1 algorithm 3 (retail MAC)", codes
	case UsageM4:
		return "MAC key: ISO 9797-1 algorithm 4", codes
	case UsageM5:
		return "MAC key: ISO 9797-1:1999 algorithm 5", codes
	case UsageM6:
		return "MAC key: ISO 9797-1:2011 algorithm 5 (CMAC)", codes
	case UsageM7:
		return "HMAC key", codes
	case UsageM8:
		return "MAC key: ISO 9797-1 algorithm 6", codes
	case UsageV0:
		return "PIN verification key", codes
	case UsageV1:
		return "PIN verification key: IBM 3624", codes
	case UsageV2:
		return "PIN verification key: Visa PVV", codes
	case UsageV3:
		return "PIN verification key: X9.132 algorithm 1", codes
	case UsageV4:
		return "PIN verification key: X9.132 algorithm 2", codes
	case UsageV5:
		return "PIN verification key: X9.132 algorithm 3", codes
	}
	return "unknown usage", ""
}

// Usages lists what has a name, in the standard's order.
func Usages() []Usage {
	return []Usage{
		UsageB0, UsageB1, UsageB2, UsageB3, UsageC0, UsageD0, UsageD1, UsageD2, UsageD3,
		UsageE0, UsageE1, UsageE2, UsageE3, UsageE4, UsageE5, UsageE6, UsageE7, UsageI0,
		UsageK0, UsageK1, UsageK2, UsageK3, UsageK4, UsageM0, UsageM1, UsageM2, UsageM3,
		UsageM4, UsageM5, UsageM6, UsageM7, UsageM8, UsageP0, UsageP1, UsageS0, UsageS1,
		UsageS2, UsageV0, UsageV1, UsageV2, UsageV3, UsageV4, UsageV5,
	}
}

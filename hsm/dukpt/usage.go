package dukpt

import "fmt"

// Usage is what a working key is for, seen from the terminal: it sends requests. A key does nothing
// else. The zero value is none.
type Usage uint8

// The usages. Of AES DUKPT, a MAC of a request is "generation" and of a response "verification",
// data of a request is "encrypt" and of a response "decrypt". TDES DUKPT has the same key for both
// ways as for requests, and none for keys.
const (
	PIN Usage = iota + 1
	MACRequest
	MACResponse
	MACBoth
	DataRequest
	DataResponse
	DataBoth
	KeyEncryption
)

// String is such as "MAC of requests".
func (u Usage) String() string {
	switch u {
	case PIN:
		return "PINs"
	case MACRequest:
		return "MACs of requests"
	case MACResponse:
		return "MACs of responses"
	case MACBoth:
		return "MACs both ways"
	case DataRequest:
		return "data of requests"
	case DataResponse:
		return "data of responses"
	case DataBoth:
		return "data both ways"
	case KeyEncryption:
		return "keys"
	}
	return fmt.Sprintf("usage %d", uint8(u))
}

// The usages of ANSI X9.24-3:2017 table 2 that only lead to other keys.
const (
	usageDerivation = 0x8000
	usageInitialKey = 0x8001
)

// code is the key usage indicator of ANSI X9.24-3:2017 table 2; 0 if there is none.
func (u Usage) code() uint16 {
	switch u {
	case KeyEncryption:
		return 0x0002
	case PIN:
		return 0x1000
	case MACRequest:
		return 0x2000
	case MACResponse:
		return 0x2001
	case MACBoth:
		return 0x2002
	case DataRequest:
		return 0x3000
	case DataResponse:
		return 0x3001
	case DataBoth:
		return 0x3002
	}
	return 0
}

// variant is the byte in each half of a TDES transaction key that is inverted for a usage, and
// whether the key is then enciphered once more: ANSI X9.24-1:2009 A.4.1.
func (u Usage) variant() (place int, oneWay, ok bool) {
	switch u {
	case PIN:
		return 7, false, true
	case MACRequest, MACBoth:
		return 6, false, true
	case MACResponse:
		return 4, false, true
	case DataRequest, DataBoth:
		return 5, true, true
	case DataResponse:
		return 3, true, true
	}
	return 0, false, false
}

func (u Usage) forMAC() bool { return u == MACRequest || u == MACResponse || u == MACBoth }

func (u Usage) forData() bool { return u == DataRequest || u == DataResponse || u == DataBoth }

// KeyType is the algorithm of a key and its length. The zero value is none.
type KeyType uint8

// The key types of ANSI X9.24-3:2017 table 3. HMAC keys are for MACs alone.
const (
	TDEA2 KeyType = iota + 1
	TDEA3
	AES128
	AES192
	AES256
	HMAC128
	HMAC192
	HMAC256
)

// String is such as "AES-128".
func (t KeyType) String() string {
	switch t {
	case TDEA2, TDEA3:
		return fmt.Sprintf("TDES of %d parts", t.Size()/8)
	case AES128, AES192, AES256:
		return fmt.Sprintf("AES-%d", t.Size()*8)
	case HMAC128, HMAC192, HMAC256:
		return fmt.Sprintf("HMAC with %d bits", t.Size()*8)
	}
	return fmt.Sprintf("key type %d", uint8(t))
}

// Size is the bytes of a key, 0 if there is no such type.
func (t KeyType) Size() int {
	switch t {
	case TDEA2, AES128, HMAC128:
		return 16
	case TDEA3, AES192, HMAC192:
		return 24
	case AES256, HMAC256:
		return 32
	}
	return 0
}

// code is the algorithm indicator of ANSI X9.24-3:2017 table 3.
func (t KeyType) code() uint16 {
	switch t {
	case TDEA2:
		return 0x0000
	case TDEA3:
		return 0x0001
	case AES128:
		return 0x0002
	case AES192:
		return 0x0003
	case AES256:
		return 0x0004
	case HMAC128, HMAC192, HMAC256:
		return 0x0005
	}
	return 0xFFFF
}

// strength is the bits of security, NIST SP 800-57 part 1 table 2.
func (t KeyType) strength() int {
	switch t {
	case TDEA2:
		return 80
	case TDEA3:
		return 112
	}
	return t.Size() * 8
}

func (t KeyType) isTDES() bool { return t == TDEA2 || t == TDEA3 }

func (t KeyType) isAES() bool { return t == AES128 || t == AES192 || t == AES256 }

func (t KeyType) isHMAC() bool { return t == HMAC128 || t == HMAC192 || t == HMAC256 }

// aesType is the key type of AES keys of n bytes.
func aesType(n int) (KeyType, bool) {
	for t := AES128; t <= AES256; t++ {
		if t.Size() == n {
			return t, true
		}
	}
	return 0, false
}

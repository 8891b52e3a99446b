package payshield

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"fmt"
	"strings"

	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/mac"
)

// crypt is M0 and M2, in modes 00 (ECB) and 01 (CBC), with a data key or, to decrypt, a BDK.
func (s *Simulator) crypt(f *fields, back bool) (rest, code string) {
	mode := f.take(2)
	in, out := f.one("01"), f.one("01")
	f.is("FFF")
	k, bad := s.lmk.open(f.block("S"))
	if bad != "" {
		return "", bad
	}
	raw := k.raw
	if k.Usage == "B0" {
		number, badKSN := f.ksn()
		if f.bad || badKSN != "" || !back {
			return "", "15"
		}
		derived, code := k.terminal(number, dukpt.DataRequest)
		if code != "" {
			return "", code
		}
		defer derived.Wipe()
		raw = derived.AppendReveal(nil)
		defer clear(raw)
	} else if code := k.may("D0", "BDE"); code != "" {
		return "", code
	}
	block, err := blockCipher(k.Algorithm, raw)
	if err != nil {
		return "", "10"
	}
	var iv []byte
	if mode == "01" {
		iv = f.hex(block.BlockSize())
	}
	data := f.data(in)
	if code := f.last(s.lmk.id); code != "" {
		return "", code
	}
	if mode != "00" && mode != "01" || len(data) == 0 || len(data)%block.BlockSize() != 0 {
		return "", "15"
	}
	last := run(block, iv, data, back)
	return upper(last) + written(out, data), ""
}

// written is data with its length before it, as bytes or as digits.
func written(format string, data []byte) string {
	text := string(data)
	if format == "1" {
		text = upper(data)
	}
	return fmt.Sprintf("%04X%s", len(text), text)
}

func blockCipher(algorithm string, raw []byte) (cipher.Block, error) {
	switch {
	case algorithm == "A":
		return aes.NewCipher(raw)
	case len(raw) == 16:
		return des.NewTripleDESCipher(append(append([]byte(nil), raw...), raw[:8]...))
	}
	return des.NewTripleDESCipher(raw)
}

// run works over the data in place, and gives the initial value of what would follow.
func run(b cipher.Block, iv, data []byte, back bool) (last []byte) {
	n := b.BlockSize()
	if iv == nil {
		for i := 0; i < len(data); i += n {
			if back {
				b.Decrypt(data[i:], data[i:])
			} else {
				b.Encrypt(data[i:], data[i:])
			}
		}
		return nil
	}
	if back {
		last = append(last, data[len(data)-n:]...)
		cipher.NewCBCDecrypter(b, iv).CryptBlocks(data, data)
		return last
	}
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(data, data)
	return append(last, data[len(data)-n:]...)
}

// code reads what M6 and M8 have in common, and computes the code.
func (s *Simulator) code(f *fields, modes string) (made []byte, code string) {
	f.is("0")
	in, size := f.one("01"), f.one("01")
	algorithm, padding := f.one("136"), f.one("01234")
	f.is("FFF")
	k, bad := s.lmk.open(f.block("S"))
	data := f.data(in)
	if f.bad || bad != "" {
		return nil, first(bad, "15")
	}
	how := mac.Spec{Size: 8}
	if size == "0" {
		how.Size = 4
	}
	var usages string
	switch algorithm {
	case "1":
		how.Algorithm, usages = mac.CBC, "M0 M1"
	case "3":
		how.Algorithm, usages = mac.Retail, "M3"
	default:
		how.Algorithm, usages = mac.AESCMAC, "M6"
	}
	switch {
	case algorithm == "6" && padding == "4" && k.Algorithm == "A":
	case algorithm == "6" || padding == "4" || k.Algorithm != "T":
		return nil, "02"
	case padding == "0" && (len(data) == 0 || len(data)%8 != 0):
		return nil, "80"
	case padding == "0":
		how.Padding = mac.Padding1 // which adds nothing to whole blocks
	default:
		how.Padding = mac.Padding(padding[0] - '0')
	}
	if code := k.may(usages, modes); code != "" {
		return nil, code
	}
	m, err := mac.New(how, k.raw)
	if err != nil {
		return nil, "02"
	}
	defer m.Wipe()
	return m.Sum(nil, data), ""
}

func (s *Simulator) makeMAC(f *fields) (rest, code string) {
	made, code := s.code(f, "CG")
	if code := first(code, f.last(s.lmk.id)); code != "" {
		return "", code
	}
	return upper(made), ""
}

func (s *Simulator) verifyMAC(f *fields) (rest, code string) {
	made, code := s.code(f, "CV")
	if code != "" {
		return "", code
	}
	want := f.take(2 * len(made))
	if code := f.last(s.lmk.id); code != "" {
		return "", code
	}
	if !strings.EqualFold(want, upper(made)) {
		return "", "01"
	}
	return "", ""
}

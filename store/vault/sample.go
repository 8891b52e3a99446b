package vault

// Sample opens as many tokens as that, from the first on, and tells how many there were and how
// many of them didn't open. No card number leaves it.
func (v *Vault) Sample(most int) (opened, damaged int, err error) {
	keys := v.keys.Load()
	from, to := allOf(familyToken)
	err = v.o.Books.Scan(from, to, func(key, value []byte) bool {
		e, err := parseEntry(value)
		if err == nil {
			_, err = keys.open(&e, Token(key[1:]))
		}
		if opened++; err != nil {
			opened, damaged = opened-1, damaged+1
		}
		return opened+damaged < most
	})
	return opened, damaged, err
}

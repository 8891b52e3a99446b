package spec

// Accepts is what the quick walk says of raw.
func (d *Dialect) Accepts(raw []byte) bool {
	var m Message
	present, pos, fault := d.open(&m, raw)
	return fault.OK() && d.accept(&m, present, pos)
}

// IndexSlowly is Index with the slow walk alone.
func (d *Dialect) IndexSlowly(m *Message, raw []byte) Fault {
	present, pos, fault := d.open(m, raw)
	if fault.OK() {
		fault = d.walk(m, present, pos)
		m.broken = !fault.OK()
	}
	return fault
}

package spec

import "cardswitch/spec/emv"

// stripItems appends element 48 without the items that are blank in every kept image.
func stripItems(dst, value []byte) []byte {
	items, begin := ParseItems(value), 0
	for items.Next() {
		end := items.Offset() + len(items.Value())
		if !items.Tag().Sensitive() {
			dst = append(dst, value[begin:end]...)
		}
		begin = end
	}
	return append(dst, value[begin:]...)
}

// stripTags appends element 55 without the tags that are blank in every kept image. A template that
// holds one goes as a whole.
func stripTags(dst, value []byte) []byte {
	for len(value) > 0 {
		tag, content, rest, ok := emv.Cut(value)
		if !ok {
			return append(dst, value...)
		}
		if !emv.Sensitive(tag) && !(emv.Constructed(tag) && holdsSensitive(content)) {
			dst = append(dst, value[:len(value)-len(rest)]...)
		}
		value = rest
	}
	return dst
}

func holdsSensitive(content []byte) bool {
	objects := emv.Parse(content)
	for objects.Next() {
		if emv.Sensitive(objects.Tag()) {
			return true
		}
	}
	return false
}

// strip takes out of e's message what is only blank in the kept image of element n.
func (e *Edit) strip(safe *Message, n int, without func(dst, value []byte) []byte) {
	if !safe.Has(n) {
		return
	}
	value := safe.Append(nil, n)
	left := without(make([]byte, 0, len(value)), value)
	switch {
	case len(left) == len(value):
	case len(left) == 0:
		e.Remove(n)
	default:
		e.Set(n, left)
	}
}

package keyblock

import (
	"fmt"
	"slices"
	"strings"
)

const (
	headerSize  = 16   // characters before the optional blocks
	mostBlock   = 9999 // characters of a block: the length field has four digits
	mostOptions = 99   // optional blocks: the count has two
)

// Header says what a key is for. It is in clear text, and the block's code binds it to the key.
type Header struct {
	Version    Version
	Usage      Usage
	Algorithm  Algorithm
	Mode       Mode
	KeyVersion string // two characters; "" and "00": none; "c1": the first component of a key
	Export     Export
	Context    Context // "" is ContextAny
	Optional   []Optional
}

// IsComponent tells that the key is only a part of one.
func (h *Header) IsComponent() bool { return strings.HasPrefix(h.KeyVersion, "c") }

// Find gives the data of the optional block with this ID.
func (h *Header) Find(id OptionalID) (data string, ok bool) {
	at := slices.IndexFunc(h.Optional, func(o Optional) bool { return o.ID == id })
	if at < 0 {
		return "", false
	}
	return h.Optional[at].Data, true
}

// String shows the header without its optional blocks.
func (h Header) String() string {
	return fmt.Sprintf("%s of %s, mode %s, export %s, key block version %s", h.Usage.Text(),
		h.Algorithm.Text(), h.Mode, h.Export, h.Version)
}

// readHeader reads the fixed fields and the optional blocks. It gives the characters they take. The
// caller has seen that there are headerSize characters and which version they are of.
func readHeader(block string, f form) (h Header, size int, err error) {
	h = Header{Version: f.version, Usage: Usage(block[5:7]), Algorithm: Algorithm(block[7:8]),
		Mode: Mode(block[8:9]), KeyVersion: block[9:11], Export: Export(block[11:12]),
		Context: Context(block[14:15])}
	count, ok := number(block[12:14], 10)
	switch {
	case !upper(block[5:9]) || !alphanumeric(h.KeyVersion) || !upper(string(h.Export)):
		return h, 0, malformed("a field of the header isn't of letters and digits")
	case h.Context < ContextAny || h.Context > ContextExchange || block[15] != '0':
		return h, 0, malformed("the context or the reserved field has an unknown value")
	case !ok:
		return h, 0, malformed("the count of optional blocks isn't a number")
	}
	size = headerSize
	for range count {
		o, n, err := readOptional(block[size:])
		if err != nil {
			return h, 0, err
		}
		h.Optional = append(h.Optional, o)
		size += n
	}
	if err := checkOptional(h.Optional); err != nil {
		return h, 0, malformed("%v", err)
	}
	if size%f.head != 0 {
		return h, 0, malformed("the header has %d characters, not a multiple of %d", size, f.head)
	}
	return h, size, nil
}

// validate says what is wrong with a header that is to be written.
func (h *Header) validate() error {
	_, modes := h.Usage.describe()
	switch {
	case h.Version != VersionB && h.Version != VersionD && h.Version != VersionE:
		return fmt.Errorf("key blocks of version %q aren't written (hint: B for TDES, D for AES)",
			string(h.Version))
	case modes == "":
		return fmt.Errorf("no key has the usage %q", string(h.Usage))
	case len(h.Mode) != 1 || !strings.Contains(modes+string(ModeN), string(h.Mode)):
		return fmt.Errorf("the usage %s (%s) doesn't go with mode %q (hint: one of %sN)", h.Usage,
			h.Usage.Text(), string(h.Mode), modes)
	case h.KeyVersion != "" && (len(h.KeyVersion) != 2 || !alphanumeric(h.KeyVersion)):
		return fmt.Errorf("a key version has two letters or digits, not %q", h.KeyVersion)
	case h.Export != ExportE && h.Export != ExportN && h.Export != ExportS:
		return fmt.Errorf("the exportability is E, N or S, not %q", string(h.Export))
	case h.Context != "" && h.Context != ContextAny && h.Context != ContextStorage &&
		h.Context != ContextExchange:
		return fmt.Errorf("the context is 0, 1 or 2, not %q", string(h.Context))
	}
	return checkOptional(h.Optional)
}

// write gives the text of the header of a block whose encrypted key and code have rest characters.
// A padding block is made anew as the version needs it, whatever the header had. The header is
// valid.
func (h *Header) write(f form, rest int) (string, error) {
	var options strings.Builder
	count := 0
	for _, o := range h.Optional {
		if o.ID != PB {
			options.WriteString(o.text())
			count++
		}
	}
	if over := options.Len() % f.head; over != 0 {
		gap := f.head - over
		if gap < optionalHead {
			gap += f.head
		}
		options.WriteString(Optional{PB, strings.Repeat("0", gap-optionalHead)}.text())
		count++
	}
	size := headerSize + options.Len() + rest
	if count > mostOptions || size > mostBlock {
		return "", fmt.Errorf("the key block would have %d optional blocks and %d characters, "+
			"more than %d or %d", count, size, mostOptions, mostBlock)
	}
	return fmt.Sprintf("%s%04d%s%s%s%s%s%02d%s0", h.Version, size, h.Usage, h.Algorithm, h.Mode,
		or(h.KeyVersion, "00"), h.Export, count, or(string(h.Context), "0")) + options.String(), nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

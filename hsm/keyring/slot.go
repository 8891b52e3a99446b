package keyring

import (
	"fmt"
	"strconv"
	"strings"
)

// Direction is whose data a key protects, seen from us.
type Direction string

// The directions.
const (
	Both Direction = ""    // one key for both ways
	In   Direction = "in"  // what the partner protects
	Out  Direction = "out" // what we protect
)

// Slot is the place that the generations of one key fill, one after the other.
type Slot struct {
	Purpose   Purpose
	Center    string // "" for a key of the installation itself
	Link      string // "" for a key of the whole center
	Direction Direction
	Set       string // of a base key, the key set in the KSN, in capital hexadecimal digits
}

// LinkSlot is where the link key of "center/link" is. Ok is false if that is no such name.
func LinkSlot(link string) (slot Slot, ok bool) {
	center, name, ok := strings.Cut(link, "/")
	return Slot{Purpose: ZEK, Center: center, Link: name}, ok && center != "" && name != ""
}

// String is the slot as an operator writes it: "zek:sakura/primary", "zpk:sakura:in", "kek",
// "bdk:aoyama:FFFF987654".
func (s Slot) String() string {
	text := string(s.Purpose)
	if s.Center != "" {
		text += ":" + s.Center
	}
	if s.Link != "" {
		text += "/" + s.Link
	}
	if s.Direction != Both {
		text += ":" + string(s.Direction)
	}
	if s.Set != "" {
		text += ":" + s.Set
	}
	return text
}

// ParseSlot reads what String writes.
func ParseSlot(text string) (Slot, error) {
	parts := strings.Split(text, ":")
	s := Slot{Purpose: Purpose(parts[0])}
	rest := parts[1:]
	if len(rest) > 0 {
		s.Center, s.Link, _ = strings.Cut(rest[0], "/")
		rest = rest[1:]
	}
	if len(rest) > 0 && (rest[0] == string(In) || rest[0] == string(Out)) {
		s.Direction = Direction(rest[0])
		rest = rest[1:]
	}
	if len(rest) > 0 {
		s.Set = rest[0]
		rest = rest[1:]
	}
	if err := s.Validate(); err != nil {
		return Slot{}, err
	}
	if len(rest) > 0 || s.String() != text {
		return Slot{}, fmt.Errorf("%q names no key (hint: as zek:center/link or zpk:center:in)",
			shown(text))
	}
	return s, nil
}

// Validate says what is wrong with a slot. Which way a key goes, and whether it is a link's, a
// center's or the installation's, follows from its purpose (PCI PIN requirement 19: a key of its
// own for each).
func (s Slot) Validate() error {
	center, link, directed := s.Center != "", s.Link != "", s.Direction != Both
	switch s.Purpose {
	case ZEK:
		if !center || !link || directed {
			return fmt.Errorf("a %s belongs to one link and both directions (hint: zek:center/link)",
				s.Purpose.Text())
		}
	case ZPK, ZAK, Data:
		if !center || !directed {
			return fmt.Errorf("a %s belongs to a center and one direction (hint: %s:center:in)",
				s.Purpose.Text(), s.Purpose)
		}
	case KBPK, BDK:
		if !center || link || directed {
			return fmt.Errorf("a %s belongs to a center (hint: %s:center)", s.Purpose.Text(), s.Purpose)
		}
	case KEK:
		if center || link || directed {
			return fmt.Errorf("a %s belongs to no center (hint: kek)", s.Purpose.Text())
		}
	default:
		return fmt.Errorf("there is no purpose %q (hint: %s)", shown(string(s.Purpose)), purposeList())
	}
	switch {
	case center && !isName(s.Center), link && !isName(s.Link):
		return fmt.Errorf("%q is not a center or link (hint: as in the configuration)",
			shown(s.Center+"/"+s.Link))
	case s.Direction != Both && s.Direction != In && s.Direction != Out:
		return fmt.Errorf("%q is not a direction (hint: in or out)", shown(string(s.Direction)))
	case s.Set != "" && (s.Purpose != BDK || !isSet(s.Set)):
		return fmt.Errorf("%q is not a key set (hint: 4 to 16 hexadecimal digits in capitals, of a "+
			"base derivation key)", shown(s.Set))
	}
	return nil
}

// isName holds for the names that a configuration may give.
func isName(s string) bool {
	return len(s) <= 32 && s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isSet(s string) bool {
	return len(s) >= 4 && len(s) <= 16 && strings.Trim(s, "0123456789ABCDEF") == ""
}

// shown bounds what is repeated of somebody's input: it could be a key in the wrong place.
func shown(text string) string {
	const most = 24
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// ID is one key: the generation of a slot. Generations count from 1.
type ID struct {
	Slot       Slot
	Generation uint16
}

// String is the key as an operator writes it: "zek:sakura/primary@3".
func (id ID) String() string { return id.Slot.String() + "@" + strconv.Itoa(int(id.Generation)) }

// ParseID reads what String writes.
func ParseID(text string) (ID, error) {
	place, number, _ := strings.Cut(text, "@")
	slot, err := ParseSlot(place)
	if err != nil {
		return ID{}, err
	}
	n, err := strconv.ParseUint(number, 10, 16)
	id := ID{slot, uint16(n)}
	if err != nil || n == 0 || id.String() != text {
		return ID{}, fmt.Errorf("%q is no generation of a key (hint: as %s@1)", shown(text), slot)
	}
	return id, nil
}

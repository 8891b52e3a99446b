package spec

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Build writes a message from values as people give them: text, or hexadecimal for elements of
// bytes. A number shorter than its fixed length gets zeros in front, a text spaces behind, and
// half-width katakana become their bytes.
func Build(d *Dialect, mti MTI, values map[int]string) ([]byte, error) {
	var e Edit
	e.SetMTI(mti)
	for _, n := range slices.Sorted(maps.Keys(values)) {
		if n < 2 || n > 128 {
			return nil, fmt.Errorf("no element %d (hint: elements are 2 to 128)", n)
		}
		value, err := canonical(ElementOf(n), values[n])
		if err != nil {
			return nil, fmt.Errorf("element %d (%s): %w", n, ElementOf(n).Name, err)
		}
		e.Set(n, value)
	}
	raw, fault := d.Append(nil, nil, &e)
	if !fault.OK() {
		return nil, fault.Err()
	}
	return raw, nil
}

// canonical makes the value of an element of what people write.
func canonical(about Element, text string) ([]byte, error) {
	if about.Class == ClassB {
		value, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			return nil, errors.New("isn't hexadecimal (hint: two digits a byte)")
		}
		return value, nil
	}
	if strings.Contains(text, "*") && (about.Number == 2 || about.Number == 34) {
		return nil, errors.New("is masked (hint: give a whole card number, of a test card)")
	}
	value, ok := AppendKatakana(nil, text)
	if !ok && !utf8.ValidString(text) {
		value, ok = []byte(text), true // bytes as they are
	}
	if !ok {
		return nil, errors.New("holds a character that no message can carry" +
			" (hint: ASCII and half-width katakana can)")
	}
	if missing := about.Length - len(value); about.Prefix == 0 && missing > 0 {
		switch about.Class {
		case ClassN:
			return append([]byte(strings.Repeat("0", missing)), value...), nil
		case ClassXN:
		default:
			return append(value, strings.Repeat(" ", missing)...), nil
		}
	}
	return value, nil
}

// ParseAssignments reads words such as mti=1200, 4=1000 and, for an item of element 48, 48.9=12345.
func ParseAssignments(words []string) (MTI, map[int]string, error) {
	values := map[int]string{}
	var mti MTI
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return 0, nil, fmt.Errorf("a word without = (hint: write 4=1000, or mti=1200)")
		}
		if err := assign(&mti, values, key, value); err != nil {
			return 0, nil, err
		}
	}
	if mti == 0 {
		return 0, nil, errors.New("no message type (hint: add mti=1200)")
	}
	return mti, values, nil
}

func assign(mti *MTI, values map[int]string, key, value string) (err error) {
	if key == "mti" {
		*mti, err = ParseMTI(value)
		return err
	}
	element, item, isItem := strings.Cut(key, ".")
	n, err := strconv.Atoi(element)
	if err != nil || n < 2 || n > 128 {
		return fmt.Errorf("%.6q isn't an element (hint: elements are 2 to 128)", key)
	}
	if !isItem {
		if _, twice := values[n]; twice {
			return fmt.Errorf("element %d is given twice (hint: keep one)", n)
		}
		values[n] = value
		return nil
	}
	tag, err := strconv.Atoi(item)
	if n != 48 || err != nil || tag < 0 || tag > 9999 {
		return fmt.Errorf("%.6q isn't an item (hint: items are of element 48, as 48.9)", key)
	}
	text, ok := AppendKatakana(nil, value)
	if !ok {
		return fmt.Errorf("item %d holds a character that no message can carry", tag)
	}
	added, ok := AppendItem(nil, ItemTag(tag), text)
	if !ok {
		return fmt.Errorf("item %d is too long", tag)
	}
	values[48] += Katakana(added)
	return nil
}

// ParseValues reads a JSON object such as {"mti": "1200", "elements": {"4": "1000"}}. Elements may
// also stand beside mti.
func ParseValues(text []byte) (MTI, map[int]string, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return 0, nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if nested, ok := object["elements"]; ok {
		delete(object, "elements")
		if err := json.Unmarshal(nested, &object); err != nil {
			return 0, nil, errors.New(`elements isn't an object (hint: write {"4": "1000"})`)
		}
	}
	words := make([]string, 0, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		var value string
		if err := json.Unmarshal(object[key], &value); err != nil {
			return 0, nil, fmt.Errorf("%.6q isn't a text (hint: write it in quotes)", key)
		}
		words = append(words, key+"="+value)
	}
	return ParseAssignments(words)
}

package ledger

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// listingHead are the columns of a listing, by which the switch's `settle compare` knows them: the
// message (DE 11, 12, 32, 37, 3; for a reversal also the type of what it undoes), how much it moves
// in the currency's smallest unit, the business day and its slice; and for people the total that it
// counts in and the approval code. No card number is in it.
func listingHead() []string {
	return []string{"day", "slice", "mti", "stan", "local_time", "acquirer", "reference",
		"processing", "original_mti", "amount", "currency", "counts", "approval"}
}

// WriteCSV writes a listing with a line of heads.
func WriteCSV(w io.Writer, list []Posting) error {
	out := csv.NewWriter(w)
	if err := out.Write(listingHead()); err != nil {
		return err
	}
	for _, row := range rows(list) {
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteJSON writes a listing as an array of objects with the same fields.
func WriteJSON(w io.Writer, list []Posting) error {
	objects := make([]map[string]string, 0, len(list))
	for _, row := range rows(list) {
		object := make(map[string]string)
		for n, name := range listingHead() {
			object[name] = row[n]
		}
		objects = append(objects, object)
	}
	return write(w, objects)
}

func rows(list []Posting) [][]string {
	var all [][]string
	for i := range list {
		p := &list[i]
		key := append(strings.Split(p.Key, "/"), "", "", "")
		original, _, _ := strings.Cut(p.Original, "/")
		all = append(all, []string{p.Day, strconv.Itoa(p.Slice), key[0], key[1], key[2], key[3],
			p.RRN, p.Processing, original, strconv.FormatInt(p.Moves, 10), p.Currency,
			string(p.Counts), strings.TrimSpace(p.Approval)})
	}
	return all
}

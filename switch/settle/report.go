package settle

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"cardswitch/store/total"
)

//go:embed report.html
var reportPage string

// Sums are the positions of each currency added up: zero, if nothing is wrong.
func (s *Statement) Sums() (out []Position) {
	for _, p := range s.Positions {
		if len(out) == 0 || out[len(out)-1].Currency != p.Currency {
			out = append(out, Position{Currency: p.Currency})
		}
		sum := &out[len(out)-1]
		sum.Gross, sum.Fees, sum.Net = sum.Gross+p.Gross, sum.Fees+p.Fees, sum.Net+p.Net
	}
	return out
}

// WriteHTML writes a page to be looked at and printed, on A4.
func (s *Statement) WriteHTML(w io.Writer) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"money": money, "code": func(c uint16) string { return fmt.Sprintf("%03d", c) },
		"amount": func(t total.Sum) string {
			return fmt.Sprintf("%s (%d)", money(int64(t.Amount)), t.Number)
		},
		"date": func(day string) string {
			if d, err := ParseDay(day); err == nil {
				return d.Date(time.UTC).Format(time.DateOnly)
			}
			return day
		},
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(w, s)
}

// money groups the digits of an amount.
func money(v int64) string {
	digits, sign := strconv.FormatUint(uint64(max(v, -v)), 10), ""
	if v < 0 {
		sign = "−"
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

// WriteCSV writes the pairs, the positions and what is undecided, each with what it is in front.
func (s *Statement) WriteCSV(w io.Writer) error {
	const columns = 18
	lines := csv.NewWriter(w)
	put := func(cells ...any) {
		row := make([]string, columns)
		for i, cell := range cells {
			row[i] = fmt.Sprint(cell)
		}
		_ = lines.Write(row) // kept for Error
	}
	put("line", "day", "party", "role", "other", "currency", "sales", "sales_amount",
		"sales_cancelled", "sales_cancelled_amount", "returns", "returns_amount",
		"returns_cancelled", "returns_cancelled_amount", "gross", "fees", "net", "payments")
	for i := range s.Pairs {
		p := &s.Pairs[i]
		put("pair", s.Day, p.Issuer, PartyIssuer, p.Merchant, p.Currency, p.Debits.Number,
			p.Debits.Amount, p.Undone.Number, p.Undone.Amount, p.Credits.Number, p.Credits.Amount,
			p.Returned.Number, p.Returned.Amount, p.Gross, "", "")
		for _, c := range p.Fees {
			put("fee", s.Day, c.From, "", c.To, p.Currency, "", "", "", "", "", "", "", "", "",
				c.Amount, "", divisions(c.Payments))
		}
	}
	for _, p := range s.Positions {
		put("position", s.Day, p.Party, p.Role, "", p.Currency, "", "", "", "", "", "", "", "",
			p.Gross, p.Fees, p.Net)
	}
	for _, u := range s.Undecided {
		put("undecided", s.Day, u.Issuer, PartyIssuer, u.Merchant, u.Currency, "", "", "", "", "", "",
			"", "", u.Amount, "", "")
	}
	lines.Flush()
	return lines.Error()
}

// divisions lists payment divisions.
func divisions(list []uint8) string {
	words := make([]string, len(list))
	for i, division := range list {
		words[i] = strconv.Itoa(int(division))
	}
	return strings.Join(words, " ")
}

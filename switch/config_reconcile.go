package cardswitch

import (
	"fmt"
	"time"

	"cardswitch/spec"
	"cardswitch/switch/settle"
)

// Who gives the business day of a transaction (DE 28) on a center's leg.
const (
	DateUs      = "us"      // the switch, in what it sends
	DatePeer    = "peer"    // an issuer in its answers, a merchant center in its requests
	DateRequest = "request" // of issuers: the merchant's request, where it has one; else the switch
)

// What becomes of something that names a day on which both sides have agreed.
const (
	SealedMove   = "move"   // it counts in the open day
	SealedRefuse = "refuse" // 915
)

// Who begins to compare the totals of a day, and by which message.
const (
	StartsUs   = "us"
	StartsPeer = "peer"

	CompareAdvice        = "advice"              // 1520: our totals, the answer says whether equal
	CompareRequest       = "request"             // 1500: the answer has the other's totals
	CompareRequestTotals = "request_with_totals" // 1500 with ours
)

// Where a center counts reversals; see settle.Convention.
const (
	ReversalsByEffect   = "by_effect"
	ReversalsByOriginal = "by_original"
)

// What a center answers to the reversal of something that it doesn't have.
const (
	UnconfirmedNeither = "neither"
	UnconfirmedBoth    = "both"
)

// ReconciliationConfig is what is agreed with a center about business days and their totals.
type ReconciliationConfig struct {
	Date string `yaml:"date"`
	// Cutover is the local time at which a day ends, as "23:30"; "24:00" is midnight, "" leaves it to
	// 1804/821 and to commands.
	Cutover  string   `yaml:"cutover"`
	Weekdays bool     `yaml:"weekdays"` // Saturday and Sunday are no business days
	Holidays []string `yaml:"holidays,omitempty"`
	Announce bool     `yaml:"announce"` // tell the center by 1804/821 and 822
	// Checkpoint is how long a slice of a day is (DE 29); 0: days aren't sliced by time.
	Checkpoint time.Duration `yaml:"checkpoint,omitempty"`
	Starts     string        `yaml:"starts"`
	Message    string        `yaml:"message"`
	After      time.Duration `yaml:"after"` // the cutover, at the earliest
	// Reversals says which totals cancelled sales and returns are in.
	Reversals string `yaml:"reversals"`
	// Unconfirmed says what is counted of a transaction whose answer never came and whose reversal
	// was accepted: neither, or both if an accepted reversal proves that the center had it.
	Unconfirmed string        `yaml:"unconfirmed"`
	Sealed      string        `yaml:"sealed"`
	Currency    int           `yaml:"currency"` // DE 50 of a day without transactions
	Alarm       time.Duration `yaml:"alarm"`    // a day that isn't agreed so long after its end
}

func (r *ReconciliationConfig) complete(role string) {
	setDefault(&r.Date, DateUs)
	setDefault(&r.Message, CompareAdvice)
	setDefault(&r.Reversals, ReversalsByEffect)
	setDefault(&r.Unconfirmed, UnconfirmedNeither)
	setDefault(&r.Sealed, SealedMove)
	setDefault(&r.Currency, 392)
	setDefault(&r.After, time.Minute)
	setDefault(&r.Alarm, 24*time.Hour)
	if role == RoleIssuer {
		setDefault(&r.Starts, StartsUs)
	} else {
		setDefault(&r.Starts, StartsPeer)
	}
}

func (r *ReconciliationConfig) validate(f *faults, path, role string) {
	if role == RoleIssuer {
		f.oneOf(path+".date", r.Date, DateUs, DatePeer, DateRequest)
		f.oneOf(path+".starts", r.Starts, StartsUs, StartsPeer)
	} else {
		f.oneOf(path+".date", r.Date, DateUs, DatePeer)
		f.oneOf(path+".starts", r.Starts, StartsPeer)
		if r.Announce {
			f.add(path+".announce", "leave it out", "only issuers are told")
		}
		if r.Checkpoint != 0 {
			f.add(path+".checkpoint", "leave it out", "only issuers have slices")
		}
	}
	if _, err := clock(r.Cutover); err != nil {
		f.add(path+".cutover", `write a time of day, as "23:30" or "24:00"`, "%q is none", r.Cutover)
	}
	for i, text := range r.Holidays {
		if _, err := settle.ParseDay(text); err != nil {
			f.add(fmt.Sprintf("%s.holidays[%d]", path, i), `write a date, as "2026-12-31"`,
				"%q is none", text)
		}
	}
	f.noTwice(path+".holidays", r.Holidays)
	if r.Checkpoint != 0 {
		f.duration(path+".checkpoint", r.Checkpoint, 5*time.Minute, 12*time.Hour)
	}
	f.oneOf(path+".message", r.Message, CompareAdvice, CompareRequest, CompareRequestTotals)
	f.oneOf(path+".reversals", r.Reversals, ReversalsByEffect, ReversalsByOriginal)
	f.oneOf(path+".unconfirmed", r.Unconfirmed, UnconfirmedNeither, UnconfirmedBoth)
	f.oneOf(path+".sealed", r.Sealed, SealedMove, SealedRefuse)
	f.between(path+".currency", r.Currency, 1, 999)
	f.duration(path+".after", r.After, time.Second, 24*time.Hour)
	f.duration(path+".alarm", r.Alarm, time.Minute, 31*24*time.Hour)
}

// clock reads a time of day. Midnight is the end of the day, 24:00, and so zero.
func clock(text string) (time.Duration, error) {
	if text == "" || text == "24:00" || text == "00:00" {
		return 0, nil
	}
	t, err := time.Parse("15:04", text)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// settling is what is agreed, ready for use.
type settling struct {
	config     *ReconciliationConfig
	calendar   settle.Calendar
	convention settle.Convention
	byTime     bool
}

func (r *ReconciliationConfig) profile(d *spec.Dialect, zone *time.Location) (*settling, error) {
	if r == nil {
		return nil, nil
	}
	p := &settling{config: r, byTime: r.Cutover != "",
		calendar: settle.Calendar{Zone: zone, Weekdays: r.Weekdays, Closed: make(map[settle.Day]bool)}}
	for _, n := range [...]int{28, 29, 74, 75, 76, 77, 86, 87, 88, 89, 97} {
		if !d.Known().Has(n) {
			return nil, fmt.Errorf("reconciliation: the dialect has no element %d", n)
		}
	}
	var err error
	if p.calendar.Cutover, err = clock(r.Cutover); err != nil {
		return nil, fmt.Errorf("reconciliation: cutover: %w", err)
	}
	for _, text := range r.Holidays {
		day, err := settle.ParseDay(text)
		if err != nil {
			return nil, fmt.Errorf("reconciliation: holidays: %w", err)
		}
		p.calendar.Closed[day] = true
	}
	if r.Reversals == ReversalsByOriginal {
		p.convention = settle.ByOriginal
	}
	return p, nil
}

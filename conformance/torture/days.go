package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

// cutOver ends the open business day of an issuer: the first names its days itself, the second
// follows the switch. It comes to nothing where nobody can be reached.
func (r *run) cutOver(ctx context.Context, name string) {
	if name == issuerNames()[0] {
		r.partners[name].Tell("cutover &")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	_, _ = r.ground.stage.Operate(ctx, "settle", "cutover", "--center", name)
}

// compareDays compares each business day of each issuer with the listing of its book, as an
// operator would.
func (r *run) compareDays(ctx context.Context) error {
	r.report.phase("the business days are compared")
	text, err := r.ground.stage.Operate(ctx, "settle", "status", "-o", "json")
	if err != nil {
		return fmt.Errorf("torture: %w", err)
	}
	var days []cardswitch.PeriodStatus
	if err := json.Unmarshal(text, &days); err != nil {
		return fmt.Errorf("torture: settle status: %w", err)
	}
	for i := range days {
		if err := r.compareDay(ctx, days[i].Center, days[i].Day); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) compareDay(ctx context.Context, center, day string) error {
	listing := r.ground.stage.File(center + "-" + day + ".csv")
	if err := r.partners[center].Tell("listing " + day + " " + listing); err != nil {
		return fmt.Errorf("torture: %s: %w: %s", center, err, r.partners[center].Words())
	}
	for end := time.Now().Add(settleTime); ; {
		if _, err := os.Stat(listing); err == nil {
			break
		}
		if time.Now().After(end) || !pause(ctx, 10*time.Millisecond) {
			return fmt.Errorf("torture: %s writes no listing of %s", center, day)
		}
	}
	text, err := r.ground.stage.Operate(ctx, "settle", "compare", "--center", center, "--day", day,
		"--list", listing, "-o", "json")
	if err != nil {
		return fmt.Errorf("torture: %w", err)
	}
	var found cardswitch.Comparison
	if err := json.Unmarshal(text, &found); err != nil {
		return fmt.Errorf("torture: settle compare: %w", err)
	}
	r.report.compared(found)
	return nil
}

// explained tells of a difference that must be: the issuer counts a transaction and its reversal,
// of which the switch never got an answer. Both come to nothing.
func explained(d *settle.Difference) bool {
	return d.Cause == settle.LateApproved || d.Cause == settle.ReversedThem
}

package bench

import (
	"fmt"

	"cardswitch/conformance/load"
	"cardswitch/conformance/load/issuer"
)

// Metrics of the switch that the benchmark reads.
const (
	metricSynced   = "cardswitch_journal_synced_bytes_total"
	metricApproved = "cardswitch_outcomes_total"
)

// count compares the three books. The switch's is nil for a switch that keeps none.
func count(receipts load.Report, posted issuer.Report, switched metrics) Money {
	m := Money{
		Receipts: receipts.Approved, ReceiptAmount: receipts.Amount,
		Postings: posted.Postings, PostedAmount: posted.Amount, Unanswered: receipts.Unanswered,
	}
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			m.Wrong = append(m.Wrong, fmt.Sprintf(format, args...))
		}
	}
	wrong(!receipts.Clean(), "%d sent, %d approved, %d unanswered, %d mismatched, %d to nothing, "+
		"%d malformed; by action code %v", receipts.Sent, receipts.Approved, receipts.Unanswered,
		receipts.Mismatched, receipts.Unknown, receipts.Malformed, receipts.Actions)
	wrong(m.Receipts != m.Postings || m.ReceiptAmount != m.PostedAmount,
		"merchants hold %d receipts of %d, issuers %d postings of %d",
		m.Receipts, m.ReceiptAmount, m.Postings, m.PostedAmount)
	wrong(posted.Duplicates+posted.Malformed+posted.Unexpected+posted.Reversals > 0,
		"issuers saw %d second postings, %d reversals, %d malformed, %d unexpected messages",
		posted.Duplicates, posted.Reversals, posted.Malformed, posted.Unexpected)
	if switched != nil {
		// By the issuers' centers: a merchant's also count its sign-ons.
		approved := uint64(switched.sum(metricApproved, `center="issuer-`, `outcome="approved"`))
		m.Switch = &approved
		wrong(approved != m.Receipts, "merchants hold %d receipts, the switch counts %d approvals",
			m.Receipts, approved)
	}
	return m
}

package txn

// Period is how the period stands that a message about reconciliation names.
type Period uint8

// The standings.
const (
	PeriodUnknown Period = iota
	// PeriodOpen still takes what is new.
	PeriodOpen
	// PeriodOwed has ended, but something of it is still on its way.
	PeriodOwed
	// PeriodEnded has ended, and its figures stand.
	PeriodEnded
	// PeriodAgreed was compared, and both sides have the same figures.
	PeriodAgreed
)

// Balance is how the figures of the two sides compare.
type Balance uint8

// The outcomes.
const (
	// NotCompared: one side gave no figures.
	NotCompared Balance = iota
	// InBalance: all figures are equal.
	InBalance
	// OtherConvention: they would be, were reversals in each other's totals.
	OtherConvention
	// AmountsDiffer: the numbers are equal, amounts aren't.
	AmountsDiffer
	// NumbersDiffer: the numbers aren't equal.
	NumbersDiffer
)

package spec

// The first two digits of a processing code.
var transactionNames = map[int]string{
	0:  "goods and services",
	1:  "cash",
	2:  "debit adjustment",
	3:  "cheque guarantee",
	4:  "cheque verification",
	5:  "eurocheque",
	6:  "traveller's cheque",
	7:  "letter of credit",
	8:  "giro",
	9:  "goods with cash back",
	10: "non-cash instrument",
	11: "quasi-cash",
	20: "return",
	21: "deposit",
	22: "credit adjustment",
	23: "cheque deposit guarantee",
	24: "cheque deposit",
	30: "available funds inquiry",
	31: "balance inquiry",
	40: "transfer between own accounts",
	50: "payment to a payee",
}

var transactionRanges = []codeRange{
	{12, 19, "other debit"},
	{25, 29, "other credit"},
	{32, 39, "other inquiry"},
	{41, 49, "other transfer"},
	{51, 59, "other payment"},
	{60, 99, "national or private transaction"},
}

// The third and fourth digit, and the last two.
var accountNames = map[int]string{
	0: "default account", 10: "savings account", 20: "cheque account", 30: "credit account",
	40: "universal account", 50: "investment account",
}

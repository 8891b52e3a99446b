package settle

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cardswitch/store/total"
)

const listing = `mti,stan,local_time,processing,amount,original_mti,day,reference,remark
1200,000001,261126101500,000000,1000,,261126,R1,equal
1210,000002,261126101501,000000,2500,,,R2,another amount
1200,000003,261126101502,000000,300,,,R3,not with us
1200,000004,261126101503,000000,400,,,R4,late
1200,000005,261126101504,000000,500,,,R5,counted tomorrow
1420,000006,261126101505,000000,600,1200,,R6,reversed with them only
1200,000001,261126101500,000000,1000,,,R1,twice
1200,000009,261126101500,200000,1000,,261127,R1,of another day
1200,000010,261126101600,200000,70,,,R1,a return
`

func ours() []Ours {
	sale := func(stan uint32, at uint64, amount uint64) Ours {
		return Ours{Leg: Leg{0x1200, stan, 261126101500 + at}, Txn: uint64(stan) * 10,
			Kind: total.Debit, Amount: amount, Currency: 392, Day: 261126, Slice: 1}
	}
	tomorrow, late, unasked := sale(5, 4, 500), sale(4, 3, 400), sale(6, 5, 600)
	tomorrow.Day = 261127
	late.Kind, late.Note = total.None, NoteTimedOut
	unasked.MTI, unasked.Kind, unasked.Note = 0x1420, total.None, "refused"
	gone, undone := sale(7, 7, 700), sale(8, 8, 800)
	undone.MTI, undone.Kind = 0x1420, total.DebitReversal
	return []Ours{sale(1, 0, 1000), sale(2, 1, 2000), tomorrow, late, unasked, gone, undone,
		sale(10, 100, 70)}
}

// Each difference is named by its transaction, with its likely cause.
func TestDifferencesAreNamed(t *testing.T) {
	m := NewMatcher(Scope{Day: 261126, Currency: 392})
	if err := ReadListing(strings.NewReader(listing), m.List); err != nil {
		t.Fatal(err)
	}
	for _, o := range ours() {
		m.Journal(o)
	}
	want := map[string]string{"000001": Duplicate, "000002": OtherAmount, "000003": OnlyTheirs,
		"000004": LateApproved, "000005": OtherPeriod, "000006": ReversedThem, "000007": OnlyOurs,
		"000008": ReversedOurs, "000010": OtherKind}
	for _, d := range m.Differences() {
		if want[d.STAN] != d.Cause {
			t.Errorf("%s: %q (%s), want %q", d.STAN, d.Cause, d.Why, want[d.STAN])
		}
		if d.Cause == Duplicate && (d.Txn != 10 || d.Line != 8 || d.Why != "also in line 2") {
			t.Errorf("the duplicate of transaction 10: %+v", d)
		}
		delete(want, d.STAN)
	}
	for stan, cause := range want {
		t.Errorf("%s: %q isn't found", stan, cause)
	}
	if got := m.Theirs[392][total.Debit]; got != (total.Sum{Number: 6, Amount: 5700}) {
		t.Errorf("the listing comes to %+v", got)
	}
}

// Two equal books have no difference, in either form; one that is changed has exactly that.
func TestEqualBooksHaveNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		book := make(map[Leg]Ours)
		for i := range rapid.IntRange(0, 20).Draw(t, "transactions") {
			o := Ours{Leg: Leg{0x1200, uint32(i), uint64(i)}, Txn: uint64(i) + 1, Kind: total.Debit,
				Amount: uint64(rapid.IntRange(1, 999).Draw(t, "amount")), Currency: 392, Day: 261126}
			book[o.Leg] = o
		}
		broken := -1
		if len(book) > 0 && rapid.Bool().Draw(t, "break") {
			broken = rapid.IntRange(0, len(book)-1).Draw(t, "which")
		}
		m := NewMatcher(Scope{Day: 261126, Currency: 392})
		for leg, o := range book {
			if int(leg.STAN) == broken {
				o.Amount++
			}
			if err := m.List(Entry{Leg: leg, Amount: o.Amount}); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range book {
			m.Journal(o)
		}
		found := m.Differences()
		if broken < 0 && len(found) != 0 || broken >= 0 &&
			(len(found) != 1 || found[0].Txn != uint64(broken)+1 || found[0].Cause != OtherAmount) {
			t.Fatalf("broken %d: %+v", broken, found)
		}
	})
}

func TestListingForms(t *testing.T) {
	for name, text := range map[string]string{
		"a list": `[{"mti":"1200","stan":"000001","local_time":"261126101500","amount":"1000",
			"currency":392,"slice":2,"other":null}]`,
		"lines": "{\"mti\":1200,\"stan\":1,\"local_time\":261126101500,\"amount\":1000," +
			"\"currency\":392,\"slice\":2}\n",
		"csv": "\ufeffMTI, STAN, local_time, amount, currency, slice\r\n" +
			"1201,1,261126101500,1000,392,2\r\n",
	} {
		var got []Entry
		err := ReadListing(strings.NewReader(text), func(e Entry) error {
			got = append(got, e)
			return nil
		})
		if err != nil || len(got) != 1 || got[0].Leg != (Leg{0x1200, 1, 261126101500}) ||
			got[0].Amount != 1000 || got[0].Currency != 392 || got[0].Slice != 2 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"": "empty", "mti,stan\n1200,1\n": "local_time is missing",
		"mti,stan,local_time,amount\n1200,1,2,x\n":           "line 2: amount",
		"mti,stan,local_time,amount\n12,1,2,3\n":             "mti",
		"mti,stan,local_time,amount\n1200,1,2\n":             "line 2",
		"mti,stan,local_time,amount,day\n1200,1,2,3,99\n":    "day",
		`[{"mti":"1200","stan":"1","local_time":"2"}`:        "amount is missing",
		`[{"mti":"1200","stan":1,"local_time":2,"amount":3}`: "the list doesn't end",
	} {
		err := ReadListing(strings.NewReader(name), func(Entry) error { return nil })
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, want %q", name, err, text)
		}
	}
}

func FuzzReadListing(f *testing.F) {
	f.Add(listing)
	f.Add(`[{"mti":"1200","stan":1,"local_time":"261126101500","amount":1e3}]`)
	f.Add("{}")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		err := ReadListing(strings.NewReader(text), func(e Entry) error {
			if n++; e.STAN > 999_999 || e.LocalTime > 999_999_999_999 || !e.MTI.Valid() &&
				e.MTI.IsResponse() {
				t.Fatalf("%+v was read", e)
			}
			return nil
		})
		if err == nil && n > strings.Count(text, "{")+strings.Count(text, "\n")+
			strings.Count(text, "\r")+1 {
			t.Fatalf("%d entries in %q", n, text)
		}
	})
}

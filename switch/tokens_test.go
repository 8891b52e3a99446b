package cardswitch_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store/audit"
	"cardswitch/store/vault"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/security/securitytest"
)

// clerk is an audit log of tests.
type clerk struct{ entries []audit.Entry }

func (c *clerk) Append(_ context.Context, e audit.Entry) (uint64, error) {
	c.entries = append(c.entries, e)
	return uint64(len(c.entries)), nil
}

const otherAt = "127.0.0.1:7102"

// runTokens is run with a merchant who holds no card numbers, and another one at otherAt.
func runTokens(t *testing.T, change func(one, other *cardswitch.CenterConfig),
	scene func(y *yard, shop, other, primary *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			two := c.Centers[0]
			two.Name, two.Links = "hq-2", []cardswitch.LinkConfig{{Name: "a", Listen: otherAt,
				From: []string{"127.0.0.0/8"}}}
			c.Centers = append(c.Centers, two)
			for i := range c.Centers {
				if c.Centers[i].Role == cardswitch.RoleMerchant {
					c.Centers[i].Tokens = &cardswitch.TokensConfig{}
				}
			}
			if change != nil {
				change(&c.Centers[0], &c.Centers[2])
			}
		})
		y.deps.Keys, y.deps.Audit = securitytest.Ring(t, securitytest.Soft(t)), &clerk{}
		first, second := y.listen(primaryAt), y.listen(standbyAt)
		defer first.Close()
		defer second.Close()
		y.doors = []net.Listener{first, second}
		y.start()
		primary, standby := y.issuer(first, "primary"), y.issuer(second, "standby")
		time.Sleep(time.Second)
		shop := y.merchant()
		conn, err := y.net.DialFrom(context.Background(), "127.0.0.1", otherAt)
		if err != nil {
			t.Fatal(err)
		}
		other := &peer{y: y, conn: conn, name: "other"}
		other.send("1804", map[int]string{11: "000001", 12: "261122120000", 24: "801",
			93: "99999000001", 94: acquirer})
		want(t, other.read("1814"), map[int]string{39: "800"})
		scene(y, shop, other, primary)
		y.end()
		for _, p := range []*peer{shop, other, primary, standby} {
			p.conn.Close()
		}
	})
}

// bought sells something and gives the answer's token.
func bought(t *testing.T, shop, primary *peer, stan int) string {
	t.Helper()
	shop.send("1200", sale(stan, 700))
	m := primary.read("1200")
	want(t, m, map[int]string{2: card, 126: ""})
	primary.answer(m, map[int]string{38: "A00001", 39: "000", 63: "CARD " + card})
	a := shop.read("1210")
	want(t, a, map[int]string{39: "000", 2: "", 38: "A00001"})
	if bytes.Contains(a.Raw(), []byte(card)) || value(a, 126) == "" {
		t.Errorf("the answer shows the card, or its token is %q", value(a, 126))
	}
	shop.send("1201", sale(stan, 700))
	if again := shop.read("1210"); !bytes.Equal(again.Raw(), a.Raw()) {
		t.Error("the repeat got another answer")
	}
	return value(a, 126)
}

// withToken is a message whose card is named by its token.
func withToken(e map[int]string, token string) map[int]string {
	delete(e, 2)
	e[126] = token
	return e
}

// Answers carry a token and no card number; a card has one token; requests may carry it in the
// place of the number; nobody else can use it. All this also after a crash.
func TestTokens(t *testing.T) {
	for name, c := range map[string]cardswitch.TokensConfig{
		"opaque": {},
		"digits": {Format: cardswitch.TokensDigits, From: "990000", To: "990999", KeepLastFour: true},
	} {
		runTokens(t, func(one, other *cardswitch.CenterConfig) { *one.Tokens, *other.Tokens = c, c },
			func(y *yard, shop, other, primary *peer) {
				token := bought(t, shop, primary, 1)
				if again := bought(t, shop, primary, 2); again != token {
					t.Errorf("%s: the card has two tokens, %s and %s", name, token, again)
				}
				if strings.Contains(token, card[6:12]) {
					t.Errorf("%s: the token shows the card", name)
				}
				back := withToken(reversal(3, 1, 700), token)
				shop.send("1420", back)
				want(t, shop.read("1430"), map[int]string{39: "400", 2: "", 126: token})
				m := primary.read("1420")
				want(t, m, map[int]string{2: card, 126: ""})
				primary.answer(m, map[int]string{39: "400"})
				other.send("1200", withToken(sale(4, 100), token))
				want(t, other.read("1210"), map[int]string{39: "111", 2: ""})
				other.send("1200", withToken(sale(5, 100), "tok-"+strings.Repeat("a", 28)))
				want(t, other.read("1210"), map[int]string{39: "111"})
				both := sale(6, 100)
				both[126] = token
				shop.send("1200", both)
				want(t, shop.read("1210"), map[int]string{39: "904"})
				if theirs := bought(t, other, primary, 7); theirs == token {
					t.Error("two merchants have the same token")
				}
				primary.quiet(time.Second)
				defer y.again(shop, primary, other).conn.Close()
				shop.send("1200", withToken(sale(8, 300), token))
				m = primary.read("1200")
				want(t, m, map[int]string{2: card, 126: ""})
				primary.answer(m, map[int]string{38: "A00002", 39: "000"})
				want(t, shop.read("1210"), map[int]string{39: "000", 2: "", 126: token})
				shop.send("1201", withToken(sale(8, 300), token))
				want(t, shop.read("1210"), map[int]string{39: "000", 2: "", 126: token})
			})
	}
}

// A single-use token is used once; the repeat of that request gets its answer all the same.
func TestSingleUseTokens(t *testing.T) {
	runTokens(t, func(one, _ *cardswitch.CenterConfig) { one.Tokens.SingleUse = 30 * time.Second },
		func(y *yard, shop, other, primary *peer) {
			token := bought(t, shop, primary, 1)
			if bought(t, shop, primary, 2) == token {
				t.Error("two answers have the same token")
			}
			shop.send("1200", withToken(sale(3, 300), token))
			m := primary.read("1200")
			want(t, m, map[int]string{2: card})
			shop.send("1201", withToken(sale(3, 300), token)) // while it is open
			time.Sleep(10 * time.Millisecond)
			primary.answer(m, map[int]string{38: "A00002", 39: "000"})
			a := shop.read("1210")
			want(t, a, map[int]string{39: "000", 2: ""})
			shop.send("1201", withToken(sale(3, 300), token))
			if again := shop.read("1210"); !bytes.Equal(again.Raw(), a.Raw()) {
				t.Error("the repeat got another answer")
			}
			shop.send("1200", withToken(sale(4, 300), token))
			want(t, shop.read("1210"), map[int]string{11: "000004", 39: "111"})
			primary.quiet(time.Second)
			late := bought(t, shop, primary, 5)
			time.Sleep(40 * time.Second)
			shop.send("1200", withToken(sale(6, 300), late))
			want(t, shop.read("1210"), map[int]string{11: "000006", 39: "111"})
		})
}

// A sale is reversed with its token though that is spent, past, or deleted: the original says which
// card it was. Nothing else goes by such a token.
func TestReversalWithATokenThatIsGone(t *testing.T) {
	for _, once := range []time.Duration{30 * time.Second, 0} {
		runTokens(t, func(one, _ *cardswitch.CenterConfig) { one.Tokens.SingleUse = once },
			func(y *yard, shop, other, primary *peer) {
				token := bought(t, shop, primary, 1)
				shop.send("1200", withToken(sale(2, 300), token))
				primary.answer(primary.read("1200"), map[int]string{38: "A00002", 39: "000"})
				want(t, shop.read("1210"), map[int]string{39: "000", 2: ""})
				if once == 0 {
					who := vault.Access{Actor: "sato", Role: cardswitch.Approver, Reason: "asked for"}
					if err := y.sw.Vault().Delete(t.Context(), vault.Token(token), who); err != nil {
						t.Fatal(err)
					}
				}
				for _, mti := range []string{"1420", "1421"} {
					shop.send(mti, withToken(reversal(3, 2, 300), token))
					want(t, shop.read("1430"), map[int]string{39: "400", 2: ""})
				}
				m := primary.read("1420")
				want(t, m, map[int]string{2: card, 4: "000000000300", 126: ""})
				primary.answer(m, map[int]string{39: "400"})
				shop.send("1420", withToken(reversal(4, 99, 300), token))
				want(t, shop.read("1430"), map[int]string{39: "111"})
				shop.send("1200", withToken(sale(5, 300), token))
				want(t, shop.read("1210"), map[int]string{39: "111"})
				other.send("1420", withToken(reversal(6, 2, 300), token))
				want(t, other.read("1430"), map[int]string{39: "111"})
				primary.quiet(time.Minute)
			})
	}
}

// While tokens are re-keyed the switch serves, and all of them still stand for their cards.
func TestRekeyWhileServing(t *testing.T) {
	runTokens(t, nil, func(y *yard, shop, other, primary *peer) {
		token := bought(t, shop, primary, 1)
		who := vault.Access{Actor: "sato", Role: cardswitch.Administrator, Reason: "yearly"}
		if err := y.sw.Vault().Rekey(t.Context(), who); err != nil {
			t.Fatal(err)
		}
		if bought(t, shop, primary, 2) != token {
			t.Error("the token changed")
		}
		time.Sleep(time.Minute)
		if st := y.sw.Vault().Status(); st.Rekey.Running || st.Rekey.Rewritten == 0 {
			t.Errorf("the re-keying stands at %+v", st.Rekey)
		}
		if err := y.sw.Rewrap(t.Context(), who); err != nil {
			t.Fatal(err)
		}
		for primary.next(time.Second) != nil {
		}
		shop.send("1200", withToken(sale(3, 300), token))
		want(t, primary.read("1200"), map[int]string{2: card})
	})
}

// A node that was deposed before its switch ran throws it away: nothing of it goes on.
func TestDiscardedWithTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) { c.Centers[0].Tokens = &cardswitch.TokensConfig{} })
		y.deps.Keys, y.deps.Audit = securitytest.Ring(t, securitytest.Soft(t)), &clerk{}
		y.deps.Disk = y.disk
		sw, err := cardswitch.New(y.config, y.deps)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // what the vault does by itself waits for commits that never come
		if err := sw.Discard(); err != nil {
			t.Error(err)
		}
	})
}

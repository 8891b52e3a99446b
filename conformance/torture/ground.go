package torture

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"cardswitch/conformance/issuer"
	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
	cardswitch "cardswitch/switch"
)

// ground is where the processes meet: the switch's stage, a proxy in each link, the files that the
// partners are started with.
type ground struct {
	stage   *stage.Stage
	proxies map[string]*Proxy // by link
}

func issuerNames() []string   { return []string{"issuer-0", "issuer-1"} }
func merchantNames() []string { return []string{"aoyama", "minato"} }
func partnerNames() []string  { return append(issuerNames(), merchantNames()...) }

// linkNames are those of the proxies: a merchant has one, an issuer two.
func linkNames() []string {
	names := merchantNames()
	for _, issuer := range issuerNames() {
		names = append(names, issuer+"/l0", issuer+"/l1")
	}
	return names
}

// acquirer is DE 32 of a merchant.
func acquirer(n int) string { return fmt.Sprintf("9200000000%d", n+1) }

// layOut chooses ports, opens the proxies and writes all files.
func layOut(r *run) (*ground, error) {
	g := &ground{proxies: make(map[string]*Proxy)}
	secret := sealed.Secret(fmt.Sprintf("torture %d", r.Seed))
	ports, err := stage.Ports(2 * len(issuerNames()))
	if err != nil {
		return nil, err
	}
	var links [][]string // as the switch dials them
	for i, name := range issuerNames() {
		own := ports[2*i : 2*i+2]
		var seen []string
		for n, address := range own {
			p, err := g.proxy(fmt.Sprintf("%s/l%d", name, n), address)
			if err != nil {
				return g, err
			}
			seen = append(seen, p.Address())
		}
		links = append(links, seen)
		if err := r.writeIssuer(name, own, secret); err != nil {
			return g, err
		}
	}
	if g.stage, err = stage.New(r.Program, r.dir, links); err != nil {
		return g, err
	}
	s := g.stage
	s.MerchantTime, s.IssuerTime = merchantTime, issuerTime
	s.Repeat, s.BackOff, s.Hold = repeatTime, 4*repeatTime, repeatTime
	s.Secret, s.StandIn = secret, standInRules
	s.Days = []string{cardswitch.DatePeer, cardswitch.DateUs}
	for n, name := range merchantNames() {
		p, err := g.proxy(name, s.Merchants)
		if err != nil {
			return g, err
		}
		if err := r.writeMerchant(n, name, p.Address(), secret); err != nil {
			return g, err
		}
		s.Acquirers = append(s.Acquirers, acquirer(n))
	}
	if s.MinFreeMB, err = r.disk.limit(); err != nil {
		return g, err
	}
	return g, s.Write()
}

func (g *ground) proxy(link, to string) (*Proxy, error) {
	p, err := OpenProxy(to)
	if err == nil {
		g.proxies[link] = p
	}
	return p, err
}

func (g *ground) close() {
	for _, p := range g.proxies {
		p.Close()
	}
}

// book is where a partner writes its book at its end.
func (r *run) book(name string) string { return filepath.Join(r.dir, name+".json") }

// keyFile writes a key as the simulators read it, and returns the name.
func (r *run) keyFile(link string, key []byte) (string, error) {
	name := filepath.Join(r.dir, strings.ReplaceAll(link, "/", "-")+".key")
	return name, os.WriteFile(name, []byte(hex.EncodeToString(key)+"\n"), 0o600)
}

func (r *run) writeIssuer(name string, addresses []string, secret sealed.Secret) error {
	type link struct{ Name, Listen, ID, Key string }
	data := struct {
		Name string
		Seed uint64
		KBPK string
		Lie  string
		Link []link

		Giver string
	}{Name: name, Seed: r.Seed, Lie: r.Lie, Giver: issuer.Ours}
	if name != issuerNames()[0] {
		data.Giver = issuer.Theirs
	}
	var err error
	if data.KBPK, err = r.keyFile(name, secret.Protection(name)); err != nil {
		return err
	}
	for n, address := range addresses {
		id := fmt.Sprintf("%s/l%d", name, n)
		key, err := r.keyFile(id, secret.Key(id, 1))
		if err != nil {
			return err
		}
		data.Link = append(data.Link, link{fmt.Sprintf("l%d", n), address, id, key})
	}
	return r.write(name, issuerFile, data)
}

func (r *run) writeMerchant(n int, name, address string, secret sealed.Secret) error {
	key, err := r.keyFile(name, secret.Key(stage.Link, 1))
	if err != nil {
		return err
	}
	protection, err := r.keyFile(name+"/kbpk", secret.Protection("merchants"))
	if err != nil {
		return err
	}
	return r.write(name, merchantFile, struct {
		Name, Address, Acquirer, ID, Key, KBPK string
		Rate                                   float64
		Seed                                   uint64
		Ranges                                 []cards.Range
		Patience, Settle                       string
	}{name, address, acquirer(n), stage.Link, key, protection,
		r.Rate / float64(len(merchantNames())), r.Seed + uint64(n), cards.Ranges(),
		patience.String(), settleTime.String()})
}

func (r *run) write(name string, t *template.Template, data any) error {
	var text strings.Builder
	if err := t.Execute(&text, data); err != nil {
		return fmt.Errorf("torture: %w", err)
	}
	return os.WriteFile(filepath.Join(r.dir, name+".yaml"), []byte(text.String()), 0o600)
}

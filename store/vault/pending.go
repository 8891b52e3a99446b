package vault

// pending is what went into batches that aren't committed yet, so that the tables look as if they
// were. All of it is under Vault.mu.
//
// Who looks into the tables without the lock of the batch's filler must notice if what was found
// changed until that lock is taken. For this each key has an epoch, shared with some others, that
// grows whenever a change of it goes into a batch. A look is: note the epoch, see what is pending,
// then read the books. If the epoch is the same later, so is what was found: what was pending
// before was seen, and what came after would have changed the epoch.
type pending struct {
	serial uint64
	tokens map[Token]pendingToken
	cards  map[string]pendingCard // by multiKey
	epochs [1 << 12]uint32
	watch  map[Token]bool // tokens that changed since a re-encryption read them; nil: none does
}

type pendingToken struct {
	serial uint64
	value  []byte // nil: deleted
}

type pendingCard struct {
	serial uint64
	token  Token // "": none any more
}

func (p *pending) init() {
	p.tokens = make(map[Token]pendingToken)
	p.cards = make(map[string]pendingCard)
}

// epoch is where the epoch of a token or of a multiKey stands (FNV-1a).
func (p *pending) epoch(key string) *uint32 {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return &p.epochs[h%uint32(len(p.epochs))]
}

// note takes down a change that goes into a batch: what stands behind a token (nil: nothing any
// more), and for a token that isn't single-use which one its card has now.
func (p *pending) note(t Token, value []byte, card string, has Token) (serial uint64) {
	p.serial++
	p.tokens[t] = pendingToken{p.serial, value}
	*p.epoch(string(t))++
	if card != "" {
		p.cards[card] = pendingCard{p.serial, has}
		*p.epoch(card)++
	}
	if p.watch != nil {
		p.watch[t] = true
	}
	return p.serial
}

// landed forgets a change that is committed, unless there was another after it.
func (p *pending) landed(serial uint64, t Token, card string) {
	if p.tokens[t].serial == serial {
		delete(p.tokens, t)
	}
	if p.cards[card].serial == serial {
		delete(p.cards, card)
	}
}

// cache remembers the tokens of cards seen lately: two maps, the older of which is dropped when the
// younger is full.
type cache struct {
	most       int // tokens, in both
	young, old map[string]Token
}

func (c *cache) get(card string) (Token, bool) {
	t, ok := c.young[card]
	if ok {
		return t, true
	}
	if t, ok = c.old[card]; ok {
		c.put(card, t)
	}
	return t, ok
}

func (c *cache) put(card string, t Token) {
	if c.young == nil || len(c.young) >= (c.most+1)/2 {
		c.old, c.young = c.young, make(map[string]Token)
	}
	c.young[card] = t
}

func (c *cache) drop(card string) {
	delete(c.young, card)
	delete(c.old, card)
}

func (c *cache) len() int { return len(c.young) + len(c.old) }

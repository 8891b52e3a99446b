package drill

import (
	"fmt"
	"strings"
	"time"
)

// Check is one thing that is looked at before anything is hurt.
type Check struct {
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
	Hint  string `json:"hint,omitempty"` // what to do if it isn't
}

// Checks says whether a drill may begin. At is the node that was asked; err is why the active one
// can't be asked.
func Checks(o *Order, s *State, at uint64, err error) []Check {
	c := &checks{order: o, state: s, at: at}
	if err != nil {
		c.add("a node is active", false, err.Error(), "`cardswitch cluster status` on each node")
		return c.list
	}
	c.add("a node is active", true, fmt.Sprintf("node %d in term %d", s.Node, s.Term), "")
	c.add("no other drill is under way", s.Practises == "", orNone(s.Practises),
		"wait for it; `cardswitch drill history` shows it when it has ended")
	if o.Kind == Restore {
		return c.list
	}
	c.quietTime()
	switch o.Kind {
	case Node, Network, Disk:
		c.others()
	case Link:
		c.links()
	case Site:
		c.site()
	}
	if o.Kind == Node && o.Hard {
		c.add("the active node is started again by itself", s.Supervised || o.Unsupervised,
			yesNo(s.Supervised, "by its service manager", "nothing seems to supervise it"),
			"run it under systemd or the like; or --unsupervised, and start it by hand")
	}
	return c.list
}

// AllPass tells whether all checks do.
func AllPass(list []Check) bool {
	for i := range list {
		if !list[i].OK {
			return false
		}
	}
	return true
}

type checks struct {
	order *Order
	state *State
	at    uint64
	list  []Check
}

func (c *checks) add(what string, ok bool, found, hint string) {
	if ok {
		hint = ""
	}
	c.list = append(c.list, Check{what, ok, found, hint})
}

// quietTime looks at what makes the moment a bad one.
func (c *checks) quietTime() {
	s, b := c.state, &c.order.Bounds
	c.add(fmt.Sprintf("at most %d advices on the work list", b.WorkList), s.Shelved <= b.WorkList,
		fmt.Sprint(s.Shelved), "`cardswitch worklist list`; what is open there hides what a drill leaves")
	c.add(fmt.Sprintf("at most %d advices to be delivered", b.Owed), s.Owed <= b.Owed,
		fmt.Sprint(s.Owed), "`cardswitch saf list`; an issuer is away or slow")
	near := s.ToCutOver
	c.add(fmt.Sprintf("no business day ends within %s", b.CutOver), near == 0 || near >= b.CutOver,
		yesNo(near == 0, "no day ends soon", "the nearest by "+near.Round(time.Second).String()),
		"wait until the day has ended")
	c.add("no backup is being made", !s.Backing, yesNo(s.Backing, "one is", "none"), "wait for it")
}

// others looks at the nodes that must go on without the active one.
func (c *checks) others() {
	s := c.state
	c.add("it isn't alone", !s.Alone, fmt.Sprintf("%d members", len(s.Members)),
		"a node alone has nobody who takes over; see README, several nodes")
	if s.Alone {
		return
	}
	var away, behind []string
	ready := 0
	for _, m := range s.Members {
		name := fmt.Sprintf("node %d", m.Node)
		switch {
		case !m.Connected:
			away = append(away, name)
		case m.Role == roleData && (!m.InSync || m.Behind > c.order.Bounds.Lag):
			behind = append(behind, fmt.Sprintf("%s, %d entries", name, m.Entries))
		case m.Role == roleData && !m.Self:
			ready++
		}
	}
	c.add("all nodes are there", len(away) == 0, orNone(strings.Join(away, ", "))+" away",
		"bring them back first: of those that are left none could be spared")
	c.add(fmt.Sprintf("all data nodes are in sync within %s", c.order.Bounds.Lag), len(behind) == 0,
		orNone(strings.Join(behind, "; "))+" behind", "`cardswitch cluster status` shows the lag")
	c.add("another data node can take over", ready > 0, fmt.Sprintf("%d can", ready),
		"a witness can't; bring a data node back")
	c.add("this node isn't the one that is hurt", c.staysWhole(), fmt.Sprintf("this is node %d", c.at),
		fmt.Sprintf("order it at another data node than %d, the active one", s.Node))
}

// staysWhole tells whether the node that watches isn't the one that is hurt. A planned hand-over
// hurts nobody.
func (c *checks) staysWhole() bool {
	return c.at != c.state.Node || c.order.Kind == Node && !c.order.Hard
}

// links looks at the links of an issuer of which one is to be cut.
func (c *checks) links() {
	o := c.order
	found, is, others := false, Line{}, 0
	for _, l := range c.state.Lines {
		switch {
		case l.Center != o.Center:
		case l.Link == o.Link:
			found, is = true, l
		case l.Up && !l.Held:
			others++
		}
	}
	name := o.Center + "/" + o.Link
	c.add(name+" is an issuer's link", found, yesNo(found, "it is", "there is none of that name"),
		"`cardswitch link list` shows them")
	c.add("it is up and nobody holds it", is.Up && !is.Held,
		yesNo(is.Held, "held by an operator", yesNo(is.Up, "signed on", "down")),
		"`cardswitch link resume "+name+"`, or cut another one")
	c.add("another link of the issuer is up", others > 0, fmt.Sprintf("%d are", others),
		"the cut would end its service; bring another one up")
}

// site looks at whether there is another site that has what it needs.
func (c *checks) site() {
	learners := 0
	for _, m := range c.state.Members {
		if m.Role != roleLearner {
			continue
		}
		learners++
		name := fmt.Sprintf("node %d of the other site", m.Node)
		c.add(name+" is there", m.Connected, yesNo(m.Connected, "connected", "not connected"),
			"is the line between the sites up? is it started?")
		c.add(fmt.Sprintf("%s lags at most %s", name, c.order.Bounds.Lag),
			m.Connected && m.Behind <= c.order.Bounds.Lag,
			fmt.Sprintf("%d entries, %d bytes, %s", m.Entries, m.Bytes, m.Behind),
			"what it lacks is what may be missing if the site is lost")
	}
	c.add("there is another site", learners > 0, fmt.Sprintf("%d learners", learners),
		"`cardswitch cluster join --role learner` takes one in")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func yesNo(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

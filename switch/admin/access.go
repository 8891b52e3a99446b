package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"

	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// Person is who stands at the other end of the operators' socket: the user whose process opened it,
// told by the kernel. Nobody gives a password here; the machine's login did that.
type Person struct {
	Name  string
	Roles []string
	// Owner is the user that runs a test installation. They may do everything but what must be done
	// by several people.
	Owner bool
}

// has tells whether the person has one of the roles.
func (p *Person) has(roles ...string) bool {
	return slices.ContainsFunc(p.Roles, func(r string) bool { return slices.Contains(roles, r) })
}

// may tells whether the person may use a route.
func (p *Person) may(r *route) bool {
	return p.Name != "" && (p.has(r.roles...) || p.Owner && !r.dual)
}

// Access says what people may do. The zero Access lets nobody do anything.
type Access struct {
	Roles map[string][]string // by login
	// Owner is the user of a test installation, by number; nil in production, which denies
	// everything that no role allows.
	Owner *int
}

// NewAccess is the access of a configuration.
func NewAccess(c *cardswitch.Config) Access {
	a := Access{Roles: c.Access.Roles}
	if !c.Production {
		uid := os.Geteuid()
		a.Owner = &uid
	}
	return a
}

// overflow is what the kernel says of users that a user namespace doesn't have: they can't be told
// apart, so they are nobody. It happens under PrivateUsers of systemd.
const overflow = 65534

// person finds the roles of a user. One that has no name on this machine has none.
func (a *Access) person(uid int) Person {
	if uid == overflow {
		return Person{}
	}
	p := Person{Name: fmt.Sprintf("user %d", uid), Owner: a.Owner != nil && *a.Owner == uid}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		p.Name = u.Username
		p.Roles = a.Roles[u.Username]
	}
	return p
}

// personKey is the key of the uid, or the person, in a request's context.
type personKey struct{}

// connected notes which user a connection of the socket comes from.
func connected(ctx context.Context, conn net.Conn) context.Context {
	if uid, ok := peer(conn); ok {
		return context.WithValue(ctx, personKey{}, uid)
	}
	return ctx
}

// who is the person of a request; one without a name if nobody can tell. Roles are looked up at
// every request, so a change of them counts at once.
func (s *Server) who(r *http.Request) Person {
	switch v := r.Context().Value(personKey{}).(type) {
	case int:
		access := s.Access()
		return access.person(v)
	case Person: // of a test
		return v
	}
	return Person{}
}

// route is one thing that can be asked of the socket, and who may ask it.
type route struct {
	pattern string
	handler func(http.ResponseWriter, *http.Request)
	roles   []string
	// dual is what the owner of a test installation may not do either without the role: it would
	// break the control of several people.
	dual bool
	// event is what the audit log calls it; 0: it isn't recorded, or records itself.
	event audit.Event
}

// guard lets a route be used by whom it is for. Whoever isn't is told so, and it is noted.
func (s *Server) guard(r *route) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		p := s.who(request)
		if !p.may(r) {
			s.denied(request, p, r)
			refuse(w, &deniedError{p, r.roles})
			return
		}
		s.recorded(r, p, w, request)
	}
}

func (s *Server) denied(request *http.Request, p Person, r *route) {
	err := s.audit(request.Context(), p, "access", r.pattern, "", errNoRole)
	if s.Audit == nil || err != nil {
		s.Logger.Warn("access denied", "who", p.Name, "what", r.pattern)
	}
}

var errNoRole = errors.New("no role for it")

// deniedError is something that a person may not do.
type deniedError struct {
	person Person
	roles  []string
}

func (e *deniedError) Error() string {
	if e.person.Name == "" {
		return "nobody knows who you are"
	}
	return e.person.Name + " may not do this"
}

func (e *deniedError) hint() string {
	return fmt.Sprintf("it takes one of the roles %v; see access.roles in the configuration", e.roles)
}

package admin

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// AuditLine is one record of the audit log as people read it.
type AuditLine struct {
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"`
	Clock  string    `json:"clock"`
	Actor  string    `json:"actor"`
	Role   string    `json:"role,omitempty"`
	Source string    `json:"source"`
	Event  string    `json:"event"`
	Object string    `json:"object,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Result string    `json:"result"`
}

// NewAuditLine is a record as people read it.
func NewAuditLine(r *audit.Record) AuditLine {
	return AuditLine{r.Seq, r.Time, r.Clock.String(), r.Actor, r.Role, r.Source, r.Event.String(),
		r.Object, r.Reason, r.Result.String()}
}

// AuditVerdict says whether the audit log is what was written.
type AuditVerdict struct {
	Sound      bool      `json:"sound"`
	Error      string    `json:"error,omitempty"`     // names the first bad record
	FirstBad   uint64    `json:"first_bad,omitempty"` // its number
	LastBad    uint64    `json:"last_bad,omitempty"`  // where only a range is known: its end
	First      uint64    `json:"first"`
	Last       uint64    `json:"last"`
	From       time.Time `json:"from,omitzero"`
	To         time.Time `json:"to,omitzero"`
	Proven     uint64    `json:"proven"`    // all up to here is as it was written
	Anchor     uint64    `json:"anchor"`    // the newest one that was checked
	EndKnown   bool      `json:"end_known"` // nothing is missing behind the last
	WithKey    bool      `json:"with_key"`  // every record was checked
	Unfinished int64     `json:"unfinished_bytes,omitempty"`
}

// NewAuditVerdict says what a check found.
func NewAuditVerdict(r audit.Report, withKey bool, err error) AuditVerdict {
	v := AuditVerdict{Sound: err == nil, First: r.First, Last: r.Last, From: r.From, To: r.To,
		Proven: r.Proven, Anchor: r.Anchor, EndKnown: r.EndKnown, WithKey: withKey,
		Unfinished: r.Unfinished}
	if err != nil {
		v.Error = err.Error()
	}
	var bad *audit.BadRecord
	if errors.As(err, &bad) {
		v.FirstBad, v.LastBad = bad.Seq, bad.Through
	}
	return v
}

// AuditKey is what an auditor takes away.
type AuditKey struct {
	Public   string `json:"public"`              // checks anchors
	FirstKey string `json:"first_key,omitempty"` // checks all: the file as it is; empty: it is gone
	Removed  bool   `json:"removed"`             // from this machine, by this
}

// auditRoutes are about the audit log itself.
func (s *Server) auditRoutes() []route {
	read := []string{cardswitch.Auditor}
	return []route{
		{"GET /v1/audit", s.listAudit, read, false, audit.LogRead},
		{"GET /v1/audit/verify", s.verifyAudit, read, false, audit.LogVerified},
		{"POST /v1/audit/key", s.auditKey, read, false, audit.LogRead},
	}
}

func (s *Server) hasEvidence(w http.ResponseWriter) bool {
	if s.Evidence == nil {
		refuse(w, &NotFoundError{"this node keeps no audit log", "see audit in the configuration"})
		return false
	}
	return true
}

func (s *Server) listAudit(w http.ResponseWriter, r *http.Request) {
	if !s.hasEvidence(w) {
		return
	}
	f, err := AuditFilter(r.URL.Query())
	if err != nil {
		refuse(w, &misuseError{err.Error(), "see `cardswitch audit list --help`"})
		return
	}
	records, err := s.Evidence.Read(f)
	if err != nil {
		refuse(w, err)
		return
	}
	lines := make([]AuditLine, 0, len(records))
	for i := range records {
		lines = append(lines, NewAuditLine(&records[i]))
	}
	answer(w, lines)
}

// AuditFilter reads which records are wanted.
func AuditFilter(q url.Values) (f audit.Filter, err error) {
	f.Actor, f.Object = q.Get("actor"), q.Get("object")
	for _, name := range q["event"] {
		e, err := audit.ParseEvent(name)
		if err != nil {
			return f, err
		}
		f.Events = append(f.Events, e)
	}
	for name, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := q.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return f, errors.New(name + " is no time as 2006-01-02T15:04:05Z")
			}
		}
	}
	if text := q.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 1 || f.Limit > 100_000 {
			return f, errors.New("limit is a number from 1 to 100000")
		}
	}
	return f, nil
}

func (s *Server) verifyAudit(w http.ResponseWriter, _ *http.Request) {
	if !s.hasEvidence(w) {
		return
	}
	report, whole, err := s.Evidence.Verify()
	answer(w, NewAuditVerdict(report, whole, err))
}

// auditKey gives the auditor the log's first key, and takes it from this machine where that is
// wanted.
func (s *Server) auditKey(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Remove bool   `json:"remove"`
		Why    string `json:"why"`
	}
	if !s.hasEvidence(w) {
		return
	}
	if err := body(w, r, &order); err != nil {
		refuse(w, err)
		return
	}
	public, err := s.Evidence.Public()
	if err != nil {
		refuse(w, err)
		return
	}
	k := AuditKey{Public: hex.EncodeToString(public)}
	text, err := s.Evidence.KeyFile()
	if err == nil && order.Remove && text != nil {
		err = s.Evidence.RemoveKey()
		k.Removed = err == nil
	}
	if err != nil {
		refuse(w, err)
		return
	}
	k.FirstKey = string(text)
	clear(text)
	answer(w, k)
}

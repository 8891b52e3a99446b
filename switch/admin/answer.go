package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"cardswitch/store"
)

// NotFoundError says that what an operator named isn't there.
type NotFoundError struct{ What, Hint string }

func (e *NotFoundError) Error() string { return e.What }

// wrongError says that what an operator asked makes no sense.
type wrongError struct{ what string }

func (e *wrongError) Error() string { return e.what }

// misuseError is the same with what to do instead.
type misuseError struct{ what, hint string }

func (e *misuseError) Error() string { return e.what }

// waitingError is a node that has no keys before its people have made the master key.
type waitingError struct{}

func (e *waitingError) Error() string { return "the switch waits for its master key" }

// standbyError is what only the active node of a cluster can do, with where to ask.
type standbyError struct{ why, hint string }

func (e *standbyError) Error() string { return "only the active node can do that: " + e.why }

// hintedError is something that can't be done as asked, with what can be.
type hintedError struct{ what, hint string }

func (e *hintedError) Error() string { return e.what }

// Conflict is something that can't be done as things stand, with what can be.
func Conflict(what, hint string) error { return &hintedError{what, hint} }

// NotActive refuses what only the active node can do, on a node that stands like this.
func NotActive(st *ClusterStatus) error {
	why, hint := "there is none", "most of the nodes with a vote must run and reach each other; "+
		"`cardswitch cluster status` shows who is away"
	self := func(m ClusterMember) bool { return m.Self }
	switch {
	case st.State == BroughtBack:
		why, hint = WhyBroughtBack, "`cardswitch cluster promote` shows who still lives"
	case len(st.Members) > 0 && !slices.ContainsFunc(st.Members, self):
		why = "this one was taken out of the cluster"
		hint = "end it; the machine comes back with a new number and an empty data folder"
	case len(st.Members) == 0:
		why = "this one isn't a member yet"
		hint = fmt.Sprintf("`cardswitch cluster join %d ADDRESS`, at the active node, takes it in",
			st.Node)
	case st.Leader == st.Node:
		why, hint = "this one is taking over", "ask again in a moment"
	case st.Leader != 0:
		why = fmt.Sprintf("node %d is", st.Leader)
		hint = "ask it there; `cardswitch cluster status` has its address"
	}
	return &standbyError{why, hint}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	// The only error left is that nobody listens any more.
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, err error) {
	status, problem := http.StatusInternalServerError, Problem{Error: err.Error()}
	var missing *NotFoundError
	var wrong *wrongError
	var misused *misuseError
	var failed *store.Error
	var denied *deniedError
	var hinted *hintedError
	var waiting *waitingError
	var standby *standbyError
	switch {
	case errors.As(err, &missing):
		status, problem.Hint = http.StatusNotFound, missing.Hint
	case errors.Is(err, store.ErrNotFound):
		status = http.StatusNotFound
		problem.Hint = "see `cardswitch journal tail` for the numbers of transactions"
	case errors.As(err, &wrong):
		status = http.StatusBadRequest
	case errors.As(err, &misused):
		status, problem.Hint = http.StatusBadRequest, misused.hint
	case errors.As(err, &denied):
		status, problem.Hint = http.StatusForbidden, denied.hint()
	case errors.As(err, &waiting):
		status = http.StatusServiceUnavailable
		problem.Hint = "hold its ceremony: `cardswitch key ceremony start master`"
	case errors.As(err, &standby):
		status = http.StatusServiceUnavailable
		problem.Hint = standby.hint
	case errors.As(err, &hinted):
		status, problem = http.StatusConflict, Problem{Error: hinted.what, Hint: hinted.hint}
	case errors.As(err, &failed):
		problem = Problem{Error: failed.Op + ": " + failed.Err.Error(), Hint: failed.Hint}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem)
}

// body reads a small JSON value and nothing else.
func body(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return &misuseError{"the body is not what this asks for: " + err.Error(),
			"use the cardswitch of the same version as the switch"}
	}
	return nil
}

func pathNumber(r *http.Request, name string) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue(name), 10, 64)
	if err != nil {
		return 0, &misuseError{strconv.Quote(r.PathValue(name)) + " is not a number",
			"`cardswitch journal tail` and `cardswitch worklist list` show the numbers"}
	}
	return n, nil
}

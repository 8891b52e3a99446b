package admin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"cardswitch/store/audit"
)

// recorded writes into the audit log what a person asks for, before it is done: what can't be
// recorded isn't done. If it then fails, that is recorded too. Keys and ceremonies say more
// themselves, so their routes have no event here.
func (s *Server) recorded(r *route, p Person, w http.ResponseWriter, request *http.Request) {
	if r.event == 0 || s.Evidence == nil {
		r.handler(w, request)
		return
	}
	why, about := saidIn(request)
	who := by(p, why)
	entry := audit.Entry{Actor: who.Who, Role: who.Role, Event: r.event, Reason: who.Why,
		Object: strings.TrimPrefix(request.URL.Path, "/v1/"), Result: audit.Done}
	query := request.URL.Query()
	query.Del("why") // it is the entry's reason
	if len(query) > 0 {
		entry.Object += "?" + query.Encode()
	}
	entry.Object = strings.TrimSpace(entry.Object + " " + about)
	if _, err := s.Evidence.Append(request.Context(), entry); err != nil {
		refuse(w, &hintedError{"nothing was done, for it can't be recorded: " + err.Error(), ""})
		return
	}
	watched := &statusWatch{ResponseWriter: w}
	r.handler(watched, request)
	if watched.status < http.StatusBadRequest {
		return
	}
	entry.Result = audit.Failed
	if watched.status < http.StatusInternalServerError {
		entry.Result = audit.Refused
	}
	if _, err := s.Evidence.Append(request.Context(), entry); err != nil {
		s.Logger.Error("a failure couldn't be recorded", "event", r.event.String(), "error", err)
	}
}

// saidIn reads from the body, which stays to be read, why somebody wants something, and of which
// token.
func saidIn(request *http.Request) (why, about string) {
	if why = request.URL.Query().Get("why"); why != "" { // the body is something else
		return why, ""
	}
	if request.Method == http.MethodGet || request.Body == nil {
		return "", ""
	}
	text, _ := io.ReadAll(io.LimitReader(request.Body, 64<<10))
	request.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), request.Body), request.Body}
	var said struct{ Why, Token string }
	_ = json.Unmarshal(text, &said) // what is wrong with it, its handler says
	return said.Why, said.Token
}

// statusWatch notes how an answer begins.
type statusWatch struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes it.
func (w *statusWatch) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets what streams flush.
func (w *statusWatch) Unwrap() http.ResponseWriter { return w.ResponseWriter }

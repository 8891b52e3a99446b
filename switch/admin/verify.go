package admin

import (
	"net/http"
	"time"

	"cardswitch/store"
)

// Progress is a line of `journal verify` on its way.
type Progress struct {
	Records uint64 `json:"records"`
	Of      uint64 `json:"of"`
}

// Verdict is its last line.
type Verdict struct {
	Sound bool         `json:"sound"`
	Error string       `json:"error,omitempty"`
	Hint  string       `json:"hint,omitempty"`
	Found store.Report `json:"report"`
}

// verify reads the whole journal, which may take minutes, and says how far it is.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	out := newLines(w)
	defer out.close()
	of := s.Journal.LastSeq() + 1 - s.Journal.FirstSeq()
	var told time.Time
	report, err := s.Journal.Verify(func(records uint64) {
		if time.Since(told) > time.Second {
			told = time.Now()
			_ = out.write(Progress{Records: records, Of: of})
		}
	})
	verdict := Verdict{Sound: err == nil, Found: report}
	if err != nil {
		verdict.Error = err.Error()
		verdict.Hint = "keep the folder as it is, restore from the other node or the backup"
	}
	_ = out.write(verdict)
}
